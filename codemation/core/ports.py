"""What the engine asks of the world. Every port has a memory and a PostgreSQL adapter behind one conformance suite.

Ports are synchronous and narrow; they speak of runs, tickets and payloads, never of SQL. Every one of them may raise
`StoreUnavailable` when the database does not answer; nothing is then known about what was asked, and the caller looks
again when it is back. Ports are internal until version 1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal, Protocol, Self, TypeAlias

from codemation.core.access import Role
from codemation.core.concurrency import Turnstile
from codemation.core.credentials import Credential
from codemation.core.definition import Definition
from codemation.core.ids import ActivationId, Head, NodeId, RunId, TicketId, WorkerId, WorkflowId
from codemation.core.items import Batch, BatchKind
from codemation.core.sealed import sealed
from codemation.core.states import GIVEN_UP, RunStatus
from codemation.core.waits import WaitKind

TicketKind: TypeAlias = Literal["work", "shard", "fold"] | WaitKind
"""What a ticket is about: work to claim, a part of it, an inbox to fold, or what an activation waits for."""


@sealed
class NewTicket:
    """Work to be claimed by anybody who serves its queue and has the code of its run's definition."""

    id: TicketId
    activation: ActivationId
    queue: str = "default"
    priority: int = 0
    pool: str = ""
    """Whose slot is needed to hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitTicket:
    """Something that an activation waits for: never claimed, and taken by whoever answers it."""

    id: TicketId
    activation: ActivationId
    wait: str
    """Names it within the activation."""
    kind: WaitKind
    wait_key: str | None = None
    """What it is found by; `None` for what only a time wakes."""
    delay: float | None = None
    """Seconds from now after which its time is over."""
    until: float | None = None
    """When its time is over, in seconds since 1970; the later of the two where both are said."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What people are shown, as small JSON."""


@sealed
class Holding:
    """A claim as its holder knows it; refused as soon as somebody else has taken over."""

    ticket: TicketId
    worker: WorkerId
    fence: int


NOTHING_HELD = Holding(ticket=TicketId(0), worker=WorkerId(0), fence=0)
"""What whoever only looks has of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A part of an activation that somebody works on apart from the others."""

    parent: TicketId
    """The ticket of the activation, which waits until its last shard has ended."""
    number: int
    """From 0."""
    of: int
    start: int
    stop: int
    """Its own items: the positions from `start` up to `stop` in the input of the activation."""
    attempt: int = 1

    @property
    def first_chunk(self) -> int:
        """The number of its first chunk; those of a shard stand together, and apart from those of all others."""
        return self.number << 32

    @property
    def chunks(self) -> range:
        """The numbers that its chunks may have."""
        return range(self.first_chunk, self.first_chunk + (1 << 32))

    def given_up(self, lost: int) -> Chunk:
        """Its end when whoever worked on it has died so many times."""
        error = {"type": "Lost", "message": f"shard {self.number + 1} of {self.of}: {GIVEN_UP % lost}"}
        return Chunk(number=self.chunks[-1], items=(), data=b"", error=error)


@sealed
class Claim:
    """A ticket that this worker now holds."""

    holding: Holding
    run: RunId
    activation: ActivationId
    """Empty for a fold ticket, which asks to fold the run's inbox."""
    queue: str = "default"
    priority: int = 0
    fresh: bool = False
    """Whether nobody can have worked on the activation before: the claim was part of what made it due."""
    starts: int = 1
    """How often the activation has been claimed: this claim, and those that ended in a death, but none handed back."""
    shard: Shard | None = None
    """The part that it is about; `None` for a whole activation."""
    joins: bool = False
    """Whether every shard of the activation has ended, and what they have recorded is to be put together."""

    def going_on(self, activation: ActivationId) -> Claim:
        """The claim after a step that went on with another activation on the same ticket."""
        held = self.holding
        return Claim(
            holding=Holding(ticket=held.ticket, worker=held.worker, fence=held.fence + 1),
            run=self.run,
            activation=activation,
            queue=self.queue,
            priority=self.priority,
            fresh=True,
        )

    @property
    def part(self) -> int:
        """The number of the part that it is about; 0 for the whole."""
        return self.shard.number if self.shard else 0

    @property
    def is_fold(self) -> bool:
        """Whether there is no node to run, only signals to fold."""
        return not self.activation


@sealed
class GoOn:
    """The ticket is reused for the next activation, which its holder has thereby claimed."""

    activation: ActivationId


@sealed
class Leave:
    """The ticket is reused for an activation that anybody may claim, `delay` seconds from now at the earliest."""

    activation: ActivationId
    queue: str = "default"
    priority: int = 0
    delay: float = 0.0


@sealed
class Drop:
    """The ticket is done with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """When a run that is not over by then is told so: a wait of kind `timer` at what the run was given."""

    ticket: TicketId
    seconds: float
    """From now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """Whose child a run is, and which wait of that run is answered by its end."""

    run: RunId
    ticket: TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to be recorded together with its first revision and its first tickets."""

    id: RunId
    workflow: WorkflowId
    digest: str
    params: str
    """JSON."""
    head: Head
    delta: bytes
    output: bytes | None
    tickets: tuple[NewTicket, ...]
    claimed_by: WorkerId | None = None
    """The worker that holds the first ticket from the start."""
    status: RunStatus = RunStatus.RUNNING
    """Other than running when the first revision already ends the run."""
    reason: str = ""
    priority: int = 0
    key: str | None = None
    input_digest: bytes = b""
    """Of params and input: the same key with another input is an error."""
    deadline: Deadline | None = None
    key_age: float | None = None
    """Seconds for which the key counts at least; it counts for as long as its run is there. `None` for ever."""
    retention: Mapping[str, float | None] = field(default_factory=dict)
    """Seconds for which the run is kept after its end, by outcome, `succeeded` or `failed`; else for ever."""
    turnstile: Turnstile | None = None
    """Where the run needs a place before anything of it may be claimed; `claimed_by` counts for nothing then."""
    parent: Parent | None = None
    origin: Mapping[str, Any] | None = None
    """What has started it, if a trigger did; small JSON."""
    who: str = ""
    """Who or what has started it, in words."""
    announces: bool = True
    """Whether its end sets off triggers, should it have come already."""


@sealed
class Commit:
    """One revision of a run, and what becomes of the ticket that brought it: all of it happens, or nothing."""

    run: RunId
    holding: Holding
    revision: int
    """The last revision that the writer knows; the commit is refused if it is not the latest."""
    head: Head
    new_head: Head
    delta: bytes
    output: bytes | None = None
    then: GoOn | Leave | Drop = field(default_factory=Drop)
    more: tuple[NewTicket, ...] = ()
    waits: tuple[WaitTicket, ...] = ()
    """What the activation of the dropped ticket waits for from now on."""
    status: RunStatus = RunStatus.RUNNING
    reason: str = ""
    consumed: tuple[int, ...] = ()
    """Signals of the inbox that this revision answers."""
    cancelling: bool = False
    """Written by the fold of a run that was asked to stop; any other commit is refused on such a run."""
    turnstile: str | None = None
    """Where the run, which ends, gives its place back, if it has one."""
    follow_up: str = ""
    """The workflow that is to be started because the run has failed; noted in the same moment."""
    progressed: bool = True
    """Whether progress of the activation may have been recorded; where not, nobody has to look for it."""
    announces: bool = False
    """It ends the run, and that sets off triggers: what they owe is owed from the same moment on."""
    written: tuple[str, ...] = ()
    """Names of data that the activation has written, which sets off triggers as well."""
    tells: bool = False
    """It ends a child: who waits for it finds the letter that says so from the same moment on."""

    @property
    def activation(self) -> ActivationId | None:
        """What the ticket is about afterwards."""
        return None if isinstance(self.then, Drop) else self.then.activation


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopening:
    """A run goes on anew; refused when it has changed since `revision`, or stands where it may not go on from."""

    run: RunId
    revision: int
    head: Head
    new_head: Head
    delta: bytes
    digest: str
    tickets: tuple[NewTicket, ...]
    claimed_by: WorkerId | None = None
    status: RunStatus = RunStatus.RUNNING
    reason: str = ""
    of: frozenset[RunStatus] = frozenset({RunStatus.FAILED, RunStatus.CANCELLED})
    """Where the run may stand; one that is being stopped never goes on."""
    deadline: Deadline | None = None
    turnstile: Turnstile | None = None
    """Where the run, which is over, needs a place anew; it waits for one, whatever the turnstile refuses."""
    placeless: bool = False
    """Whether the run, which needed a place before, goes on without one: it will have none to give back."""
    wait: TicketId | None = None
    """The wait that is answered when a child ends anew; without one nobody is told, and nobody stops it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """What is kept of a run beside its journal."""

    id: RunId
    workflow: WorkflowId
    digest: str
    status: RunStatus
    reason: str
    revision: int
    head: Head
    stop: bool
    params: str
    priority: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    turnstile: str | None = None
    """Where it has its place, or is queued for one."""
    parent: RunId | None = None
    origin: Mapping[str, Any] | None = None
    who: str = ""
    """Who or what has started it; empty where nobody has said so."""
    key: str | None = None
    """What it was started under, so that it is started once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One revision in the journal."""

    revision: int
    head: Head
    at: datetime
    delta: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a run stood at a revision, so that what came before need not be read."""

    revision: int
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is true now of a run and of one ticket."""

    run: RunRow
    claim: Claim | None
    """The ticket, if the asking worker still holds it at any fence; `None` when it is gone or somebody else's."""
    tail: tuple[Entry, ...]


def nothing() -> None:
    """What is done where there is nothing to do."""


class Journal(Protocol):
    """The truth about runs: one statement and one commit a revision."""

    def start(self, run: NewRun) -> RunId:
        """Record a new run; with a key that was used before, the run that it started. Sent twice, it is recorded once.

        A child is recorded only as long as its parent waits for it.

        Raises:
            InputError: the key was used with other params or another input, or the params are not JSON.
            HostError: the definition is not stored, or another run has the id.
            RunInTheWay: its turnstile is full, and refuses.
            UnwantedChild: nobody waits for it (any more), or somebody else has started it.
        """
        ...

    def step(self, commit: Commit, meanwhile: Callable[[], object] = nothing) -> bool:
        """Write one revision; `False` when it was refused, by fence, revision or a cancel: `look` says which.

        `meanwhile` is called once or not at all, where whoever asks would only wait for the answer; it asks no store.

        A finished run takes only revisions that leave it finished. What was recorded of an activation's progress goes
        with it, unless the ticket goes on being about that activation. The end of a run takes its unread letters along,
        and every ticket that nobody holds; its place is free, and given to who is queued for it. A run that is written
        as queued keeps standing where it stands. A fold ticket is never dropped while letters are left unanswered: then
        it is ready again, or the commit is refused. Whoever is refused and still holds the ticket hands it back.
        """
        ...

    def steps(self, commits: Sequence[Commit]) -> frozenset[Head]:
        """Write a revision each of several runs at once, as `step` would; the new heads of those that stand.

        What is refused is left out, and so may be whatever somebody else is at work on in this moment, and all but the
        first commit of one run: nobody is waited for. An error means that nothing of what could be written together
        was written, and says nothing about the rest.
        """
        ...

    def look(self, run: RunId, holding: Holding, after: int) -> Look:
        """Read the run, the ticket and the revisions since `after`, in a snapshot younger than any refused step.

        Raises:
            UnknownRun: there is none.
        """
        ...

    def age(self, run: RunId, revision: int) -> float:
        """For how many seconds a revision has been there, by the clock of the store; 0 where it is not there."""
        ...

    def load(self, run: RunId) -> tuple[RunRow, tuple[Entry, ...]]:
        """The run and its whole journal.

        Raises:
            UnknownRun: there is none.
        """
        ...

    def reopen(self, reopening: Reopening) -> bool:
        """Let a run go on anew; `False` when it does not stand where it may, is being stopped, or has changed.

        Whoever still holds a ticket of its former life holds nothing any more.
        """
        ...

    def cancel(self, run: RunId, row: RunRow, new_head: Head, delta: bytes, fold: TicketId) -> bool:
        """Stop the run: mark it, then each of its tickets, and ask for a fold; `False` when `row` is out of date.

        When it returns, no activation of the run is claimed any more; what is held already is held until it is handed
        back or taken over.
        """
        ...


class Checkpoints(Protocol):
    """Where runs stood, beside their journals, which lose nothing by it."""

    def load(self, run: RunId) -> tuple[RunRow, Checkpoint | None, tuple[Entry, ...]]:
        """The run, its latest checkpoint, and its journal from there on, the revision of the checkpoint included.

        Raises:
            UnknownRun: there is none.
        """
        ...

    def keep(self, run: RunId, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; again is harmless, and so is a run that is not there any more."""
        ...

    def compact(self, limit: int = 500) -> int:
        """Delete checkpoints that a later one of the same run has replaced; says how many."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What a worker serves: a queue, for runs of one definition."""

    queue: str
    digest: str


@sealed
class Chunk:
    """Finished items of an activation that is still under way."""

    number: int
    items: tuple[int, ...]
    """Positions in the input."""
    data: bytes
    error: Mapping[str, Any] | None = None
    """Why the rest of a shard is missing, as small JSON."""

    @property
    def shard(self) -> int:
        """The number of the shard that it is of."""
        return self.number >> 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """What a take-over found: tickets that are ready again, and activations that are given up as poison."""

    released: int = 0
    stopped: tuple[RunId, ...] = ()
    """Runs under cancellation whose dead workers no longer hold anything."""
    poisoned: tuple[tuple[RunId, ActivationId, int], ...] = ()


@sealed
class Hint:
    """Word that a ticket is ready, for whoever serves its queue."""

    ticket: TicketId
    queue: str = "default"
    passed: int = 0
    """How many workers have passed it on, because they could not do it."""


class Scheduler(Protocol):
    """Lets workers know of tickets that are ready. What it loses costs time alone, since the tickets stay the truth."""

    def dispatch(self, hints: Sequence[Hint]) -> None:
        """Let workers know, after the tickets were recorded; never waits for anybody, and never fails."""
        ...

    def is_away(self) -> bool:
        """Whether nobody can be let known now, so that whoever wants work looks for it by itself."""
        ...

    def close(self) -> None:
        """Be done with it; what has not been sent after a moment is left."""
        ...


class Tickets(Protocol):
    """Live work: who may do what next."""

    def claim(
        self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None, *, pools: bool = False
    ) -> Claim | None:
        """Claim the most urgent ready ticket of these lanes, or just `ticket`; `None` when there is nothing.

        What needs a slot is claimed only with `pools`, and only while a slot of its pool is free. Whoever holds such a
        ticket has the slot, for just as long as it is held, however that ends.

        Urgent is what has the highest priority, then what has been ready for longest. Fold tickets are in everybody's
        lanes. The buried claim nothing.
        """
        ...

    def remind(self, limit: int = 100) -> tuple[Hint, ...]:
        """The most urgent tickets of each lane that have been ready for a while, and that nobody has claimed.

        They count as told of from now on: after five seconds a ticket is given once, and after each time twice as long
        passes until the next, a minute at most. Folds, which anybody may do, are among them. At most `limit` a lane.
        """
        ...

    def hand_back(self, holdings: Sequence[Holding]) -> int:
        """Give tickets back unworked, without counting it as a death; says how many were still held.

        Those of a run that was asked to stop are done with instead, but for its fold ticket, and so are those of a run
        that is over, here and wherever else tickets come back: it may have ended under those who worked for it.
        """
        ...

    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        """Release what the dead held: at once after the first loss, later after more, never again after too many.

        Giving up an activation and leaving the letter that says so, `{"kind": "Lost", "activation": …, "times": …}`,
        are one. Tickets of a run that was asked to stop are done with. A fold ticket is released however often it is
        lost. A shard that is given up leaves no letter: it ends with an error, and after the last one its activation is
        ready.
        """
        ...

    def fire(self) -> float | None:
        """Do what a time that has come asks for; seconds until the next such time, if there is one.

        Work and folds become ready. A wait is over: its ticket is taken, and the letter that says so,
        `{"kind": "TimerFired", "activation": …, "wait": …}`, is left in the same moment.
        """
        ...

    def postpone(self, holding: Holding, delay: float) -> bool:
        """Let a held ticket wait for `delay` seconds without any word in the journal; `False` when it was not held."""
        ...

    def stopping(self, worker: WorkerId) -> tuple[RunId, ...]:
        """The runs that were asked to stop while this worker holds a ticket of theirs."""
        ...

    def held(self, worker: WorkerId, *, folds: bool = False) -> tuple[Holding, ...]:
        """What this worker holds, whether it has heard of it or not; or of that just the `folds`."""
        ...

    def save_progress(self, holding: Holding, activation: ActivationId, chunk: Chunk) -> bool:
        """Record finished items; `False` when somebody else has taken over. A chunk sent twice is recorded once.

        Those of a shard are recorded with the ticket of its activation.
        """
        ...

    def progress(self, ticket: TicketId, activation: ActivationId, shard: Shard | None = None) -> tuple[Chunk, ...]:
        """What was recorded of an activation, or of a shard of it, in order of chunk number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEnd:
    """What the end of a shard led to."""

    left: int
    """Shards of the activation that have not ended."""
    join: Claim | None = None
    """The ticket of the activation, if this was the last of them: whoever ends it puts together what all have given."""


class Shards(Protocol):
    """Parts of activations, joined by a counter on the ticket of the activation.

    Nobody holds that ticket meanwhile, and neither the journal nor the revision of the run knows of them.
    """

    def split(self, claim: Claim, shards: Mapping[TicketId, Shard]) -> bool:
        """Give a held activation up for its shards, which anybody may claim; `False` when it was not held any more.

        So it is when the run was asked to stop: no shard comes to be after that.
        """
        ...

    def end(self, claim: Claim, chunk: Chunk) -> ShardEnd | None:
        """Be done with a shard, record the last that it has to say, and count it; `None` when it was not held any more.

        Counting, and the claim of the activation by whoever ends the last shard, are one. Where the chunk has an error,
        those shards that nobody works on are done with as well. Where the activation is not waited for any more,
        nothing but the ticket of the shard goes.
        """
        ...

    def again(self, claim: Claim, attempt: int, delay: float) -> bool:
        """Let a shard wait for another attempt, without any word in the journal; `False` when it was not held."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A process that executes activations."""

    id: WorkerId
    name: str
    place: str
    """Machine boot and process namespace: where a pid means something."""
    pid: int
    pid_started: int
    """What the system says of the process's start, so that a reused pid is not taken for it."""
    version: str = ""
    beat: int = 0
    host: str = ""
    """The machine, for people."""
    queues: tuple[str, ...] = ()
    """What it serves of what anybody has started; nothing, if it works for itself."""
    digests: tuple[str, ...] = ()
    """The definitions whose code it has."""
    slots: int = 0
    """Activations at a time."""
    load: int = 0
    """Activations now."""
    started_at: datetime | None = field(default=None, compare=False)
    """When it was entered; the store says so."""
    silent: float = field(default=0.0, compare=False)
    """Seconds since its last beat, by the clock of the store; for people, for nobody is buried by it."""


class Workers(Protocol):
    """Who lives."""

    def register(self, worker: WorkerRow) -> None:
        """Enter a process that has just started; again changes what it serves, and nothing else."""
        ...

    def beat(self, worker: WorkerId, *, load: int = 0) -> tuple[WorkerRow, ...] | None:
        """Say that the process lives and read who is entered; `None` when it was buried meanwhile, or never entered."""
        ...

    def living(self) -> tuple[WorkerRow, ...]:
        """Everybody who is entered and not buried, or still holds a ticket."""
        ...

    def bury(self, workers: Sequence[WorkerId]) -> None:
        """Enter the death of workers: they neither beat nor claim any more, and what they hold awaits a take-over."""
        ...


class Payloads(Protocol):
    """Batches too large for the journal, and reading of all."""

    def put(self, run: RunId, data: bytes, count: int, kind: BatchKind) -> Batch:
        """Store a batch before the step that names it; durable on return."""
        ...

    def get(self, run: RunId, batch: Batch) -> bytes:
        """The stored bytes.

        Raises:
            PayloadLost: they are not there, or not what was stored.
        """
        ...

    def borrow(self, run: RunId, home: RunId, batches: Sequence[Batch]) -> tuple[Batch, ...]:
        """Have batches of another run, its `home`, stay there for `run` too; as `run` names them, in the same order.

        What lies in the journal of the other run is copied, all else is shared. `run` may be about to start.

        Raises:
            PayloadLost: something is not there any more; `run` may hold what came before it.
        """
        ...


class Recall(Protocol):
    """What nodes have given for the very same code, configuration and inputs, by the digest of these."""

    def remember(self, key: bytes, run: RunId, outputs: str) -> None:
        """Note that a run has given `outputs`, which is JSON; of several runs the last one counts."""
        ...

    def recall(self, key: bytes) -> tuple[RunId, str] | None:
        """The run, and what it gave; `None` when nothing is known, or the run is not there any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """A stored stream."""

    id: str
    size: int
    sha256: str


class Blobs(Protocol):
    """Streams of any length, content-addressed; the same content is stored once."""

    def put(self, stream: BinaryIO) -> StoredBlob:
        """Store everything that the stream has, read in pieces; durable on return, invisible if it breaks off."""
        ...

    def open(self, blob: str) -> BinaryIO:
        """A readable stream; the caller closes it.

        Raises:
            PayloadLost: it is not there.
        """
        ...


class Definitions(Protocol):
    """Definitions by digest."""

    def put(self, definition: Definition) -> None:
        """Keep a definition; again is harmless."""
        ...

    def get(self, digest: str) -> Definition:
        """The definition.

        Raises:
            HostError: it is not there.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A signal in a run's inbox."""

    id: int
    key: str
    body: str
    """JSON."""
    at: float = 0.0
    """When it was left, in seconds since 1970 by the clock of the database."""


class Inbox(Protocol):
    """Signals from outside: the sender needs neither the plan nor a lock on the run."""

    def post(self, run: RunId, key: str, body: str, fold: TicketId) -> bool:
        """Leave a signal and ask for a fold; `False` when one with this key lies there unanswered, or the run is over.

        Raises:
            UnknownRun: there is none.
            InputError: the body is not JSON.
        """
        ...

    def pending(self, run: RunId) -> tuple[Letter, ...]:
        """What has not been folded yet, oldest first."""
        ...


class Waits(Protocol):
    """What activations wait for. Whoever answers a wait takes its ticket and leaves a letter: it is answered once."""

    def answer(self, wait_key: str, body: str, fold: TicketId) -> bool:
        """Take the wait with this address and leave its answer in the inbox of its run.

        `False` when it is not open: it was answered, its time is over, its run has ended or was asked to stop, or it
        never was.

        Raises:
            InputError: the body is not JSON.
        """
        ...

    def open(self, *, kind: WaitKind | None = None, run: RunId | None = None, limit: int = 100) -> tuple[OpenWait, ...]:
        """What is waited for now, the most pressing first: what has the nearest end, then what has none."""
        ...


class Children(Protocol):
    """Runs that other runs wait for: a wait of kind `child` names its child in its detail, as `child`.

    The wait is recorded first and the child is started after it, so the end of a child always finds the wait. What a
    crash leaves in between, or after a cancel, is found by the next who looks.
    """

    def of(self, run: RunId) -> tuple[RunRow, ...]:
        """The children of a run, oldest first."""
        ...

    def wanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[OpenWait, ...]:
        """Waits of a run, or of all runs, whose child has not been started yet, or does not work for them yet."""
        ...

    def unwanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[RunId, ...]:
        """Children of a run, or of all runs, that are neither over nor asked to stop, and that nobody waits for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWait:
    """A wait that nobody has answered yet."""

    ticket: TicketId
    run: RunId
    workflow: WorkflowId
    activation: ActivationId
    wait: str
    kind: WaitKind
    wait_key: str | None
    due_at: datetime | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentEvent:
    """An event that was sent, and is kept for whoever waits for it later."""

    id: str
    name: str
    key: str
    body: str
    """JSON."""
    dedup: str | None = None
    """The same event sent twice is kept once."""
    keep: float = 0.0
    """Seconds for which it is kept."""
    at: datetime | None = None
    """When it was sent; the store says so."""
    expires_at: datetime | None = None


class Events(Protocol):
    """Events from outside, by name and key.

    Each side records its own first and looks for the other's in a statement of its own after that. So of an event and a
    wait that come at the same moment the later one finds the earlier, and what a crash leaves in between is found by
    the next who looks.
    """

    def send(self, event: SentEvent) -> bool:
        """Keep an event and give it to every wait that is open for it; `False` when it was sent before.

        Raises:
            InputError: the body is not JSON.
        """
        ...

    def meet(self, run: RunId | None = None) -> int:
        """Give what is kept to the waits of a run, or of all runs, that are open for it; says to how many.

        Each is given the oldest that was sent before its time is over, whoever notices when, and that no other
        activation of its node has been given: its ticket is taken, and the
        letter `{"kind": "EventArrived", "activation": …, "wait": …, "event": …, "payload": …, "at": …}` is left.
        """
        ...

    def kept(self, *, name: str | None = None, limit: int = 100) -> tuple[SentEvent, ...]:
        """What is kept, the latest first."""
        ...

    def forget(self) -> int:
        """Forget what has expired; says how many."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """Runs of one workflow and outcome whose time is over."""

    workflow: WorkflowId
    status: RunStatus
    runs: int
    oldest: datetime
    """When the first of them ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was left over and is gone."""

    batches: int = 0
    """Of runs that are not there."""
    keys: int = 0
    """Of runs that are not there, and whose time is over."""
    blobs: int = 0
    """That were given up before, and whose bytes are gone now."""
    rates: int = 0
    """By which nobody has booked a call for a day."""


class Pruning(Protocol):
    """The end of what was kept. Whoever prunes waits for nobody, and several may at once."""

    def outdated(self) -> tuple[Outdated, ...]:
        """What `prune` would delete, were it called until nothing is left, by workflow and outcome."""
        ...

    def prune(self, limit: int = 200) -> int:
        """Delete finished runs whose time is over, the longest over first; says how many, 0 when there is none left.

        At most `limit` at once, and fewer if they are long. A run goes as a whole: journal, logs, batches. A batch that
        another run has borrowed is that run's from now on. A child goes after its parent; an unfinished run never.
        """
        ...

    def sweep(self, limit: int = 200) -> Swept:
        """Delete what belongs to nobody: batches of runs that did not start within a day, keys, unused blobs."""
        ...


class Turnstiles(Protocol):
    """Places for runs, and who is queued for them.

    A run takes its place, and gives it back, in the statements of the journal that begin and end it; who is queued is
    let in there as well, the highest priority first, then who has come first.
    """

    def at(self, name: str, *, queued: bool = True) -> tuple[RunRow, ...]:
        """The unfinished runs of a turnstile: those that have a place, then those that are queued, the next one first.

        The queue may be long, and is left out if it is not wanted. A run that waits for the world keeps its place.
        """
        ...

    def mend(self, name: str | None = None) -> int:
        """Count the places anew and let in who is queued for a free one, here or wherever there is one; says how many.

        For what a process leaves that was killed between an end and what follows from it.
        """
        ...


class Pools(Protocol):
    """Slots for what only so many may do at a time. Who has one is seen from the tickets that are held."""

    def declare(self, pools: Mapping[str, int], *, default: bool = False) -> None:
        """Say how many slots pools have; those that are not named stay as they are.

        As a `default` it says so of those alone of which nobody has said it.
        """
        ...

    def all(self) -> Mapping[str, tuple[int, int]]:
        """How many slots of each pool are taken, and how many there are."""
        ...


class Rates(Protocol):
    """When calls may begin that only so many may in a time, whoever makes them."""

    def book(self, name: str, calls: int, spacing: float) -> float:
        """Book the next `calls` moments, `spacing` seconds apart; seconds until the first of them.

        No moment is given twice, and none lies in the past. What is booked and not used is lost.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A workflow that is to be started because a run has failed."""

    run: RunId
    revision: int
    """Of the run, at which it failed: a run that is resumed may fail again."""
    workflow: WorkflowId


class FollowUps(Protocol):
    """What is to be started because something has failed. Noted by the journal, with the end of the run."""

    def due(self, workflows: Sequence[WorkflowId], limit: int = 100) -> tuple[FollowUp, ...]:
        """What of these workflows is to be started, the oldest first."""
        ...

    def done(self, follow_up: FollowUp) -> None:
        """Forget what was started; again is harmless."""
        ...


DUTIES = ("recover", "fire", "schedule", "poll", "prune", "compact")
"""What is done for all processes by one of them at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyRow:
    """A duty, and who has it."""

    name: str
    holder: WorkerId | None = None
    epoch: int = 0
    """Rises whenever somebody takes it."""
    beat: int = 0
    """Rises as long as the holder lives."""
    last_at: datetime | None = None
    """When it was last done."""
    age: float | None = None
    """Seconds since then, by the clock of the store."""
    lag: float | None = None
    """Seconds by which it was late then."""
    worker: WorkerRow | None = None
    """The holder as it is entered."""
    gone: bool = False
    """Whether the holder is buried, or not entered any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What a process learns when it says that it holds duties: who holds which, and how soon there is something to do.

    Seconds until the next time of each kind; `None` where there is none, negative where it has passed.
    """

    duties: tuple[DutyRow, ...]
    fire: float | None = None
    """A wait that is over, or a retry that is due."""
    schedule: float | None = None
    """A tick."""
    poll: float | None = None
    """A source that is to be asked, of the triggers that the process knows."""
    owed: float | None = None
    """A run that is owed, of the triggers that the process knows."""


class Duties(Protocol):
    """What one process of all should do from time to time; that two do it is a waste, never a fault."""

    def beat(
        self, worker: WorkerId, held: Mapping[str, int], *, did: Mapping[str, float], triggers: Sequence[str] = ()
    ) -> Pulse:
        """Say that the holder of duties lives, each by the epoch at which it took it, and learn how all of them stand.

        What it `did` since the last beat was done now, late by so many seconds. A duty that somebody else has taken
        meanwhile is not beaten for.
        """
        ...

    def take(self, name: str, worker: WorkerId, known: DutyRow) -> int | None:
        """Take a duty that stands as `known` says, by epoch and beat; its new epoch, `None` if somebody was faster."""
        ...

    def leave(self, worker: WorkerId) -> None:
        """Give up whatever this worker holds, so that the next one need not wait."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A trigger to be armed."""

    id: str
    kind: str
    number: int
    """Its place among the triggers of its workflow, from 1."""
    config: Mapping[str, Any]
    """As in its plan; JSON."""
    said: str = ""
    subject: str = ""
    """What it listens to: the id of a workflow, the name of a dataset, a path."""
    outcome: str = ""
    """Of the runs that it listens to: `succeeded`, `failed` or `any`."""
    overlap: str = ""
    """Of a schedule: what happens while its last run is not over. Its runs are started one after the other then."""
    next_at: datetime | None = None
    """When its first tick is, or its source is first asked, unless it was armed before and knows better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedTrigger:
    """A trigger that is or was armed, and how it fares."""

    id: str
    workflow: WorkflowId
    kind: str
    number: int
    config: Mapping[str, Any]
    said: str
    subject: str
    outcome: str
    overlap: str
    active: bool
    next_at: datetime | None
    last_at: datetime | None
    """When it last started a run."""
    last_run: RunId | None
    error: str
    """What went wrong last; empty when nothing did, or all has gone well since."""
    error_at: datetime | None
    passed_at: datetime | None
    """When its source was last read to the end."""
    owed: int = 0
    """Runs that are to be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedWorkflow:
    """A workflow whose triggers somebody has armed, or disarmed since."""

    workflow: WorkflowId
    digest: str
    active: bool
    by: str
    at: datetime
    missing: str = ""
    """Who has looked for it in vain, and where."""


class Armory(Protocol):
    """Which triggers are armed. One that is disarmed keeps what it knows, and is found again by its id."""

    def arm(self, workflow: WorkflowId, digest: str, arms: Sequence[Arm], by: str) -> None:
        """Arm these triggers of a workflow and no others.

        One that was armed before keeps its next time; one that was not begins anew with `next_at`, and keeps its state.
        """
        ...

    def enter(self, workflow: WorkflowId, arms: Sequence[Arm]) -> None:
        """Have these triggers known, so that they can owe runs, and arm none that is not."""
        ...

    def disarm(self, workflow: WorkflowId, by: str) -> bool:
        """Disarm a workflow; runs that are owed already are started still. `False` when it was not armed."""
        ...

    def workflows(self) -> tuple[ArmedWorkflow, ...]:
        """All that were ever armed, by id."""
        ...

    def triggers(self, workflow: WorkflowId | None = None) -> tuple[ArmedTrigger, ...]:
        """The triggers of a workflow, or all, by workflow and number; those that are not armed come last."""
        ...

    def listening(self, kind: str, subject: str) -> frozenset[str]:
        """The ids of the triggers of a kind that are armed and listen to a subject."""
        ...

    def miss(self, workflow: WorkflowId, said: str) -> None:
        """Note who has looked for a workflow in vain; an empty text that it was found."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSchedule:
    """A schedule with a tick whose time has come."""

    trigger: str
    kind: str
    config: Mapping[str, Any]
    next_at: datetime
    """Its first tick that is not dealt with."""
    now: datetime
    """By the clock of the store."""
    owed: int
    """Runs that are to be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A time of a schedule, for which a run is to be owed."""

    id: str
    """A UUID, of what is owed."""
    at: datetime

    @property
    def key(self) -> str:
        """What names it among all that its trigger starts."""
        return self.at.astimezone(UTC).isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTick:
    """A time of a schedule that was dealt with; without a run, and with none that is owed, it was left out."""

    at: datetime
    run: RunId | None
    owed: bool
    """Whether a run is to be started for it."""


class Schedules(Protocol):
    """Ticks of schedules. A tick and the run that is owed for it are one: both are noted, or neither."""

    def due(self, limit: int = 100) -> tuple[DueSchedule, ...]:
        """The armed schedules whose next tick has come, the longest due first."""
        ...

    def advance(self, schedule: DueSchedule, ticks: Sequence[Tick], next_at: datetime | None) -> int | None:
        """Owe a run for each of these ticks that was not dealt with before, and wait for `next_at`.

        Says how many are owed; `None`, and nothing is done, when somebody else has moved the schedule on.
        """
        ...

    def owe(self, trigger: str, tick: Tick, *, serial: bool) -> bool:
        """Owe a run for one tick, unless it has one or is owed one; `serial` as the others of the schedule."""
        ...

    def ticks(self, trigger: str, since: datetime, until: datetime) -> Mapping[datetime, RunId | None]:
        """The ticks of a time that were dealt with, and their runs: from `since` on, and before `until`."""
        ...

    def past(self, trigger: str, before: datetime | None = None, limit: int = 50) -> tuple[PastTick, ...]:
        """The ticks of a trigger that were dealt with, the latest first, from just before the tick `before`."""
        ...

    def forget(self, age: float, limit: int = 500) -> int:
        """Forget ticks of runs that are not there, so many seconds after their time; says how many."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PollClaim:
    """A source that this worker is to ask; refused as soon as somebody else has."""

    trigger: str
    workflow: WorkflowId
    kind: str
    config: Mapping[str, Any]
    worker: WorkerId
    fence: int
    revision: int
    state: str | None
    """JSON; `None` at the beginning."""
    lease: float
    """Seconds for which nobody else claims it; from the claim on, and from each time that something is recorded."""
    tries: int
    """How often it has failed since it last went well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """An item that a source has given."""

    id: str
    """A UUID, of what is owed."""
    key: str
    """Of two items with one key the first starts a run."""
    item: str
    """JSON."""


class Polls(Protocol):
    """Sources that are asked now and then. What a source has given, and how far it was read, are recorded as one."""

    def claim(self, worker: WorkerId, triggers: Sequence[str], lease: float) -> PollClaim | None:
        """Claim the source that is due longest, of these triggers.

        What the dead had claimed is due at once, what the living have claimed after `lease` seconds.
        """
        ...

    def save(self, claim: PollClaim, state: str | None, items: Sequence[Emitted], wait: float | None) -> int | None:
        """Record the state of a source, if it has another one, and owe a run for each item whose key is new.

        Says how many are new; what is given first is owed first.

        With `wait` the source was read to its end, and is due again in so many seconds; without it there is more, and
        the claim goes on with the next revision. `None`, and nothing is recorded, when the claim does not hold.
        """
        ...

    def fail(self, claim: PollClaim, error: str, wait: float) -> bool:
        """Note what went wrong, and ask again in so many seconds; `False` when the claim does not hold."""
        ...

    def forget(self, age: float, limit: int = 500) -> int:
        """Forget keys behind the watermark of their source; says how many.

        The watermark is `age` seconds before the source was last read to its end: a key is behind it that was not given
        again after that. A source that is not read, or does not come to its end, forgets nothing.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A run that a trigger owes, claimed by this worker. Starting it is idempotent: a claim only saves work."""

    id: str
    trigger: str
    workflow: WorkflowId
    kind: str
    key: str
    at: datetime
    item: str | None
    """JSON: the item, or the run that sets it off."""
    chain: int
    tries: int
    serial: bool
    overlap: str
    busy: RunId | None = None
    """The last run of the trigger, if it is not over."""
    superseded: bool = False
    """Whether a later one of the same trigger is owed as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A run that is to be started, as people see it."""

    id: str
    trigger: str
    workflow: WorkflowId
    kind: str
    key: str
    at: datetime
    """The tick, or when it was owed."""
    due_at: datetime
    """When it is tried next; of one that is being started, until when nobody else tries."""
    tries: int
    """How often it has failed."""
    error: str
    """What went wrong last."""
    taken: bool
    """Whether somebody is starting it."""


class Firings(Protocol):
    """Runs that are owed. Whoever has the code of the workflow starts them by key; then they are forgotten."""

    def owe(self, trigger: str, emitted: Emitted, chain: int = 0) -> bool:
        """Owe a run for an item; `False` when one is owed for the key already."""
        ...

    def claim(
        self,
        worker: WorkerId,
        triggers: Sequence[str],
        limit: int = 50,
        *,
        lease: float = 60.0,
        only: str | None = None,
    ) -> tuple[Firing, ...]:
        """Claim what is owed by these triggers, the oldest first; just `only`, if it is named.

        Of a schedule one at a time, the oldest first, and with `overlap` `queue` none while its last run is not over.
        What fails lets others pass. After `lease` seconds, others may claim it too.
        """
        ...

    def started(self, firing: Firing, run: RunId) -> None:
        """The run is there: forget that it was owed. Again is harmless."""
        ...

    def dropped(self, firing: Firing, why: str) -> None:
        """There is to be no run: forget that it was owed. An error that says why is kept if `why` is given."""
        ...

    def failed(self, firing: Firing, error: str, wait: float) -> None:
        """It could not be started: say so at its trigger, and try again in so many seconds."""
        ...

    def later(self, firing: Firing, wait: float) -> None:
        """Not yet: look again in so many seconds."""
        ...

    def free(self) -> int:
        """Give up the claims of the dead, and those whose time is over; says how many."""
        ...

    def run_of(self, workflow: WorkflowId, key: str) -> RunId | None:
        """The run that a key has started."""
        ...

    def page(
        self,
        *,
        workflow: str | None = None,
        trigger: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> tuple[Owed, ...]:
        """What is owed, the latest first, from just before what has the id `before`; never on a hot path."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """Something that a node printed or logged."""

    at: datetime
    activation: ActivationId
    attempt: int
    level: str
    text: str
    number: int = field(default=0, compare=False)
    """Of two lines of a run the one that was kept later has the higher one; the store says so."""


class Logs(Protocol):
    """What nodes print and log, bounded per activation; not part of the truth about a run."""

    def append(self, run: RunId, lines: Sequence[LogLine]) -> None:
        """Keep lines."""
        ...

    def read(
        self, run: RunId, node: str | None = None, limit: int = 10_000, *, after: int | None = None
    ) -> tuple[LogLine, ...]:
        """The lines of a run or of one node, oldest first; at most the last `limit`.

        With `after` the first `limit` of those with a higher number. Whoever goes on from the highest that he has read
        is given every line, for none is ever kept with a number below one that could be read before.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRow:
    """A live ticket for people: what is being done, by whom."""

    id: TicketId
    run: RunId
    activation: ActivationId
    state: str
    """`ready`, `running` or `waiting`."""
    worker: WorkerId | None
    due_at: datetime | None
    lost: int
    kind: TicketKind = "work"
    queue: str = "default"
    wait: str = ""
    """Of a wait: what names it within the activation."""
    pool: str = ""
    """Whose slot is needed to hold it."""
    shards: tuple[int, int] | None = None
    """Of an activation that was split: how many of its shards have ended, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unattended:
    """A run that nobody will go on with: it has no live owner, no due time and no waker."""

    run: RunId
    workflow: WorkflowId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Which runs are meant."""

    since: datetime | None = None
    """Started then or later."""
    until: datetime | None = None
    """Started before."""
    like: str = ""
    """How the id begins or ends."""
    children: bool = True
    """Whether runs are meant that work for others."""


ANYWHERE = Within()


class RunList(Protocol):
    """The read side: what people list and look up. Never on a hot path."""

    def page(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        within: Within = ANYWHERE,
        before: RunId | None = None,
        limit: int = 50,
    ) -> tuple[RunRow, ...]:
        """Runs, youngest first, from just before the run `before`."""
        ...

    def hidden(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        within: Within = ANYWHERE,
        between: tuple[RunId | None, RunId | None] = (None, None),
        most: int = 10_000,
    ) -> int:
        """How many runs that work for others a page without children has left out.

        It lies `between` the run before which it begins and its last one, each `None` where nothing follows on that
        side. No more than `most` are counted.
        """
        ...

    def find(self, prefix: str) -> tuple[RunId, ...]:
        """The runs whose id begins or ends with `prefix`, at most ten, youngest first."""
        ...

    def tickets(self, run: RunId) -> tuple[TicketRow, ...]:
        """The live tickets of a run."""
        ...

    def unattended(self) -> tuple[Unattended, ...]:
        """Runs that break the invariant of the protocol; empty on a healthy system with a worker for each lane."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What lets somebody ask over the network, without the text that shows it, which nobody keeps."""

    id: str
    name: str
    """Who or what holds it."""
    role: Role
    created_by: str = ""
    created_at: datetime | None = None
    """The store says so."""
    expires_at: datetime | None = None
    """As above; `None` for never."""
    used_at: datetime | None = None
    """When it was used last, give or take a minute."""
    revoked_at: datetime | None = None


class Tokens(Protocol):
    """Who may ask over the network."""

    def create(self, token: Token, digest: bytes, lasts: float | None = None) -> None:
        """Let whoever shows the text of this SHA-256 digest do what the role allows, for so many seconds from now.

        Raises:
            InputError: a token that counts has the name.
        """
        ...

    def holder(self, digest: bytes) -> Token | None:
        """The token of a text, if it counts: it was neither revoked nor has it expired. Notes that it was used."""
        ...

    def all(self) -> tuple[Token, ...]:
        """Every token that ever was, the latest first."""
        ...

    def any(self) -> bool:
        """Whether there ever was one."""
        ...

    def revoke(self, id_: str) -> bool:
        """Let a token count no more; `False` when it does not, or there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that somebody has done, or tried to."""

    id: str
    who: str
    action: str
    """`runs.start`."""
    target: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Small JSON."""
    outcome: str = ""
    """`done`, or what it was refused for; empty while it is being done, or where that was broken off."""
    at: datetime | None = None
    """The store says so."""


class Audit(Protocol):
    """Who did what. A deed is noted before it is done, and settled after it."""

    def note(self, deed: Deed) -> None:
        """Note what somebody is about to do."""
        ...

    def settle(self, id_: str, outcome: str, target: str) -> None:
        """Say what became of it; the first word stands."""
        ...

    def page(
        self, *, who: str | None = None, action: str | None = None, before: str | None = None, limit: int = 50
    ) -> tuple[Deed, ...]:
        """Deeds, the latest first, from just before the deed `before`; `action` may be the beginning of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReading:
    """What there is to do in a queue."""

    queue: str
    state: str
    """`ready`, `running` or `waiting`."""
    tickets: int
    age: float
    """Seconds since the one that has stood there longest became due; 0 where that says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How much there is to do, and how long it takes."""

    unfinished: Mapping[RunStatus, int]
    finished: Mapping[RunStatus, int]
    """Those that have ended within an hour, of those started within a day."""
    seconds: float
    """That the latter have taken, all together."""
    within: tuple[int, ...]
    """How many of them took no longer than each of the bounds that were asked for."""
    queues: tuple[QueueReading, ...]


class Gauges(Protocol):
    """Figures for who watches over all. Never on a hot path, and never about a single run."""

    def read(self, bounds: Sequence[float]) -> Reading:
        """Read all of them; `bounds` are seconds, rising."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A credential that a node asks for."""

    node: NodeId
    name: str
    """The parameter, or that of the opener of a resource, that it is given to."""
    type: type[Credential]
    required: bool = True


class CredentialSource(Protocol):
    """Somewhere that credentials are kept; asked whenever a node is called, so that a change is seen at once."""

    def find(self, slot: Slot) -> Mapping[str, object] | Credential | None:
        """The credential, or its fields; `None` when there is none here."""
        ...


class NotebookRunner(Protocol):
    """Executes notebooks; found by the entry point group `codemation.notebooks`, or named in the settings."""

    def run(self, path: str, parameters: Mapping[str, object]) -> object:
        """Execute the notebook at `path`, seen from the app's folder, and give what it gives: fields by name.

        Whatever it raises is the failure of its node. Where the call has a time limit, it is given up at its end.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeployment:
    """A build that is to count from now on, with all that is needed to work with it."""

    id: str
    """A UUID."""
    build: str
    """The digest of the build, as hex."""
    manifest: str
    """What is in it, as JSON."""
    code: Mapping[str, tuple[str, str]]
    """By digest of a definition: the digest of the bundle that holds its code, and the file in it."""
    who: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """That a build has counted since a time, until the next one."""

    id: str
    build: str
    at: datetime
    who: str
    message: str


class Deployments(Protocol):
    """Which builds of the app have been deployed, and the code of everything that may still run."""

    def keep(self, bundle: str, archive: bytes) -> None:
        """Keep a bundle of files under its digest; again is harmless."""
        ...

    def deploy(self, deployment: NewDeployment) -> Deployment:
        """Let a build count from now on; when it does already, nothing is written.

        Raises:
            HostError: a bundle of it is not kept.
        """
        ...

    def list(self, limit: int = 50) -> tuple[Deployment, ...]:
        """The deployments, the latest first: that one counts."""
        ...

    def manifest(self, build: str) -> str:
        """What is in a build that was deployed.

        Raises:
            HostError: it is not there.
        """
        ...

    def code(self, definition: str) -> tuple[str, str] | None:
        """The bundle that holds the code of a definition, and the file in it."""
        ...

    def definitions(self) -> frozenset[str]:
        """The digests of all definitions whose code is kept."""
        ...

    def bundle(self, digest: str) -> bytes:
        """The files.

        Raises:
            HostError: they are not kept.
        """
        ...

    def forget(self, keep: int) -> int:
        """Forget all but so many deployments, and code that neither these have nor an unfinished run; says how many."""
        ...


@sealed
class News:
    """That a run has a new revision: never what is in it, which is read from the database."""

    run: RunId
    """Empty where something about any run may have been missed."""
    revision: int
    """0 where something may have been missed: whoever hears it looks for himself."""
    workflow: WorkflowId = WorkflowId("")
    status: RunStatus | None = None
    """Where the run stands as whoever said it knows; `None` where nobody knows."""


class Subscription(Protocol):
    """Hears of one run, or of all, until it is closed, or its `with` ends.

    Who is slow is not waited for: of several revisions of a run that he has not taken yet, the newest is kept. Those of
    one run only ever rise. The last of them can be lost without a trace, so that everybody looks now and then.
    """

    def next(self, timeout: float | None = None) -> News | None:
        """What is new, waited for at most so many seconds, for ever without; `None` if nothing is, or it is closed."""
        ...

    def close(self) -> None:
        """Hear no more; whoever waits in `next` is let go."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Bus(Protocol):
    """Tells processes of each other's news. What it loses costs time: the truth is in the database.

    The order for whoever waits is: subscribe, read how it stands, wait for news, read again; and read now and then
    without any.
    """

    def publish(self, news: News) -> None:
        """Tell everybody, soon; returns at once. A broker that is away is no error: it is said once in the log."""
        ...

    def subscribe(self, run: RunId | None = None, wake: Callable[[], None] | None = None) -> Subscription:
        """Hear of one run, or of all, from the moment on that this returns, if the broker is there.

        `wake` is called, in a thread of the bus, whenever there may be something to take; it must not block.
        """
        ...

    def close(self) -> None:
        """Send what has not been sent, and end every subscription; harmless when that was done before."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Every port of one database."""

    journal: Journal
    checkpoints: Checkpoints
    tickets: Tickets
    shards: Shards
    workers: Workers
    payloads: Payloads
    blobs: Blobs
    definitions: Definitions
    inbox: Inbox
    logs: Logs
    runs: RunList
    waits: Waits
    children: Children
    events: Events
    pruning: Pruning
    duties: Duties
    recall: Recall
    turnstiles: Turnstiles
    follow_ups: FollowUps
    rates: Rates
    pools: Pools
    deployments: Deployments
    tokens: Tokens
    audit: Audit
    armory: Armory
    schedules: Schedules
    polls: Polls
    firings: Firings
    gauges: Gauges

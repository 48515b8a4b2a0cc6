"""Loading runs: a row, a definition and a journal become a snapshot that a process keeps and keeps up to date."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from types import TracebackType
from typing import ParamSpec, Protocol, TypeVar

from msgspec import Struct

from codemation.core.checkpoint import LEAST, Stood, decode_snapshot, encode_snapshot
from codemation.core.definition import Definition, Plan
from codemation.core.errors import StoreUnavailable, UnknownRun, UnreadableRun
from codemation.core.facts import Delta, Reopened, decode_delta
from codemation.core.ids import Head, RunId
from codemation.core.ordering import BrokenDefinition
from codemation.core.ports import NOTHING_HELD, Checkpoint, Entry, Holding, Loaded, Look, NewRun, News, RunRow, Stores
from codemation.core.snapshot import Snapshot
from codemation.core.states import FINISHED, RunStatus

P = ParamSpec("P")
R = TypeVar("R")


class Lock(Protocol):
    """What the holder may take again, as `threading.RLock` gives it."""

    def acquire(self, blocking: bool = True) -> bool:
        """Take it; `False` if it is somebody else's and was not to be waited for."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...

    def __enter__(self) -> object:
        """Take it for the length of a `with`."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Give it back."""
        ...


class Unread(Struct, frozen=True, kw_only=True):
    """Stands for the row of a run that was just recorded, which nobody has had to read yet."""

    id: RunId
    head: Head
    params: str
    read: Callable[[], RunRow]
    stop: bool = False
    turnstile: str | None = None
    status: RunStatus = RunStatus.RUNNING


class OpenRun:
    """A run that this process works on; `lock` is held while it is folded."""

    __slots__ = ("_row", "definition", "head", "id", "lock", "marked", "passed", "snapshot", "stopping")

    def __init__(self, row: RunRow | Unread, definition: Definition, snapshot: Snapshot, lock: Lock) -> None:
        self._row = row
        self.id = row.id
        self.definition = definition
        self.snapshot = snapshot
        self.head = row.head
        self.lock = lock
        self.stopping = row.stop
        self.passed = 0
        """Bytes of the journal since the last checkpoint."""
        self.marked = LEAST
        """Bytes of the last checkpoint: the next comes when the journal has grown by so much, and never earlier."""

    def apply(self, delta: Delta, head: Head, size: int) -> None:
        """Let the snapshot have a revision, of so many bytes."""
        self.snapshot.apply(delta)
        self.head = head
        self.passed += size

    def take_from(self, other: OpenRun) -> None:
        """Stand where another one stands, which was just read."""
        self.snapshot, self.definition, self.head = other.snapshot, other.definition, other.head
        self.row, self.passed, self.marked = other.row, other.passed, other.marked

    @property
    def row(self) -> RunRow:
        """What is kept of the run beside its journal, as it was read last."""
        if isinstance(self._row, Unread):
            self._row = self._row.read()
        return self._row

    @row.setter
    def row(self, row: RunRow) -> None:
        self._row = row

    @property
    def params(self) -> str:
        """What the run was started with, as JSON."""
        return self._row.params

    def news(self, ahead: int = 0) -> News:
        """What others are told of it: the revision that it is at, or so many after it."""
        return News(
            run=self.id,
            revision=self.snapshot.revision + ahead,
            workflow=self.definition.workflow,
            status=RunStatus.QUEUED if self.queued else self.snapshot.status,
        )

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        return self.snapshot.status in FINISHED

    @property
    def turnstile(self) -> str | None:
        """Where the run has its place, if it needs one."""
        return self._row.turnstile

    def follow_up(self, status: RunStatus) -> str:
        """The workflow to be started if this is where the run ends now; in a session people see for themselves."""
        fails = status is RunStatus.FAILED and not self.finished and not self.snapshot.session
        return self.definition.on_failure if fails else ""

    @property
    def queued(self) -> bool:
        """Whether it still waits for its place, as far as this process knows."""
        return self._row.status is RunStatus.QUEUED and not self.finished


class Opener:
    """Reads runs from the stores, patiently."""

    def __init__(
        self,
        stores: Stores,
        lock: Callable[[], Lock],
        patience: Callable[[int, StoreUnavailable], None],
        tell: Callable[[str], object],
    ) -> None:
        self.stores = stores
        self.patience = patience
        self._tell = tell
        self._lock = lock

    def persist(self, ask: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask again until the database answers, for as long as the patience lasts."""
        tries = 0
        while True:
            try:
                return ask(*args, **kwargs)
            except StoreUnavailable as error:
                tries += 1
                self.patience(tries, error)

    def open(self, run: RunId, definition: Definition | None = None) -> OpenRun:
        """Load a run and fold its journal; `definition` is the run's first one, if it is at hand.

        Raises:
            UnknownRun: there is no such run.
            UnreadableRun: its journal means nothing to this release.
            BrokenDefinition: nor does its definition.
        """
        for found in self.persist(self.stores.checkpoints.load, run).values():
            return self._opened(run, found, definition)
        raise UnknownRun(f"no run {run}", way_out="codemation runs list")

    def open_some(self, runs: Collection[RunId]) -> dict[RunId, OpenRun]:
        """Those of these runs that can be opened, read at once; why others cannot is said by `open`."""
        opened = {}
        for run, found in self.persist(self.stores.checkpoints.load, *runs).items():
            with suppress(UnreadableRun, BrokenDefinition):
                opened[run] = self._opened(run, found)
        return opened

    def _opened(self, run: RunId, found: Loaded, definition: Definition | None = None) -> OpenRun:
        row, checkpoint, entries = found
        stood = None if checkpoint is None else self._stood(run, checkpoint, entries)
        if checkpoint is not None and stood is None:
            row, entries = self.persist(self.stores.journal.load, run)
        since = entries if stood is None else entries[1:]
        snapshot, first = self.folded(row, [decoded(run, entry) for entry in since], definition, stood=stood)
        opened = OpenRun(row, self.definition(snapshot.digest) if snapshot.digest else first, snapshot, self._lock())
        opened.passed = sum(len(entry.delta) for entry in since)
        if checkpoint is not None and stood is not None:
            opened.marked = max(LEAST, len(checkpoint.state))
        return opened

    def _stood(self, run: RunId, checkpoint: Checkpoint, entries: Sequence[Entry]) -> Stood | None:
        """Where a checkpoint says that a run stood; `None` if it cannot be read, or not be believed."""
        try:
            stood = decode_snapshot(checkpoint.state)
        except ValueError as error:
            self._tell(f"the checkpoint of run {run} at revision {checkpoint.revision} is left aside: {error}")
            return None
        if entries and (entries[0].revision, entries[0].head) == (checkpoint.revision, stood.head):
            return stood
        self._tell(f"the checkpoint of run {run} at revision {checkpoint.revision} is not of its journal")
        return None

    def mark(self, run: OpenRun) -> None:
        """Leave a checkpoint if the journal has grown by enough. The lock of the run is held.

        All that is written for checkpoints is less than what the journal holds, so no step pays for a long run.
        """
        if run.passed < run.marked:
            return
        state = encode_snapshot(run.snapshot, run.head)
        try:
            self.stores.checkpoints.keep(run.id, Checkpoint(revision=run.snapshot.revision, state=state))
        except StoreUnavailable as error:  # the next step will try it again
            self._tell(f"run {run.id} has no checkpoint at revision {run.snapshot.revision}: {error.message}")
            return
        run.passed, run.marked = 0, max(LEAST, len(state))

    def begun(self, run: NewRun, definition: Definition, snapshot: Snapshot) -> OpenRun:
        """A run whose first revision was just recorded here, so that nothing of it has to be read."""
        row = Unread(
            id=run.id,
            head=run.head,
            params=run.params,
            read=lambda: self.persist(self.stores.journal.load, run.id)[0],
        )
        return OpenRun(row, definition, snapshot, self._lock())

    def folded(
        self,
        row: RunRow,
        deltas: Sequence[Delta],
        definition: Definition | None = None,
        *,
        upto: int | None = None,
        stood: Stood | None = None,
    ) -> tuple[Snapshot, Definition]:
        """The snapshot at revision `upto`, by default the latest, and the definition that the deltas begin with.

        They begin with the run, or where it `stood`.
        """
        moves = [fact for delta in deltas for fact in delta if isinstance(fact, Reopened) and fact.digest]
        if stood is not None and stood.digest:
            first = self.definition(stood.digest)
        else:
            first = definition or self.definition(moves[0].was if moves else row.digest)
        if stood is None:
            return Snapshot.of(first.plan, deltas[:upto], self.plan), first
        snapshot = stood.snapshot(first.plan, self.plan)
        for delta in deltas:
            snapshot.apply(delta)
        return snapshot, first

    def look(self, run: OpenRun, holding: Holding) -> Look:
        """What is true now of a run and of one ticket; brings the run to what the journal says.

        From the start, if what the run knew is not in the journal (any more): a server may have fallen back to an
        older copy and gone on from there.
        """
        known = run.snapshot.revision
        look = self.persist(self.stores.journal.look, run.id, holding, known - 1)
        if look.tail and (look.tail[0].revision, look.tail[0].head) == (known, run.head):
            for entry in look.tail[1:]:
                run.apply(decoded(run.id, entry), entry.head, len(entry.delta))
            run.row = look.run
            if run.snapshot.digest not in ("", run.definition.digest):
                run.definition = self.definition(run.snapshot.digest)
        else:
            run.take_from(self.open(run.id))
        run.stopping = run.row.stop
        return look

    def follow(self, run: OpenRun) -> None:
        """Bring a run to what the journal says, where others work on it."""
        with run.lock:
            self.look(run, NOTHING_HELD)

    def definition(self, digest: str) -> Definition:
        """The definition with this digest."""
        return self.persist(self.stores.definitions.get, digest)

    def plan(self, digest: str) -> Plan:
        """The plan of the definition with this digest."""
        return self.definition(digest).plan


def decoded(run: RunId, entry: Entry) -> Delta:
    """The facts of one revision of a run.

    Raises:
        UnreadableRun: they mean nothing to this release.
    """
    try:
        return decode_delta(entry.delta)
    except ValueError as error:
        raise UnreadableRun(
            f"revision {entry.revision} of run {run} cannot be read: {error}",
            way_out="if a newer release of codemation has written it, use that one; all other runs can be gone on with",
        ) from error

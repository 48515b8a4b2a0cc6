"""What a run is started with, and what is recorded when it begins or goes on anew."""

from __future__ import annotations

from hashlib import sha256

from codemation.core.concurrency import Turnstile
from codemation.core.definition import Definition
from codemation.core.delivery import Courier
from codemation.core.errors import RunError, UnknownRun
from codemation.core.facts import encode_delta
from codemation.core.ids import NodeId, RunId, WorkerId
from codemation.core.items import Batch, BatchKind
from codemation.core.limits import UNLIMITED, Limits
from codemation.core.means import Means
from codemation.core.opening import Opener, OpenRun
from codemation.core.origins import Origin
from codemation.core.ports import Deadline, NewRun, NewTicket, Parent, Reopening
from codemation.core.sealed import sealed
from codemation.core.settling import Step
from codemation.core.signals import Started
from codemation.core.standing import Standing
from codemation.core.states import FINISHED, RunStatus

Stored = tuple[bytes, int, BatchKind]
"""Bytes, count and kind of what a port holds."""


@sealed
class Start:
    """What a run is started with."""

    id: RunId
    params: str
    """JSON."""
    input: Stored
    key: str | None = None
    priority: int | None = None
    """Instead of the definition's."""
    limits: Limits = UNLIMITED
    """What the run may use at the most."""
    claim: bool = True
    """Whether this process goes on with the first node itself."""
    given: Batch | None = None
    """Instead of the input: what is stored for the run already."""
    session: bool = False
    source: str = ""
    standing: tuple[Standing, ...] = ()
    """What is pinned, and what is taken over from the source."""
    unwanted: tuple[NodeId, ...] = ()
    """Nodes that nothing stands on that is asked for."""
    turnstile: Turnstile | None = None
    """Where the run needs a place; a session needs none."""
    parent: Parent | None = None
    address: str = ""
    """Of the wait of the parent."""
    depth: int = 0
    """How many runs stand above it."""
    fresh: bool = False
    """Whether nothing is taken from other runs."""
    origin: Origin | None = None
    """What starts it, if a trigger does."""
    who: str = ""
    """Who or what starts it, in words."""


class Scribe:
    """Makes of what was wished for what is recorded of it."""

    def __init__(self, courier: Courier, means: Means) -> None:
        self._courier = courier
        self._means = means

    def new_run(
        self, definition: Definition, start: Start, step: Step, output: bytes | None, worker: WorkerId
    ) -> NewRun:
        """A run as it begins; `worker` holds the first of its tickets, if it wants to and the run has a place."""
        tickets = self._courier.tickets(definition.plan, step.due, session=start.session)
        return NewRun(
            id=start.id,
            workflow=definition.workflow,
            digest=definition.digest,
            params=start.params,
            head=self._courier.new_head(),
            delta=encode_delta(step.delta),
            output=output,
            tickets=tickets,
            claimed_by=worker if start.claim and not _needs_slot(tickets) else None,
            status=step.status,
            reason=step.reason,
            priority=definition.priority if start.priority is None else start.priority,
            key=start.key,
            deadline=None if start.session else self._deadline(definition, step.status),
            key_age=self._means.key_age,
            retention={**self._means.retention, **definition.retention},
            input_digest=b"" if start.key is None else sha256(start.params.encode() + b"\n" + start.input[0]).digest(),
            turnstile=None if start.session or step.status in FINISHED else start.turnstile,
            parent=start.parent,
            origin=None if start.origin is None else start.origin.to_json(),
            who=start.who,
            announces=not start.session,
        )

    def reopening(self, run: OpenRun, latest: Definition, step: Step, worker: WorkerId) -> Reopening:
        """A run that goes on anew, by a definition that may be another one."""
        tickets = self._courier.tickets(latest.plan, step.due, session=run.snapshot.session)
        return Reopening(
            run=run.id,
            revision=run.snapshot.revision,
            head=run.head,
            new_head=self._courier.new_head(),
            delta=encode_delta(step.delta),
            digest=latest.digest,
            tickets=tickets,
            claimed_by=None if _needs_slot(tickets) else worker,
            status=step.status,
            reason=step.reason,
            of=frozenset({run.snapshot.status}),
            deadline=None if run.snapshot.session else self._deadline(latest, step.status),
            turnstile=None if step.status in FINISHED or not run.finished else _again(run, latest),
            placeless=run.finished and run.turnstile is not None and not latest.concurrency,
        )

    def _deadline(self, definition: Definition, status: RunStatus) -> Deadline | None:
        """The end of a run's time, if it has one and is not over at once; in a session people take their time."""
        if definition.timeout is None or status in FINISHED:
            return None
        return Deadline(ticket=self._courier.new_ticket(), seconds=definition.timeout)


def _needs_slot(tickets: tuple[NewTicket, ...]) -> bool:
    """Whether the first ticket cannot be held from the start."""
    return bool(tickets) and bool(tickets[0].pool)


def _again(run: OpenRun, latest: Definition) -> Turnstile | None:
    """Where a run that was over needs a place again; one that is not over has its own still."""
    name, said = run.turnstile, latest.concurrency
    return None if name is None or not said else Turnstile(name=name, runs=said["runs"])


def started(start: Start, given: Batch) -> Started:
    """The signal that begins a run."""
    return Started(
        input=given,
        session=start.session,
        source=start.source,
        standing=start.standing,
        unwanted=start.unwanted,
        limits=start.limits,
        parent=start.address,
        depth=start.depth,
        fresh=start.fresh,
    )


def known_run(opener: Opener, run: RunId, start: Start) -> OpenRun:
    """The run that a key has started before."""
    try:
        return opener.open(run)
    except UnknownRun as error:
        what = f'the key "{start.key}" has started run {run} already, which was pruned since'
        raise RunError(what, way_out="give another key to start another run") from error

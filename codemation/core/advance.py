"""The kernel: what one signal does to a run.

Theory of operation. `advance` reads a snapshot and a signal and says, as a `Step`, which facts become true. It changes
nothing, knows no clock, no ids but derived ones, no I/O, and no data beyond the counts of batches. Whoever owns the
snapshot commits the step's delta to the journal first and applies it to the snapshot after; a lost race means reading
the journal's tail and asking again, which is safe because asking has no effect.

What follows when a node reports or fails is in `settling`.

A signal that comes late or twice is silence: `None`, no facts, no events.
"""

from __future__ import annotations

from typing import assert_never

from codemation.core import suspending
from codemation.core.facts import Began, Broke, Cancelling, Done, Reopened, Retrying, Skipped
from codemation.core.ids import START, ActivationId, node_of
from codemation.core.settling import Step, broken, ended, go_on, settle, unfinished
from codemation.core.signals import (
    CancelRequested,
    ChildEnded,
    Decided,
    ErrorInfo,
    Event,
    EventArrived,
    Failed,
    ItemsLeft,
    Lost,
    Rearranged,
    Resumed,
    Signal,
    Started,
    Stopped,
    Succeeded,
    Suspended,
    TimerFired,
    Turning,
)
from codemation.core.snapshot import Snapshot
from codemation.core.standing import UNWANTED
from codemation.core.states import FINISHED, GIVEN_UP, RunStatus


def advance(snapshot: Snapshot, signal: Signal) -> Step | None:
    """What `signal` does to the run, or `None` when it does nothing because it is late, repeated or out of place."""
    match signal:
        case Succeeded():
            return _succeeded(snapshot, signal)
        case Failed():
            return _failed(snapshot, signal)
        case ItemsLeft():
            return _items_left(snapshot, signal)
        case Suspended():
            return _suspended(snapshot, signal)
        case TimerFired() | Decided() | EventArrived() | ChildEnded():
            return suspending.answered(snapshot, signal)
        case Started():
            return _started(snapshot, signal)
        case Lost():
            return _lost(snapshot, signal)
        case _:
            return _turned(snapshot, signal)


def _turned(snapshot: Snapshot, signal: Turning) -> Step | None:
    """What concerns the run as a whole."""
    match signal:
        case CancelRequested():
            return _cancel_requested(snapshot, signal)
        case Stopped():
            return _stopped(snapshot)
        case Resumed():
            return _resumed(snapshot, signal)
        case Rearranged():
            return _rearranged(snapshot, signal)
        case _:
            assert_never(signal)


def _started(snapshot: Snapshot, signal: Started) -> Step | None:
    if snapshot.revision:
        return None
    began = Began(
        input=signal.input,
        session=signal.session,
        source=signal.source,
        limits=signal.limits,
        parent=signal.parent,
        depth=signal.depth,
        fresh=signal.fresh,
    )
    started = Event(kind="run_started")
    if not (signal.standing or signal.unwanted):
        return settle(snapshot, (began,), START, {"main": signal.input}, (started,))
    unwanted = (Skipped(nodes=signal.unwanted, why=UNWANTED),) if signal.unwanted else ()
    facts = (began, *signal.standing, *unwanted)
    ahead = snapshot.fork()
    ahead.apply(facts)
    return go_on(ahead, facts, started)


def _succeeded(snapshot: Snapshot, signal: Succeeded) -> Step | None:
    if not _current(snapshot, signal.activation, signal.attempt):
        return None
    done = Done(
        activation=signal.activation,
        outputs=signal.outputs,
        attempt=signal.attempt,
        milliseconds=signal.milliseconds,
        items=signal.items,
        failures=signal.failures,
        how=signal.how,
    )
    node = node_of(signal.activation)
    return settle(snapshot, (done,), node, signal.outputs, (Event(kind="node_succeeded", node=node),))


def _failed(snapshot: Snapshot, signal: Failed) -> Step | None:
    if not _current(snapshot, signal.activation, signal.attempt):
        return None
    if signal.retry_in is not None:
        return _retrying(snapshot, signal.activation, signal.retry_in, signal.error)
    broke = Broke(
        activation=signal.activation,
        attempt=signal.attempt,
        error=signal.error,
        milliseconds=signal.milliseconds,
        partial=signal.partial,
    )
    return broken(snapshot, broke)


def _items_left(snapshot: Snapshot, signal: ItemsLeft) -> Step | None:
    if not _current(snapshot, signal.activation, signal.attempt):
        return None
    return _retrying(snapshot, signal.activation, signal.retry_in, signal.error)


def _suspended(snapshot: Snapshot, signal: Suspended) -> Step | None:
    if not _current(snapshot, signal.activation, signal.attempt):
        return None
    return suspending.suspended(snapshot, signal)


def _lost(snapshot: Snapshot, signal: Lost) -> Step | None:
    if snapshot.cancelling or signal.activation not in snapshot.live or signal.activation in snapshot.waits:
        return None
    error = ErrorInfo(type="Lost", message=GIVEN_UP % signal.times)
    attempt = snapshot.live[signal.activation]
    return broken(snapshot, Broke(activation=signal.activation, attempt=attempt, error=error))


def _cancel_requested(snapshot: Snapshot, signal: CancelRequested) -> Step | None:
    if snapshot.status in FINISHED or snapshot.cancelling or not snapshot.revision:
        return None
    return Step(
        delta=(Cancelling(who=signal.who, reason=signal.reason),),
        status=snapshot.status,
        events=(Event(kind="run_cancelling", detail={"who": signal.who, "reason": signal.reason}),),
    )


def _stopped(snapshot: Snapshot) -> Step | None:
    if not snapshot.cancelling:
        return None
    return ended((), RunStatus.CANCELLED, snapshot.reason or "cancelled", ())


def _resumed(snapshot: Snapshot, signal: Resumed) -> Step | None:
    if snapshot.status not in (RunStatus.FAILED, RunStatus.CANCELLED):
        return None
    reopened = Reopened(who=signal.who, digest=signal.digest, was=signal.was)
    ahead = snapshot.fork()
    ahead.apply((reopened,))
    return go_on(ahead, (reopened,), Event(kind="run_resumed", detail={"who": signal.who}))


def _rearranged(snapshot: Snapshot, signal: Rearranged) -> Step | None:
    """What has succeeded never changes, except in a session."""
    settled = snapshot.status is RunStatus.SUCCEEDED and not snapshot.session
    if settled or snapshot.cancelling or not snapshot.revision:
        return None
    reopened = Reopened(who=signal.who, digest=signal.digest, was=signal.was)
    skipped = tuple(Skipped(nodes=nodes, why=why) for why, nodes in signal.skipped.items())
    facts = (reopened, *signal.standing, *skipped)
    ahead = snapshot.fork()
    ahead.apply(facts)
    return go_on(ahead, facts, Event(kind="run_rearranged", detail={"who": signal.who}))


def _current(snapshot: Snapshot, activation: ActivationId, attempt: int) -> bool:
    """Whether a result for this attempt is still wanted."""
    suspended = activation in snapshot.waits
    return not (snapshot.cancelling or suspended) and snapshot.live.get(activation) == attempt


def _retrying(snapshot: Snapshot, activation: ActivationId, delay: float, error: ErrorInfo) -> Step:
    attempt = snapshot.live[activation]
    retrying = Retrying(activation=activation, attempt=attempt + 1, delay=delay, error=error)
    detail = {"attempt": attempt, "delay": delay, "error": error.message}
    return Step(
        delta=(retrying,),
        retry_in=delay,
        status=unfinished(len(snapshot.live), len(snapshot.delayed | {activation})),
        events=(Event(kind="node_retrying", node=node_of(activation), detail=detail),),
    )

"""What follows in a run when a node has to wait for the world, and when the world answers."""

from __future__ import annotations

from codemation.core.facts import Answered, Due, Waiting
from codemation.core.ids import START, activation_id, node_of
from codemation.core.settling import Step, ended, unfinished
from codemation.core.signals import Answering, Event, Suspended
from codemation.core.snapshot import Snapshot
from codemation.core.states import FINISHED, RunStatus
from codemation.core.waits import noted


def suspended(snapshot: Snapshot, signal: Suspended) -> Step:
    """What follows when an activation is suspended; nothing stands on it before it has given its outputs."""
    waiting = Waiting(activation=signal.activation, attempt=signal.attempt, waits=tuple(map(noted, signal.waits)))
    node = node_of(signal.activation)
    return Step(
        delta=(waiting,),
        waits=signal.waits,
        status=unfinished(len(snapshot.live), len(snapshot.delayed | {signal.activation})),
        events=(Event(kind="node_waiting", node=node, detail={"waits": len(signal.waits)}),),
    )


def answered(snapshot: Snapshot, signal: Answering) -> Step | None:
    """What follows when the world answers; an answer that nobody waits for (any more) is silence."""
    activation = signal.activation
    if activation == _GIVEN:
        return _timed_out(snapshot)
    waits = snapshot.waits.get(activation, {})
    if snapshot.cancelling or signal.wait not in waits:
        return None
    answer, node = Answered(activation=activation, wait=signal.wait, answer=signal.answer), node_of(activation)
    event = Event(kind="node_answered", node=node, detail={"wait": signal.wait, "reply": signal.answer.reply})
    if len(waits) > 1:
        return Step(delta=(answer,), status=snapshot.status, events=(event,))
    due = Due(activations=(activation,))
    return Step(
        delta=(answer, due),
        due=(activation,),
        status=RunStatus.RUNNING,
        events=(event, Event(kind="node_due", node=node)),
    )


def _timed_out(snapshot: Snapshot) -> Step | None:
    """What follows when the time of the run as a whole is over; what is under way is not wanted any more."""
    if snapshot.cancelling or snapshot.status in FINISHED:
        return None
    due = ", ".join(f'"{node}"' for node in dict.fromkeys(node_of(one) for one in snapshot.live))
    return ended((), RunStatus.FAILED, f"it was not over within the timeout of its workflow; {due} had not ended", ())


_GIVEN = activation_id(START)

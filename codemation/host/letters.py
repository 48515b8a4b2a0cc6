"""What lies in inboxes: letters, and the signals that they hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from codemation.core.ids import ActivationId, RunId
from codemation.core.items import Batch
from codemation.core.ports import Letter, OpenWait
from codemation.core.signals import ChildEnded, Decided, EventArrived, Lost, Signal, TimerFired
from codemation.core.states import RunStatus


def read_letter(letter: Letter) -> Signal:
    """The signal that a letter holds.

    Raises:
        ValueError: this release knows no such signal.
    """
    body = json.loads(letter.body)
    read = _READERS.get(body.get("kind"))
    if read is None:
        raise ValueError(f"the inbox holds a signal that this release does not know: {body.get('kind')!r}")
    return read(body, letter.at)


def decision_letter(activation: ActivationId, wait: str, *, approved: bool, decision: Any, who: str) -> str:
    """The letter of somebody who has approved or rejected."""
    body = {"kind": "Decided", "activation": activation, "wait": wait, "approved": approved}
    return json.dumps({**body, "decision": decision, "who": who})


def ended_letter(wait: OpenWait, child: RunId, status: RunStatus, reason: str) -> str:
    """The letter that says how a child has ended."""
    body = {"kind": "ChildEnded", "activation": wait.activation, "wait": wait.wait, "child": child}
    return json.dumps({**body, "status": status.value, "reason": reason})


def _lost(body: Mapping[str, Any], _: float) -> Signal:
    return Lost(activation=body["activation"], times=body["times"])


def _timer_fired(body: Mapping[str, Any], at: float) -> Signal:
    return TimerFired(activation=body["activation"], wait=body["wait"], at=at)


def _decided(body: Mapping[str, Any], at: float) -> Signal:
    return Decided(
        activation=body["activation"],
        wait=body["wait"],
        approved=body["approved"],
        decision=body["decision"],
        who=body["who"],
        at=at,
    )


def _event_arrived(body: Mapping[str, Any], _: float) -> Signal:
    return EventArrived(
        activation=body["activation"],
        wait=body["wait"],
        event=body["event"],
        payload=body["payload"],
        at=body["at"],
    )


def _child_ended(body: Mapping[str, Any], at: float) -> Signal:
    return ChildEnded(
        activation=body["activation"],
        wait=body["wait"],
        child=body["child"],
        status=body["status"],
        outputs={port: Batch(**batch) for port, batch in body.get("outputs", {}).items()},
        reason=body.get("reason", ""),
        at=at,
    )


_READERS: Mapping[Any, Callable[[Mapping[str, Any], float], Signal]] = {
    "Lost": _lost,
    "TimerFired": _timer_fired,
    "Decided": _decided,
    "EventArrived": _event_arrived,
    "ChildEnded": _child_ended,
}

"""The stages of a run and of a node, and the table of what may follow what; code, docs and tests read it from here."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class RunStatus(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    """Accepted; nothing has been recorded since."""
    RUNNING = "running"
    """There is work that somebody does or may claim."""
    WAITING = "waiting"
    """Nothing can be done before a time has come or the world has answered."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class NodeStatus(StrEnum):
    """Where a node of a run stands; who works on it is the ticket's business, not the run's."""

    DUE = "due"
    """Its inputs are in; it may be claimed or is being worked on."""
    WAITING = "waiting"
    """It failed and will be tried again when its delay is over, or it waits for the world."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Nothing reached it."""


_S = RunStatus
_ANSWERS = ("TimerFired", "Decided", "EventArrived", "ChildEnded")
_ANEW = frozenset({_S.RUNNING, _S.SUCCEEDED})
TRANSITIONS: Mapping[RunStatus, Mapping[str, frozenset[RunStatus]]] = MappingProxyType(
    {
        _S.QUEUED: {"Started": _ANEW | {_S.FAILED}},
        _S.RUNNING: {
            "Succeeded": frozenset({_S.RUNNING, _S.WAITING, _S.SUCCEEDED, _S.FAILED}),
            "Failed": frozenset({_S.RUNNING, _S.WAITING, _S.FAILED}),
            "ItemsLeft": frozenset({_S.RUNNING, _S.WAITING}),
            "Suspended": frozenset({_S.RUNNING, _S.WAITING}),
            **dict.fromkeys(_ANSWERS, frozenset({_S.RUNNING})),
            "TimerFired": frozenset({_S.RUNNING, _S.FAILED}),
            "Lost": frozenset({_S.RUNNING, _S.WAITING, _S.FAILED}),
            "Rearranged": _ANEW,
            "CancelRequested": frozenset({_S.RUNNING}),
            "Stopped": frozenset({_S.CANCELLED}),
        },
        _S.WAITING: {
            "Succeeded": frozenset({_S.RUNNING, _S.WAITING, _S.SUCCEEDED, _S.FAILED}),
            "Failed": frozenset({_S.WAITING, _S.FAILED}),
            "ItemsLeft": frozenset({_S.WAITING}),
            "Suspended": frozenset({_S.WAITING}),
            **dict.fromkeys(_ANSWERS, frozenset({_S.RUNNING, _S.WAITING})),
            "TimerFired": frozenset({_S.RUNNING, _S.WAITING, _S.FAILED}),
            "Lost": frozenset({_S.WAITING, _S.FAILED}),
            "Rearranged": _ANEW,
            "CancelRequested": frozenset({_S.WAITING}),
            "Stopped": frozenset({_S.CANCELLED}),
        },
        _S.SUCCEEDED: {"Rearranged": _ANEW},
        _S.FAILED: {"Resumed": _ANEW | {_S.FAILED}, "Rearranged": _ANEW},
        _S.CANCELLED: {"Resumed": _ANEW, "Rearranged": _ANEW},
    }
)
"""status → signal → what the run may be afterwards."""

FINISHED = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED})

GIVEN_UP = "the process that worked on it died %s times; it was taken out of service"
"""What is said of work that nobody survives."""

"""How far a node has come in one run: what is written over its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from codemation.core.durations import readable
from codemation.views.lettering import compact, one_line


class NodeStatus(StrEnum):
    """Where a node stands in a run."""

    PENDING = "pending"
    """What it waits for has not all reported."""
    DUE = "due"
    """Ready, and not taken by a worker yet."""
    RUNNING = "running"
    WAITING = "waiting"
    """For a retry, a time, a decision or an event."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Nothing reached it."""
    CANCELLED = "cancelled"

    @property
    def glyph(self) -> str:
        """One character that tells the status without colour."""
        return _GLYPHS[self][0]

    @property
    def ascii_glyph(self) -> str:
        """The same where only ASCII can be shown."""
        return _GLYPHS[self][1]


_GLYPHS = {
    NodeStatus.PENDING: ("·", "."),
    NodeStatus.DUE: ("○", "o"),
    NodeStatus.RUNNING: ("▶", ">"),
    NodeStatus.WAITING: ("‖", "="),
    NodeStatus.SUCCEEDED: ("✓", "+"),
    NodeStatus.FAILED: ("✗", "x"),
    NodeStatus.SKIPPED: ("–", "-"),
    NodeStatus.CANCELLED: ("■", "#"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeMark:
    """What is known of a node in one run."""

    status: NodeStatus
    counts: Mapping[str, int] = field(default_factory=dict)
    """Items that each output port has given."""
    error: str = ""
    """One line: what went wrong, or what it waits for."""
    seconds: float | None = None
    how: str = ""
    """How it came to stand so if it was not executed: `pinned`, `cached`, `taken over`."""

    @property
    def caption(self) -> str:
        """The mark in a few words."""
        items = compact(sum(self.counts.values())) if self.counts else ""
        took = readable(self.seconds) if self.seconds is not None else ""
        error = one_line(self.error)
        match self.status:
            case NodeStatus.SUCCEEDED | NodeStatus.RUNNING:
                said = [took or self.how, items] if took or items or self.how else [self.status.value]
            case NodeStatus.FAILED | NodeStatus.WAITING:
                said = [error or self.status.value]
            case NodeStatus.PENDING | NodeStatus.DUE | NodeStatus.SKIPPED | NodeStatus.CANCELLED:
                said = [self.status.value]
            case _:
                assert_never(self.status)
        return " · ".join(part for part in said if part)

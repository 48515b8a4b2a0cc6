"""What runs and their nodes wait for, in words and in rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from codemation.core.ids import NodeId
from codemation.core.mistakes import listed
from codemation.core.ports import RunRow
from codemation.core.snapshot import Snapshot
from codemation.core.states import RunStatus
from codemation.core.waits import Wait
from codemation.host.naming import short
from codemation.views.marks import NodeStatus
from codemation.views.runs import NodeRow, WaitRow

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.asking import RunWait

SHOWN = 1000
"""Waits of a run that are shown."""
NAMED = 5
"""Runs that are named to whom they are in the way of."""
_MANY = {"approval": "decisions", "event": "events", "child": "runs", "timer": "times"}


def waits_in_words(snapshot: Snapshot, node: NodeId) -> str:
    """What a node waits for; nothing if it does not, or for a retry."""
    record = snapshot.nodes.get(node)
    waits = list(snapshot.waits.get(record.activation, {}).values()) if record is not None else []
    return f"for {_words(waits)}" if waits else ""


def wait_rows(waits: Sequence[RunWait]) -> tuple[WaitRow, ...]:
    """What a run waits for, as far as it is shown."""
    return tuple(
        WaitRow(node=wait.node, item=wait.item, what=what_of(wait), to=wait.to, due_at=wait.due_at)
        for wait in waits[:SHOWN]
    )


def what_of(wait: RunWait) -> str:
    """What is waited for, in a line."""
    about = {"timer": "a time", "event": f"event {wait.event}", "child": "another run"}
    return about.get(wait.kind, wait.title or "a decision")


def with_times(rows: Sequence[NodeRow], waits: Sequence[RunWait]) -> list[NodeRow]:
    """The rows of nodes, those that wait with the first time that is over."""
    times: dict[NodeId, datetime] = {}
    for wait in waits:
        if wait.due_at is not None:
            times[wait.node] = min(wait.due_at, times.get(wait.node, wait.due_at))
    return [
        replace(row, error=_until(row.error, times[row.id]))
        if row.status is NodeStatus.WAITING and row.error and row.id in times
        else row
        for row in rows
    ]


def _until(words: str, due: datetime) -> str:
    until = f"until {due.astimezone():%Y-%m-%d %H:%M}"
    return until if words == "for a time" else f"{words}, {until}"


def run_in_words(snapshot: Snapshot) -> str:
    """What a run waits for that only the world can bring further."""
    nodes = [node for node, record in snapshot.nodes.items() if record.activation in snapshot.waits]
    said = [f'"{node}" waits {waits_in_words(snapshot, node)}' for node in nodes]
    return "; ".join(said)


def turn_in_words(app: App, row: RunRow) -> str:
    """Whose end a queued run waits for, and how many are before it; nothing for any other run."""
    if row.status is not RunStatus.QUEUED or row.turnstile is None:
        return ""
    rows = app.stores.turnstiles.at(row.turnstile)
    inside = [short(one.id) for one in rows if one.status is not RunStatus.QUEUED]
    queued = [one.id for one in rows if one.status is RunStatus.QUEUED]
    if not inside or row.id not in queued:
        return "waits for its turn"
    more = [f"{len(inside) - NAMED} more"] if len(inside) > NAMED else []
    before = queued.index(row.id)
    behind = f", behind {before} other{'s' if before > 1 else ''}" if before else ""
    return f"waits for the end of {listed([*inside[:NAMED], *more])}{behind}"


def _words(waits: Sequence[Wait]) -> str:
    first, who = waits[0], sorted({name for wait in waits for name in map(str, wait.detail.get("to", ()))})
    of = f" of {listed(who)}" if who else ""
    if len(waits) > 1:
        name = f' "{first.wakes.partition(":")[0]}"' if first.kind == "event" else ""
        return f"{len(waits)} {_MANY[first.kind]}{name}{of}"
    match first.kind:
        case "approval":
            title = first.detail.get("title")
            return f"a decision{of}" + (f": {title}" if title else "")
        case "event":
            return f"the event {first.wakes}"
        case "child":
            return "another run"
        case _:
            return "a time"

"""What a node waits for, in words: from what the run itself knows, without a look at the live tickets."""

from __future__ import annotations

from collections.abc import Sequence

from codemation.core.ids import NodeId
from codemation.core.mistakes import listed
from codemation.core.snapshot import Snapshot
from codemation.core.waits import Wait

_MANY = {"approval": "decisions", "event": "events", "child": "runs", "timer": "times"}


def waits_in_words(snapshot: Snapshot, node: NodeId) -> str:
    """What a node waits for; nothing if it does not, or for a retry."""
    record = snapshot.nodes.get(node)
    waits = list(snapshot.waits.get(record.activation, {}).values()) if record is not None else []
    return f"for {_words(waits)}" if waits else ""


def run_in_words(snapshot: Snapshot) -> str:
    """What a run waits for that only the world can bring further."""
    nodes = [node for node, record in snapshot.nodes.items() if record.activation in snapshot.waits]
    said = [f'"{node}" waits {waits_in_words(snapshot, node)}' for node in nodes]
    return "; ".join(said)


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

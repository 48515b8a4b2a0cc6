"""Why each node of a run ran, will run, or does not, from what the run knows."""

from __future__ import annotations

from codemation.core.explaining import Reasons, Why
from codemation.core.ids import START, NodeId
from codemation.core.knowledge import Knowledge
from codemation.core.record import NodeRecord
from codemation.core.standing import PINNED, UNWANTED
from codemation.core.states import FINISHED, NodeStatus


def reasons(run: Knowledge) -> Reasons:
    """The answers for all nodes, sources first."""
    nodes = sorted(run.plan.nodes, key=run.plan.rank.__getitem__)
    return Reasons({node: why(run, node) for node in nodes if node != START})


def why(run: Knowledge, node: NodeId) -> Why:
    """The answer for one node."""
    record = run.nodes.get(node)
    if record is None:
        return _unreached(run, node)
    what, because = _STATES[record.status](run, node, record)
    return Why(node=node, what=what, because=because)


def how(record: NodeRecord) -> str:
    """How a node came to stand as done if it was not executed, in a word or two."""
    kind = record.how.partition(":")[0]
    return {PINNED: "pinned", "cached": "cached", "run": "taken over"}.get(kind, "")


def _unreached(run: Knowledge, node: NodeId) -> Why:
    missing = [one for one in run.plan.awaits[node] if not run.reported(one)]
    broken = [one for one in missing if one in run.nodes and run.nodes[one].status is NodeStatus.FAILED]
    if broken:
        return Why(node=node, what="not reached", because=f"{_named(broken)} failed")
    if run.status in FINISHED:
        return Why(node=node, what="not reached", because=f"the run is {run.status}")
    again = "what it gave was taken back, and " if node in run.stale else ""
    return Why(node=node, what="will run", because=f"{again}it waits for {_named(missing)}")


def _succeeded(run: Knowledge, node: NodeId, record: NodeRecord) -> tuple[str, str]:
    kind, _, source = record.how.partition(":")
    if record.how == PINNED:
        pin = run.pins.get(node)
        words = [] if pin is None else [pin.origin, pin.by and f"by {pin.by}", pin.at and f"at {pin.at}"]
        return "pinned", " ".join(word for word in words if word)
    if kind == "cached":
        return "cached", f"code, configuration and inputs are those of run {source}"
    if kind == "run":
        return "taken over", f"from run {source}"
    before = _named(run.plan.awaits[node])
    tries = f"; it was tried {record.attempt} times" if record.attempt > 1 else ""
    if any(not one.ordering for one in run.plan.nodes[node].inputs):
        return "ran", f"{before} had given {_items(record.items)}{tries}"
    return "ran", f"it takes no items, and had to come after {before} only{tries}"


def _skipped(run: Knowledge, node: NodeId, record: NodeRecord) -> tuple[str, str]:
    if record.how == UNWANTED:
        return "skipped", UNWANTED
    return "skipped", f"nothing came from {_named(run.plan.awaits[node])}"


def _failed(_run: Knowledge, _node: NodeId, record: NodeRecord) -> tuple[str, str]:
    error = record.error
    said = "" if error is None else f"{error.type}: {error.message}"
    tries = f" (try {record.attempt})" if record.attempt > 1 else ""
    return "failed", said + tries


def _due(run: Knowledge, node: NodeId, _record: NodeRecord) -> tuple[str, str]:
    if run.status in FINISHED:
        return "not reached", f"the run is {run.status}"
    again = "; what it gave before was taken back" if node in run.stale else ""
    return "due", f"all has come that it waits for{again}"


def _waiting(run: Knowledge, _node: NodeId, record: NodeRecord) -> tuple[str, str]:
    if run.status in FINISHED:
        return "not reached", f"the run is {run.status}"
    if record.activation in run.waits:
        return "waits", f"for {len(run.waits[record.activation])} answers of the world"
    error = "" if record.error is None else f"{record.error.type}: {record.error.message}; "
    return "waits", f"{error}try {record.attempt} comes"


_STATES = {
    NodeStatus.SUCCEEDED: _succeeded,
    NodeStatus.SKIPPED: _skipped,
    NodeStatus.FAILED: _failed,
    NodeStatus.DUE: _due,
    NodeStatus.WAITING: _waiting,
}


def _named(nodes: tuple[NodeId, ...] | list[NodeId]) -> str:
    names = [f'"{node}"' if node != START else "the input" for node in nodes]
    return ", ".join(names) or "nothing"


def _items(count: int) -> str:
    return f"{count} item{'' if count == 1 else 's'}"

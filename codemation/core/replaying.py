"""What may stand in a run, or in a new one, of what was recorded before: the one rule behind every way to go back.

What a node has given stands as long as the node is what it was, and what it was given stands too. Going back, beginning
again at a node, an edit, a pin and a replay differ in which nodes they touch, and in where the records come from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from codemation.core.definition import Plan
from codemation.core.ids import START, NodeId
from codemation.core.items import Batch
from codemation.core.knowledge import Knowledge
from codemation.core.record import NodeRecord
from codemation.core.signals import Rearranged
from codemation.core.standing import PINNED, UNWANTED, Cleared, Standing, Taken
from codemation.core.states import NodeStatus

Records = Mapping[NodeId, NodeRecord]
Pins = Mapping[NodeId, Mapping[str, Batch]]
"""What nodes give without being executed, by port."""


def what_stands(past: Knowledge, plan: Plan, pins: Pins, touched: Collection[NodeId]) -> dict[NodeId, NodeRecord]:
    """The records of `past` that hold in a run that goes by `plan` with these pins; those of pinned nodes apart.

    A loop stands as a whole or not at all.
    """
    standing = _standing(past, plan, pins, touched)
    loops = [{gate, *loop.body} - {*pins, *unwanted(plan, pins)} for gate, loop in plan.loops.items()]
    broken = {node for loop in loops if not loop <= standing.keys() for node in loop}
    return standing if broken.isdisjoint(standing) else what_stands(past, plan, pins, {*touched, *broken})


def _standing(past: Knowledge, plan: Plan, pins: Pins, touched: Collection[NodeId]) -> dict[NodeId, NodeRecord]:
    standing: dict[NodeId, NodeRecord] = {}
    for node in sorted(plan.nodes, key=plan.rank.__getitem__):
        record = past.nodes.get(node)
        if record is None or node in pins or node in touched or not past.reported(node):
            continue
        if record.how in (PINNED, UNWANTED):
            continue
        if all(_given(source, standing, pins) == _gave(past, source) for source in plan.awaits[node]):
            standing[node] = record
    return standing


def unwanted(plan: Plan, pinned: Collection[NodeId], targets: Collection[NodeId] = ()) -> tuple[NodeId, ...]:
    """The nodes that need not be executed, because only pinned nodes stand on them, or none of the targets does.

    Without targets all is wanted that nothing stands on, and whatever the workflow gives.
    """
    frontier = list(targets) if targets else [node for node in plan.nodes if plan.is_last(node)]
    wanted = set(frontier)
    while frontier:
        node = frontier.pop()
        if node in pinned:
            continue
        for before in (*plan.awaits[node], *(plan.loops[node].returns if node in plan.loops else ())):
            if before not in wanted:
                wanted.add(before)
                frontier.append(before)
    return tuple(node for node in plan.nodes if node not in wanted and node not in pinned and node != START)


def rearranged(now: Knowledge, plan: Plan, standing: Records, pins: Pins, to: int = 0) -> Rearranged:
    """The signal after which of all nodes that are not pinned just these stand, and those that nobody needs are out.

    What has begun and not ended is left as it is, if what it was given stands.
    """
    out = [node for node in unwanted(plan, pins) if node not in standing]
    cleared = [
        node
        for node, record in now.nodes.items()
        if node in plan.nodes and node not in pins and standing.get(node) != record
        if not (_is_out(now, node) if node in out else _stays(now, plan, node, standing, pins))
    ]
    facts: list[Standing] = [Cleared(nodes=tuple(cleared), to=to)] if cleared or to else []
    skipped = defaultdict[str, list[NodeId]](list)
    for node, record in standing.items():
        if now.nodes.get(node) == record:
            continue
        if record.status is NodeStatus.SKIPPED:
            skipped[record.how].append(node)
        else:
            facts.append(taken(record))
    skipped[UNWANTED] += [node for node in out if not _is_out(now, node)]
    return Rearranged(standing=tuple(facts), skipped={why: tuple(nodes) for why, nodes in skipped.items() if nodes})


def taken(record: NodeRecord, outputs: Mapping[str, Batch] | None = None, how: str | None = None) -> Taken:
    """The fact that a node stands as a record says; with other references to the same outputs, if they are given."""
    return Taken(
        activation=record.activation,
        outputs=record.outputs if outputs is None else outputs,
        how=record.how if how is None else how,
        attempt=record.attempt,
        milliseconds=record.milliseconds,
        items=record.items,
        failures=record.failures,
    )


def downstream(plan: Plan, nodes: Collection[NodeId], pinned: Collection[NodeId] = ()) -> set[NodeId]:
    """All that stands on these nodes, they included; a pinned node stands on nothing."""
    found, frontier = set(nodes), list(nodes)
    while frontier:
        for after in plan.followers.get(frontier.pop(), ()):
            if after not in found and after not in pinned:
                found.add(after)
                frontier.append(after)
    return found


def with_outputs(records: Records, renamed: Callable[[Batch], Batch]) -> dict[NodeId, NodeRecord]:
    """The records with other references."""
    return {
        node: replace(record, outputs={port: renamed(batch) for port, batch in record.outputs.items()})
        for node, record in records.items()
    }


def _stays(now: Knowledge, plan: Plan, node: NodeId, standing: Records, pins: Pins) -> bool:
    """Whether what has been begun of a node, and not ended, is left as it is."""
    going_round = any(node == gate or node in plan.loops[gate].body for gate in now.rounds if gate in plan.loops)
    if now.reported(node) or going_round:  # a loop under way begins anew as a whole
        return False
    return all(_given(source, standing, pins) == _gave(now, source) for source in plan.awaits[node])


def _is_out(now: Knowledge, node: NodeId) -> bool:
    record = now.nodes.get(node)
    return record is not None and record.how == UNWANTED


def _given(source: NodeId, standing: Records, pins: Pins) -> Mapping[str, Batch] | None:
    """What a node gives to those that stand on it; `None` if nothing is known of it."""
    if source in pins:
        return pins[source]
    record = standing.get(source)
    return None if record is None else record.outputs


def _gave(past: Knowledge, source: NodeId) -> Mapping[str, Batch]:
    return past.outputs(source)

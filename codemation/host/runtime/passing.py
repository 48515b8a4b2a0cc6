"""Batches of which a node gives back what it took: as it came, or some of it in another order."""

from __future__ import annotations

from dataclasses import replace

from codemation.core.errors import NodeError
from codemation.core.ids import ERROR, MAIN
from codemation.core.inputs import Given
from codemation.core.items import Item
from codemation.core.tables import Derived
from codemation.host.runtime.activity import Activity, Performed


def passed_on(activity: Activity, given: Given, port: str = MAIN) -> Performed:
    """The very batch that reached the node, if it was one."""
    wanted = activity.node.inputs[0]
    held = [activity.run.snapshot.output(source.node, source.port) for source in wanted.sources]
    filled = [batch for batch in held if batch.size]
    if len(filled) == 1:
        return activity.success({port: filled[0]}), None
    outputs = activity.outputs()
    outputs.emit((port, item) for item in activity.fetcher.wrapped(given))
    return activity.succeeded(outputs, activity.fetcher.items(given).scope)


def part_passed_on(activity: Activity, given: Given) -> Performed:
    """A part of the batch that reached the node; the whole of it is passed on by reference if no part fails."""
    outputs = activity.outputs()
    if activity.node.policy.on_error != "fail":
        outputs.emit((MAIN, item) for item in activity.fetcher.wrapped(given))
    return activity.succeeded(outputs)


def derived(activity: Activity, value: Derived, given: Given | None) -> Performed:
    """A table whose node says where its rows came from, and which did not become one.

    Raises:
        NodeError: there are such, and the node is to fail then.
    """
    policy = activity.node.policy.on_error
    if value.failures and policy == "fail":
        first, many = value.failures[0], len(value.failures)
        more = f" (and {many - 1} more)" if many > 1 else ""
        raise NodeError(f"{first.error}{more}", way_out='on_error="drop" goes on without, on_error="port" routes them')
    outputs = activity.outputs()
    if policy == "port":
        outputs.emit((ERROR, Item(replace(failure, node=activity.node.id))) for failure in value.failures)
    if value.same and given is not None and value.rows is not None:
        whole = len(value.rows) == given.count and all(row == at for at, row in enumerate(value.rows))
        if whole and not value.failures and activity.shard is None:
            return passed_on(activity, given)
        if given.items is not None:
            items = activity.fetcher.wrapped(given)
            outputs.emit((MAIN, replace(items[row], origins=())) for row in value.rows)
            return activity.succeeded(outputs, failures=len(value.failures))
    outputs.packed[MAIN] = activity.bench.tables.pack(value)
    return activity.succeeded(outputs, failures=len(value.failures))

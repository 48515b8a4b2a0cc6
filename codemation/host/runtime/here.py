"""One call of a node's code in the thread that asks, with what it would be given; nothing is recorded."""

from __future__ import annotations

import inspect
from typing import Any

from codemation.core.errors import RunError
from codemation.core.inputs import Given, each, taken
from codemation.host.runtime.activity import Activity
from codemation.host.runtime.batchwise import computed_of
from codemation.host.runtime.calling import handed, outcome
from codemation.host.runtime.contexts import context_of
from codemation.host.runtime.itemwise import asking


def call_here(activity: Activity, item: int | None) -> Any:
    """What the code gives; of a node that is called once per item, for the item at this position, by default the first.

    Raises:
        RunError: the node has no code, or no such item; whatever the code raises is raised.
    """
    node = activity.node
    if not activity.has_code:
        raise RunError(f'"{node.id}" has no code to step into: it is a {node.kind}', way_out="session.step()")
    given = activity.inputs()
    first = next(iter(given.values()), None)
    if node.grain == "item" and first is not None:
        args, kwargs = _of_item(activity, given, first, item or 0)
    elif item is not None:
        raise RunError(f'"{node.id}" is called once for all items', way_out="session.step_into()")
    else:
        args, kwargs = _of_batch(activity, given, first)
    value = activity.code.function(*args, **kwargs)
    return outcome(activity.bench.loop.run(value)) if inspect.iscoroutine(value) else value


def _of_item(activity: Activity, given: dict[str, Given], first: Given, position: int) -> Any:
    data = activity.code.signature.data
    if data is None:
        raise RunError(f'the code of "{activity.node.id}" takes no item')
    items, door = each(activity.fetcher, activity.node, data, first)
    if not 0 <= position < len(items):
        raise RunError(f'"{activity.node.id}" is given {len(items)} items, and none at position {position}')
    args, kwargs, _ = asking(activity, lambda: False, data, door, given)(position, items[position])
    return args, kwargs


def _of_batch(activity: Activity, given: dict[str, Given], first: Given | None) -> Any:
    data, args = activity.code.signature.data, ()
    kwargs = activity.arguments(given, context_of(activity, lambda: False))
    if data and first:
        args, named = handed(data, taken(activity.fetcher, activity.node, data, first))
        kwargs |= named
    return args, kwargs | computed_of(activity, first)

"""Nodes that the engine executes by itself: `merge` and `join`, and what catches the failures of a piece."""

from __future__ import annotations

from codemation.core.catching import caught
from codemation.core.definition import Input, Source
from codemation.core.ids import MAIN
from codemation.core.items import Item
from codemation.core.merging import joined_by_key, merged
from codemation.host.runtime.activity import Activity, Performed


def perform_merge(activity: Activity) -> Performed:
    """Make one stream of several; tables stay a table where they are put one behind the other."""
    parts = list(activity.inputs().values())
    config = activity.node.config
    by = str(config.get("by", "append"))
    outputs = activity.outputs()
    filled = [part.table for part in parts if part.table is not None]
    if by == "append" and filled and all(part.table is not None or not part.count for part in parts):
        outputs.packed[MAIN] = activity.bench.tables.concat(filled)
        return activity.succeeded(outputs)
    names = [wanted.name for wanted in activity.node.inputs]
    one = merged(
        [activity.fetcher.items(part) for part in parts],
        by=by,
        prefer=[names.index(name) for name in config.get("prefer", ())],
        scope=activity.node.id,
        rank=activity.run.snapshot.plan.rank.__getitem__,
    )
    files = one.attachments
    outputs.emit((MAIN, Item(value, files.get(at, {}), origins=one.origin(at))) for at, value in enumerate(one.values))
    return activity.succeeded(outputs, one.scope)


def perform_join(activity: Activity) -> Performed:
    """Match several streams by key; tables by their library, everything else record by record."""
    parts = list(activity.inputs().values())
    config = activity.node.config
    on = [config["on"]] if isinstance(config["on"], str) else list(config["on"])
    outputs = activity.outputs()
    tables = [part.table for part in parts if part.table is not None]
    if len(tables) == len(parts):
        outputs.packed[MAIN] = activity.bench.tables.join(tables, on, config["how"])
    else:
        rows = joined_by_key([activity.fetcher.items(part).values for part in parts], on=on, how=config["how"])
        outputs.emit((MAIN, Item(row)) for row in rows)
    return activity.succeeded(outputs)


def perform_catch(activity: Activity) -> Performed:
    """Give what failed inside of a piece, as the items that entered it."""
    node, fetcher = activity.node, activity.fetcher
    entering = Input(
        name="entered", sources=tuple(Source(node=name, port=port) for name, port in node.config["entered"])
    )
    entered = fetcher.given(entering)
    items = fetcher.items(entered)
    failed = []
    for source in node.inputs[0].sources:
        given = fetcher.given(Input(name="failed", sources=(source,)))
        activity.items += given.count
        failed += [(fetcher.items(given).scope, item) for item in fetcher.wrapped(given)]
    outputs = activity.outputs()
    outputs.emit((MAIN, item) for item in caught(failed, fetcher.wrapped(entered), items.scope))
    return activity.succeeded(outputs, items.scope)

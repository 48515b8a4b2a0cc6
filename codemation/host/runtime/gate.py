"""The gate of a loop: lets in what leads into it, asks about what comes back, gives out everything at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from codemation.core.errors import NodeError
from codemation.core.ids import AGAIN, MAIN, NodeId
from codemation.core.inputs import joined
from codemation.core.items import Item
from codemation.core.mistakes import listed
from codemation.core.outputs import Outputs
from codemation.core.payload import StoredItems
from codemation.host.runtime.activity import Activity, Performed
from codemation.host.runtime.itemwise import ItemwisePerformance
from codemation.host.runtime.passing import passed_on

_NAMED = 10
"""So many of the items that are not done are named."""


def entered(activity: Activity) -> Performed:
    """Let round, for the first time, all that leads into the loop."""
    given = next(iter(activity.inputs().values()))
    return passed_on(activity, given, AGAIN)


class Gate(ItemwisePerformance):
    """The gate at the end of a round."""

    @staticmethod
    def is_under_way(activity: Activity) -> bool:
        """Whether the loop goes round already."""
        return activity.node.id in activity.run.snapshot.rounds

    def completed(self, outputs: Outputs, scope: NodeId) -> NodeId:
        """Put what this round gives out behind what was given out before.

        Raises:
            NodeError: items are not done after as many rounds as the loop may have.
        """
        activity, node = self.activity, self.activity.node
        rounds = activity.run.snapshot.rounds[node.id]
        if node.config["form"] == "next":  # several rounds give out what goes by the same numbers
            given = outputs.items.get(MAIN, [])
            outputs.items[MAIN] = [replace(item, origins=(*item.origins, rounds.count - 1)) for item in given]
        again = outputs.items.get(AGAIN)
        if again and rounds.count >= node.config["max"]:
            raise _endless(node.id, rounds.count, again)
        earlier = [activity.fetcher.stored(node.id, one) for one in (rounds.joined_next if again else rounds.kept)]
        items = outputs.items.get(MAIN, [])
        if not earlier or (again and not items):
            return scope
        outputs.parents.pop(MAIN, None)  # most of it was made of what came in earlier rounds
        if again:
            outputs.items[MAIN] = [*_items(earlier), *items]
            return scope
        latest = StoredItems(
            values=[item.value for item in items],
            scope=scope,
            origins=[item.origins for item in items],
            attachments={at: item.attachments for at, item in enumerate(items) if item.attachments},
        )
        one = joined([*earlier, latest] if items else earlier, activity.run.snapshot.plan.rank.__getitem__)
        outputs.items[MAIN] = _items([one])
        return one.scope


def _items(parts: Sequence[StoredItems]) -> list[Item[Any]]:
    return [
        Item(value, part.attachments.get(at, {}), origins=part.origin(at))
        for part in parts
        for at, value in enumerate(part.values)
    ]


def _endless(node: NodeId, rounds: int, again: Sequence[Item[Any]]) -> NodeError:
    places = [".".join(map(str, item.origins)) for item in again[:_NAMED]]
    more = [f"{len(again) - _NAMED} more"] if len(again) > _NAMED else []
    what = f"item {places[0]} is" if len(again) == 1 else f"{len(again)} items (number {listed([*places, *more])}) are"
    times = "once" if rounds == 1 else f"{rounds} times"
    return NodeError(
        f'"{node}" has gone round {times}, as often as it may, and {what} not done',
        way_out="see why they do not come to an end, or allow more rounds: max=…",
    )

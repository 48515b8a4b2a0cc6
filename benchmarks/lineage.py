"""What lineage adds: finding and writing the parents of the items that a per-item node gave, beside all else.

    python -m benchmarks.lineage

Both ways collect and encode the same items with the same code; one of them is not told which item each was made from.
Processor time, taken in turns, the least of all rounds: others on the machine make it only longer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from codemation.core.definition import NodeKind, NodePlan
from codemation.core.ids import MAIN, NodeId
from codemation.core.items import Item
from codemation.core.outputs import Outputs
from codemation.core.payload import without_collecting
from codemation.host.tables import ArrowTables

ROUNDS = 15


def main() -> None:
    """Print the figures."""
    for size in (1_000, 100_000):
        for what, items in _given(size):
            times: dict[str, list[float]] = {"with": [], "without": []}
            sizes: dict[str, int] = {}
            for _ in range(ROUNDS):
                for way, taken in times.items():
                    seconds, sizes[way] = _encoded(items, told=way == "with")
                    taken.append(seconds)
            with_it, without = (min(times[way]) * 1000 for way in ("with", "without"))
            print(
                f"{what}, {size:,} items: {with_it:.2f} ms with, {without:.2f} ms without "
                f"(+{(with_it - without) * 1_000_000 / size:.0f} ns an item), "
                f"{sizes['with'] - sizes['without']:,} bytes more of {sizes['without']:,}"
            )


def _given(size: int) -> Iterator[tuple[str, list[Item[object]]]]:
    """What a map gives, what a filter gives that keeps every other item, and another one behind that filter."""
    rows = [{"id": at, "name": f"item {at}", "late": at % 2 == 1} for at in range(size)]
    yield "map", [Item(row, key=f"before:{at}", origins=(at,)) for at, row in enumerate(rows)]
    yield "filter", [Item(row, key=f"before:{2 * at}", origins=(2 * at,)) for at, row in enumerate(rows)]
    yield "map after a filter", [Item(row, key=f"before:{at}", origins=(2 * at,)) for at, row in enumerate(rows)]
    yield "filter after a filter", [Item(row, key=f"before:{2 * at}", origins=(4 * at,)) for at, row in enumerate(rows)]


def _encoded(items: list[Item[object]], *, told: bool) -> tuple[float, int]:
    plan = NodePlan(id=NodeId("node"), kind=NodeKind.MAP, grain="item", inputs=())
    outputs = Outputs(plan, ArrowTables())
    given: list[list[tuple[str, Item[object]]]] = [[] for _ in range(int(items[-1].key.rpartition(":")[2]) + 1)]
    for item in items:
        given[int(item.key.rpartition(":")[2])].append((MAIN, item))
    with without_collecting():
        began = time.process_time()
        if told:
            outputs.emit_each(given)
        else:
            outputs.emit(emitted for one in given for emitted in one)
        encoded = outputs.encoded(NodeId("before"))
        taken = time.process_time() - began
    return taken, len(encoded[MAIN][0])


if __name__ == "__main__":
    main()

"""From what a port held to what a function is given; most of it is shown by whole runs in tests/host/runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import polars as pl
import pytest
from pydantic import BaseModel, Field

from codemation.core.errors import ContractError
from codemation.core.ids import START, NodeId, activation_id
from codemation.core.inputs import Door, Fetcher, Given, adapter, each, taken
from codemation.core.items import Attachment, Batch
from codemation.core.nodeplan import Input, Source
from codemation.core.payload import StoredItems, encode_items
from codemation.core.record import NodeRecord
from codemation.core.signature import Parameter, Shape
from codemation.core.snapshot import Snapshot
from codemation.core.states import NodeStatus
from codemation.host.tables import ArrowTables
from tests.core.test_definition import defined, node

FLOW = defined(node("a", "start"), node("b", "start"), node("c", "a", "b"))
PLAN = FLOW.nodes[3]


class Order(BaseModel):
    id: int


@dataclass
class Point:
    x: int


class Unknown:
    """A class that pydantic knows nothing of."""


def parameter(shape: Shape, kind: Any, *, wrapped: bool = False) -> Parameter:
    """The only parameter of a function."""
    return Parameter(name="data", shape=shape, annotation=kind, item_type=kind, wrapped=wrapped)


def fetcher(**held: bytes | pl.DataFrame) -> Fetcher:
    """Reads what these nodes gave: bytes of items, or a table."""
    snapshot, stored, tables = Snapshot(FLOW.plan), dict[str, bytes](), ArrowTables()
    for name, data in held.items():
        packed = bytes(tables.pack(data).data) if isinstance(data, pl.DataFrame) else data
        kind: Any = "table" if isinstance(data, pl.DataFrame) else "items"
        batch = Batch(ref=name, count=2, kind=kind, size=len(packed))
        stored[name] = packed
        snapshot.nodes[NodeId(name)] = NodeRecord(
            status=NodeStatus.SUCCEEDED, activation=activation_id(NodeId(name)), outputs={"main": batch}
        )
    return Fetcher(snapshot=snapshot, fetch=lambda batch: stored[batch.ref], tables=tables)


def items(*values: Any, scope: str = "start", **more: Any) -> bytes:
    """Stored items."""
    return encode_items(StoredItems(values=values, scope=NodeId(scope), **more))


TABLE = pl.DataFrame({"id": [1, 2]})
WANTED = PLAN.inputs[0]


def test_nothing_that_came_is_no_items() -> None:
    given = fetcher().given(WANTED)
    assert (given.count, fetcher().items(given).values, fetcher().items(given).scope) == (0, [], START)


def test_tables_of_several_sources_are_one_table_and_mixed_with_items_they_are_rows() -> None:
    both = fetcher(a=TABLE, b=TABLE)
    given = both.given(WANTED)
    assert (given.items, given.count, given.key) == (None, 4, "in:")
    assert len(both.items(given).values) == 4
    mixed = fetcher(a=TABLE, b=items({"id": 9}, scope="b"))
    assert [row["id"] for row in mixed.items(mixed.given(WANTED)).values] == [1, 2, 9]  # type: ignore[index]
    one = fetcher(a=TABLE)
    assert one.items(one.given(WANTED)).scope == "a"


def test_items_come_with_their_key_place_and_files() -> None:
    file = Attachment(blob="b", size=1, sha256="")
    reading = fetcher(a=items(1, 2, origins=[(5,), (7,)], attachments={1: {"f": file}}))
    first, second = reading.wrapped(reading.given(WANTED))
    assert (first.key, first.origins, dict(first.attachments)) == ("a:0", (5,), {})
    assert (second.key, second.origins, second.attachments["f"]) == ("a:1", (7,), file)


def test_a_table_is_made_of_items_and_rows_of_a_table() -> None:
    whole = fetcher(a=items(Order(id=1), Order(id=2)))
    table = taken(whole, PLAN, parameter(Shape.TABLE, pl.DataFrame), whole.given(WANTED))
    assert table.to_dicts() == [{"id": 1}, {"id": 2}]
    rows = fetcher(a=TABLE)
    found, door = each(rows, PLAN, parameter(Shape.ONE, Order), rows.given(WANTED))
    assert [door.value(item.value) for item in found] == [Order(id=1), Order(id=2)]


@pytest.mark.parametrize(
    ("shape", "wrapped", "seen"),
    [(Shape.LIST, False, [1, 2]), (Shape.STREAM, False, [1, 2]), (Shape.LIST, True, [1, 2])],
)
def test_a_batch_is_given_as_its_parameter_wants_it(shape: Shape, wrapped: bool, seen: list[int]) -> None:
    reading = fetcher(a=items("1", 2))
    found = list(taken(reading, PLAN, parameter(shape, int, wrapped=wrapped), reading.given(WANTED)))
    assert [one.value if wrapped else one for one in found] == seen


def test_one_item_is_one_item() -> None:
    reading = fetcher(a=items(7))
    assert taken(reading, PLAN, parameter(Shape.ONE, int), reading.given(WANTED)) == 7
    with pytest.raises(ContractError, match='"data" of "c" takes exactly one item, and 0 came'):
        taken(reading, PLAN, parameter(Shape.ONE, int), Given(items=StoredItems(values=[], scope=START)))


@pytest.mark.parametrize(
    ("kind", "value", "through"),
    [
        (Any, Unknown, Unknown),
        (object, 3, 3),
        (int, "3", 3),
        (Order, {"id": 3}, Order(id=3)),
        (dict[str, int], Order(id=3), {"id": 3}),
        (dict, Order(id=3), {"id": 3}),
        (Point, {"x": 1}, Point(1)),
        (Point, Point(1), Point(1)),
        (Annotated[int, Field(gt=1)], 2, 2),
        (Annotated[int, []], 2, 2),
    ],
)
def test_the_door_turns_what_fits_into_what_is_wanted(kind: Any, value: Any, through: Any) -> None:
    assert Door(PLAN, parameter(Shape.ONE, kind)).value(value) == through


def test_the_door_lets_an_instance_of_the_very_class_through_untouched() -> None:
    order, unknown = Order(id=1), Unknown()
    assert Door(PLAN, parameter(Shape.ONE, Order)).value(order) is order
    assert Door(PLAN, parameter(Shape.ONE, Unknown)).value(unknown) is unknown
    with pytest.raises(ContractError, match='"data" does not fit Unknown of "c"'):
        Door(PLAN, parameter(Shape.ONE, Unknown)).value(3)


def test_what_does_not_fit_is_named_with_its_place_and_shortened() -> None:
    class Deep(BaseModel):
        orders: list[Order]

    door = Door(PLAN, parameter(Shape.ONE, Deep))
    with pytest.raises(ContractError) as caught:
        door.value({"orders": [{"id": 1}, {"id": "x" * 200}, {}]}, 4)
    message = str(caught.value)
    assert message.startswith('item 4 of "data" does not fit Deep of "c": orders[1].id: Input should be')
    assert message.endswith("... (and 1 more)")
    with pytest.raises(ContractError, match=r'^"data" does not fit dict\[str, int\] of "c": Input should be'):
        Door(PLAN, parameter(Shape.ONE, dict[str, int])).value(3)


def test_a_validator_is_made_once() -> None:
    assert adapter(Order) is adapter(Order)
    assert adapter(Annotated[int, []]).validate_python("3") == 3


def test_a_part_of_what_was_given_keeps_the_keys_and_places_of_its_items() -> None:
    reads = fetcher(a=items("x", "y", "z", scope="a"), b=TABLE)
    given = reads.given(Input(name="main", sources=(Source(node=NodeId("a")),)))
    part = reads.part(given, 1, 3)
    assert part.count == 2
    assert [(item.key, item.origins, item.value) for item in reads.wrapped(part)] == [
        ("a:1", (1,), "y"),
        ("a:2", (2,), "z"),
    ]
    rows = reads.part(reads.given(Input(name="main", sources=(Source(node=NodeId("b")),))), 1, 2)
    assert (rows.count, [(item.key, item.value) for item in reads.wrapped(rows)]) == (1, [("b:1", {"id": 2})])

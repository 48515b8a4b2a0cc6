"""From what a function gave to what its ports hold; most of it is shown by whole runs in tests/host/runtime."""

from __future__ import annotations

from typing import Any

import pytest

import codemation as cm
from codemation.core.definition import NodeKind, NodePlan, Policy
from codemation.core.errors import NodeError
from codemation.core.ids import NodeId
from codemation.core.items import Attachment, Item
from codemation.core.outputs import Outputs, batch_outputs, emitted_by_item, failed_item, failure_of, message_of
from codemation.core.payload import decode_items
from codemation.core.signature import NodeCode, Result, Shape, Signature
from codemation.host.tables import ArrowTables

FILE = Attachment(blob="b", size=1, sha256="")
ITEM: Item[Any] = Item(5, {"old": FILE}, key="start:2", origins=(2,))
ANYTHING = Result(shape=Shape.ONE, item_type=Any)


def plan(kind: NodeKind = NodeKind.THEN, **policy: Any) -> NodePlan:
    """A node of this kind."""
    return NodePlan(id=NodeId("n"), kind=kind, inputs=(), ports=("main", "error"), policy=Policy(**policy))


def code(result: Result = ANYTHING, **more: Any) -> NodeCode:
    """A function that gives this."""
    return NodeCode(function=int, signature=Signature(data=None, arguments=(), injections=(), result=result), **more)


def given(
    kind: NodeKind, value: Any, result: Result = ANYTHING, **policy: Any
) -> list[tuple[str, Any, tuple[int, ...]]]:
    """Port, value and place of whatever one call gives."""
    emitted = emitted_by_item(plan(kind, **policy), code(result, cases={1: "case_1"}), ITEM, value, {"new": FILE})
    return [(port, item.value, item.origins) for port, item in emitted]


@pytest.mark.parametrize(
    ("kind", "value", "emitted"),
    [
        (NodeKind.FILTER, True, [("main", 5, (2,))]),
        (NodeKind.FILTER, [], []),
        (NodeKind.BRANCH, True, [("yes", 5, (2,))]),
        (NodeKind.BRANCH, False, [("no", 5, (2,))]),
        (NodeKind.SWITCH, 1, [("case_1", 5, (2,))]),
        (NodeKind.TAP, "whatever", [("main", 5, (2,))]),
        (NodeKind.SPLIT, (7, 8), [("main", 7, (2, 0)), ("main", 8, (2, 1))]),
        (NodeKind.MAP, None, [("main", None, (2,))]),
        (NodeKind.PARSE, 9, [("main", 9, (2,))]),
        (NodeKind.THEN, [7], [("main", 7, (2, 0))]),
        (NodeKind.THEN, None, []),
        (NodeKind.THEN, 9, [("main", 9, (2,))]),
    ],
)
def test_each_kind_of_node_gives_what_it_is_for(kind: NodeKind, value: Any, emitted: list[Any]) -> None:
    assert given(kind, value) == emitted


@pytest.mark.parametrize(("value", "named"), [("abc", "str"), (b"abc", "bytes"), ({"a": 1}, "dict"), (7, "int")])
def test_a_split_into_what_is_no_list_is_refused(value: Any, named: str) -> None:
    with pytest.raises(NodeError, match=f'"n" splits an item and gave {named}, which is no list of items'):
        given(NodeKind.SPLIT, value)


def test_an_unknown_key_goes_to_the_default_if_there_is_one() -> None:
    node = NodePlan(id=NodeId("n"), kind=NodeKind.SWITCH, inputs=(), ports=("default",))
    assert emitted_by_item(node, code(), ITEM, "new", {})[0][0] == "default"
    with pytest.raises(NodeError, match="gave 'new', for which there is no case"):
        given(NodeKind.SWITCH, "new")


@pytest.mark.parametrize(
    ("result", "value", "emitted"),
    [
        (Result(shape=Shape.ONE, item_type=int, optional=True), None, []),
        (Result(shape=Shape.ONE, item_type=int), None, [("main", None, (2,))]),
        (Result(shape=Shape.LIST, item_type=int), None, []),
        (Result(shape=Shape.NOTHING, item_type=int), 7, []),
    ],
)
def test_none_is_nothing_only_where_the_annotation_says_so(result: Result, value: Any, emitted: list[Any]) -> None:
    assert given(NodeKind.THEN, value, result) == emitted


@pytest.mark.parametrize(("keep", "names"), [(False, {"new"}), (True, {"old", "new"})])
def test_files_are_those_of_the_call_and_of_the_item_if_they_are_kept(keep: bool, names: set[str]) -> None:
    emitted = emitted_by_item(plan(keep_attachments=keep), code(), ITEM, 9, {"new": FILE})
    assert set(emitted[0][1].attachments) == names
    wrapped = emitted_by_item(plan(keep_attachments=keep), code(), ITEM, Item(9, {"own": FILE}), {"new": FILE})
    assert set(wrapped[0][1].attachments) == {"new", "own"}, "an item says itself which files it has"
    assert not emitted_by_item(plan(keep_attachments=keep), code(), ITEM, Item(9), {})[0][1].attachments


def test_files_are_kept_for_each_of_several_and_an_item_among_them_may_let_them_go() -> None:
    several = Result(shape=Shape.LIST, item_type=int)
    emitted = emitted_by_item(plan(keep_attachments=True), code(result=several), ITEM, [1, Item(2)], {})
    assert [set(item.attachments) for _, item in emitted] == [{"old"}, set()]


def test_items_without_a_place_are_numbered_anew_by_the_node() -> None:
    outputs = Outputs(plan(), ArrowTables())
    outputs.emit([("main", Item(1, origins=(4,))), ("main", Item(2)), ("nowhere", Item(3))])
    encoded = outputs.encoded(NodeId("start"))
    assert list(encoded) == ["main"]
    stored = decode_items(encoded["main"][0])
    assert (stored.scope, stored.origin(1)) == ("n", (1,))
    placed = Outputs(plan(), ArrowTables(), items={"main": [Item(1, origins=(4,))]})
    assert decode_items(placed.encoded(NodeId("start"))["main"][0]).scope == "start"


class Parts(cm.Ports):
    main: int = cm.port()
    error: int | None = cm.port()


def test_a_batch_call_fills_its_ports() -> None:
    outputs = Outputs(plan(), ArrowTables())
    batch_outputs(outputs, code(), Parts(main=1, error=None), {"f": FILE})
    assert {port: [item.value for item in items] for port, items in outputs.items.items()} == {"main": [1]}
    assert outputs.items["main"][0].attachments == {"f": FILE}
    batch_outputs(outputs, code(), None, {})
    batch_outputs(outputs, code(), iter([2, 3]), {})
    assert [item.value for item in outputs.items["main"]] == [1, 2, 3]


def test_a_failure_stands_in_the_place_of_what_entered() -> None:
    failure = failure_of(plan(), 5, ValueError("no"), 2, "trace")
    assert (failure.item, failure.type, failure.error, failure.node, failure.attempts) == (
        5,
        "ValueError",
        "no",
        "n",
        2,
    )
    port, item = failed_item(failure, ITEM)
    assert (port, item.value, item.key, item.origins, item.attachments) == (
        "error",
        failure,
        ITEM.key,
        ITEM.origins,
        ITEM.attachments,
    )


def test_an_exception_without_words_is_named_by_its_class() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert message_of(KeyError()) == "KeyError"
    assert message_of(Mute()) == "Mute (its message cannot be read: RuntimeError)"

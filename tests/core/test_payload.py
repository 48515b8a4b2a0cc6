"""Items survive being laid down as bytes, with their places and files."""

from __future__ import annotations

import gc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codemation.core.ids import NodeId
from codemation.core.items import Attachment, Item
from codemation.core.payload import StoredItems, decode_items, encode_alone, encode_items, without_collecting
from codemation.core.progress import Finished, decode_finished, encode_finished

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FILE = st.builds(Attachment, blob=st.text(), size=st.integers(0, 2**50), sha256=st.text(), mime=st.text())
FILES = st.dictionaries(st.text(min_size=1), FILE, min_size=1, max_size=2)
PATHS = st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple)


@st.composite
def batches(draw: st.DrawFn) -> StoredItems:
    """Items with or without places of their own, and files beside some of them."""
    values = draw(st.lists(VALUES, max_size=5))
    count = len(values)
    origins = draw(st.none() | st.lists(PATHS, min_size=count, max_size=count))
    files = draw(st.dictionaries(st.integers(0, max(0, count - 1)), FILES, max_size=2)) if count else {}
    return StoredItems(values=values, scope=NodeId(draw(st.text())), origins=origins, attachments=files)


@given(VALUES, st.text())
def test_an_item_alone_is_written_as_a_batch_of_one(value: object, scope: str) -> None:
    assert encode_alone(value, NodeId(scope)) == encode_items(StoredItems(values=[value], scope=NodeId(scope)))


@given(batches())
def test_a_batch_is_read_as_it_was_written(items: StoredItems) -> None:
    again = decode_items(encode_items(items))
    assert list(again.values) == list(items.values)
    assert again.scope == items.scope
    assert [again.origin(at) for at in range(len(items.values))] == [
        items.origin(at) for at in range(len(items.values))
    ]
    assert again.attachments == items.attachments


def test_places_that_say_nothing_cost_nothing() -> None:
    plain = StoredItems(values=[1, 2], scope=NodeId("n"))
    placed = StoredItems(values=[1, 2], scope=NodeId("n"), origins=[(0,), (1,)])
    assert encode_items(placed) == encode_items(plain)
    assert encode_items(StoredItems(values=[1, 2], scope=NodeId("n"), origins=[(1,), (0,)])) != encode_items(plain)


ITEMS = st.builds(Item, VALUES, st.just({}) | FILES, key=st.text(), origins=PATHS)
EMITTED = st.lists(st.tuples(st.text(), ITEMS), max_size=3).map(tuple)
FINISHED = st.builds(Finished, position=st.integers(0, 10**6), emitted=EMITTED, failed=st.booleans())


def shape(one: Finished) -> Any:
    """Everything of a finished item, its places and keys included."""
    given = [(port, item.value, item.attachments, item.key, item.origins) for port, item in one.emitted]
    return one.position, one.failed, given


@given(st.lists(FINISHED, max_size=4))
def test_finished_items_are_read_as_they_were_written(finished: list[Finished]) -> None:
    assert [shape(one) for one in decode_finished(encode_finished(finished))] == [shape(one) for one in finished]


def test_the_collector_rests_for_as_long_as_it_is_asked_to() -> None:
    with without_collecting():
        with without_collecting():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()

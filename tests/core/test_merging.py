"""Several streams as one: by place, by turns, one behind the other, or matched by key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemation.core.errors import ContractError
from codemation.core.ids import NodeId
from codemation.core.inputs import joined
from codemation.core.items import Attachment
from codemation.core.merging import joined_by_key, merged
from codemation.core.payload import Path, StoredItems

SCOPES = ["early", "late", "latest"]
FILE = Attachment(blob="b", size=1, sha256="")
PATHS = st.lists(st.integers(0, 3), min_size=1, max_size=2).map(tuple)


def rank(node: NodeId) -> int:
    """Earlier scopes come first."""
    return SCOPES.index(node)


@st.composite
def parts(draw: st.DrawFn) -> list[StoredItems]:
    """Parts whose values say which they are."""
    made = []
    for number in range(draw(st.integers(1, 4))):
        count = draw(st.integers(0, 4))
        origins = draw(st.none() | st.lists(PATHS, min_size=count, max_size=count))
        values = [(number, at) for at in range(count)]
        files = {at: {"f": FILE} for at in range(0, count, 2)}
        scope = NodeId(draw(st.sampled_from(SCOPES)))
        made.append(StoredItems(values=values, scope=scope, origins=origins, attachments=files))
    return made


def placed(part: StoredItems) -> list[tuple[NodeId, Path, object]]:
    """The items of a part with their places."""
    return [(part.scope, part.origin(at), value) for at, value in enumerate(part.values)]


@given(parts())
def test_a_join_loses_nothing_and_keeps_every_order(given_parts: list[StoredItems]) -> None:
    one = joined(given_parts, rank)
    everything = [row for part in given_parts for row in placed(part)]
    assert sorted(map(repr, one.values)) == sorted(repr(value) for _, _, value in everything)
    expected = sorted(everything, key=lambda row: (rank(row[0]), row[1]))
    assert list(one.values) == [value for _, _, value in expected]
    paths = [one.origin(at) for at in range(len(one.values))]
    assert paths == sorted(paths)
    assert {at for at, value in enumerate(one.values) if value[1] % 2 == 0} == set(one.attachments)  # type: ignore[index]


@pytest.mark.parametrize("by", ["append", "position", "origin"])
@given(given_parts=parts())
def test_a_merge_gives_every_item_once_with_its_files(by: str, given_parts: list[StoredItems]) -> None:
    one = merged(given_parts, by=by, prefer=[], scope=NodeId("latest"), rank=rank)
    everything = [value for part in given_parts for value in part.values]
    assert sorted(map(repr, one.values)) == sorted(map(repr, everything))
    assert {at for at, value in enumerate(one.values) if value[1] % 2 == 0} == set(one.attachments)  # type: ignore[index]
    if by == "append":
        assert list(one.values) == everything


@given(parts())
def test_of_items_with_one_place_only_the_preferred_is_kept(given_parts: list[StoredItems]) -> None:
    last = len(given_parts) - 1
    one = merged(given_parts, by="origin", prefer=[last], scope=NodeId("latest"), rank=rank)
    places = {(scope, path) for part in given_parts for scope, path, _ in placed(part)}
    assert len(one.values) >= len(places)
    preferred = placed(given_parts[last])
    assert all(value in list(one.values) for _, _, value in preferred)
    taken = {(scope, path) for scope, path, _ in preferred}
    for part in given_parts[:last]:
        for scope, path, value in placed(part):
            assert (value in list(one.values)) <= ((scope, path) not in taken)


ROWS = st.lists(st.fixed_dictionaries({"k": st.integers(0, 3), "v": st.integers()}), max_size=6)


@pytest.mark.parametrize("how", ["inner", "left", "outer"])
@given(left=ROWS, right=ROWS)
def test_rows_are_matched_as_nested_loops_would(
    how: str, left: list[dict[str, int]], right: list[dict[str, int]]
) -> None:
    matched = [(one["k"], one["v"], two["v"]) for one in left for two in right if one["k"] == two["k"]]
    found = joined_by_key([left, right], on=["k"], how=how)
    assert [(row["k"], row.get("v"), row.get("v_right")) for row in found if _is_match(row, left, right)] == matched
    keys = {row["k"] for row in found}
    assert keys >= {row["k"] for row in left} if how != "inner" else keys == {key for key, _, _ in matched}
    if how == "outer":
        assert keys == {row["k"] for row in [*left, *right]}


def _is_match(row: dict[str, object], left: list[dict[str, int]], right: list[dict[str, int]]) -> bool:
    has: Callable[[list[dict[str, int]]], bool] = lambda rows: any(one["k"] == row["k"] for one in rows)  # noqa: E731
    return has(left) and has(right)


def test_a_key_that_nothing_can_be_looked_up_by_is_an_error_that_says_so() -> None:
    for left, right in (
        ({"k": 1, "v": 1, "v_right": 2}, {"k": 1, "v": 3}),
        ({"k": 1, "v": 1}, {"k": 1, "v": 2, "v_right": 3}),
    ):
        with pytest.raises(ContractError, match="both sides have 'v', and 'v_right' is taken"):
            joined_by_key([[left], [right]], on=["k"], how="inner")
    with pytest.raises(ContractError, match="'k' holds list"):
        joined_by_key([[{"k": [1]}], [{"k": [1]}]], on=["k"], how="inner")

"""Semantics §2, Lineage: a trace reads as two trees, however long and wide they are; what is stored of it is little."""

from __future__ import annotations

from codemation.core.ids import MAIN, NodeId
from codemation.core.lineage import Place, Trace, walked
from codemation.core.merging import matched
from codemation.core.payload import StoredItems, decode_head, encode_items

HERE = NodeId("here")


def at(node: str, position: int | None = 0, port: str = MAIN, count: int = 1) -> Place:
    return Place(NodeId(node), port, position, count)


def test_a_trace_shows_each_place_once_with_what_it_holds_and_where_ways_end() -> None:
    a, b, c = at("a"), at("b", 1), at("c", None, "error", 1200)
    trace = Trace(
        item=b,
        origins={b: (a, c), a: (), c: (a,)},
        results={b: (c,), c: ()},
        ends={b: ("keep: dropped",)},
        values=lambda place: "held" if place == a else "",
    )
    assert str(trace).splitlines() == [
        "b:1",
        "came from",
        "  a:0  held",
        "  all 1,200 of c (error)",
        "    a:0  (see above)",
        "became",
        "  all 1,200 of c (error)",
        "  keep: dropped",
    ]
    assert trace.ancestors == [a, c]
    assert trace.descendants == [c]
    assert c.key == "c.error:*"


def test_what_came_from_nothing_and_led_to_nothing_says_so() -> None:
    lines = str(Trace(item=at("a"), origins={at("a"): ()}, results={})).splitlines()
    assert lines[2] == "  nothing: it was given to the run, or made by a source"
    assert lines[4] == "  nothing"


def test_long_and_wide_trees_are_cut_and_say_by_how_much() -> None:
    wide = tuple(at("w", number) for number in range(20))
    line = str(Trace(item=at("a"), origins={at("a"): wide}, results={}))
    assert "  … and 8 more" in line
    long = {at("l", number): (at("l", number + 1),) for number in range(5000)}
    shown = str(Trace(item=at("l"), origins=long, results={})).splitlines()
    assert len(shown) < 210
    assert any("… and 1 more" in one for one in shown)


def test_a_walk_meets_each_place_once_nearest_first_and_stops_at_its_bound() -> None:
    edges = {0: [1, 2, 2], 1: [3], 2: [3], 3: [0]}

    def step(place: Place) -> list[Place]:
        return [at("n", one) for one in edges[place.position or 0]]

    found = walked(at("n"), step, 10)
    assert [place.position for place in found] == [0, 1, 2, 3]
    assert len(walked(at("n"), step, 2)) == 2


def stored(parents: list[int] | None, origins: list[tuple[int, ...]] | None) -> bytes:
    count = len(parents if parents is not None else origins or [])
    return encode_items(StoredItems(values=[0] * count, scope=HERE, origins=origins, parents=parents))


def test_parents_are_given_back_and_mostly_cost_a_few_bytes() -> None:
    for parents, origins in (
        ([0, 1, 2], None),
        ([2, 5], [(2,), (5,)]),
        ([2, 2], [(2, 0), (2, 1)]),
        ([0, 1], [(2,), (5,)]),
        ([1, 0], None),
        ([3, 1], [(2, 1), (5,)]),
    ):
        head = decode_head(stored(parents, origins), len(parents))
        assert list(head.parents or ()) == parents
        assert head.origins == origins
        assert list(head.values) == list(range(len(parents)))
    assert decode_head(stored(None, [(1,)]), 1).parents is None
    many = list(range(0, 20_000, 2))
    for parents in (many, list(range(10_000))):
        paths = [(one,) for one in many]
        assert len(stored(parents, paths)) - len(stored(None, paths)) < 10


def test_which_records_a_join_matched_is_found_by_joining_their_numbers() -> None:
    left, right, third = [{"k": 1}, {"k": 2}], [{"k": 2}, {"k": 2}, {"k": 3}], [{"k": 3}]
    assert matched([left, right], on=["k"], how="inner") == [(1, 0), (1, 1)]
    assert matched([left, right, third], on=["k"], how="outer") == [
        (0, None, None),
        (1, 0, None),
        (1, 1, None),
        (None, 2, 0),
    ]

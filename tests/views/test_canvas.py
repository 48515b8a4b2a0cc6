"""Where a picture puts things: nothing overlaps, all ways lead forward, groups hold theirs and no others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemation.core.definition import BrokenDefinition, Definition
from codemation.core.ids import NodeId, WorkflowId
from codemation.views.canvas import graph_view
from codemation.views.clusters import Cluster, grouped
from codemation.views.graph import Direction, EdgeView, GraphView, GroupView, NodeView
from codemation.views.marks import NodeMark
from tests.views import corpus
from tests.views.dags import dags, marked_dags

DIRECTIONS = st.sampled_from(("LR", "TB"))
Box = NodeView | GroupView


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def holds(outer: Box, inner: Box) -> bool:
    slack = 0.11
    return (
        outer.x <= inner.x + slack
        and outer.y <= inner.y + slack
        and inner.x + inner.width <= outer.x + outer.width + slack
        and inner.y + inner.height <= outer.y + outer.height + slack
    )


def level_pieces(edge: EdgeView, direction: Direction) -> list[tuple[float, float, float]]:
    """The straight pieces of an edge along the layers: from, to, and where across."""
    turned = [point if direction == "LR" else point[::-1] for point in edge.points]
    return [(one[0], other[0], one[1]) for one, other in pairwise(turned) if abs(one[1] - other[1]) < 0.5]


def passes_under(view: GraphView, edge: EdgeView, node: NodeView) -> bool:
    near, far = (node.x, node.x + node.width) if view.direction == "LR" else (node.y, node.y + node.height)
    top, bottom = (node.y, node.y + node.height) if view.direction == "LR" else (node.x, node.x + node.width)
    pieces = level_pieces(edge, view.direction)
    return any(start < far - 1 and end > near + 1 and top < at < bottom for start, end, at in pieces)


@given(dags(), DIRECTIONS)
def test_no_two_nodes_overlap(definition: Definition, direction: Direction) -> None:
    view = graph_view(definition, direction=direction)
    assert [node.id for node in view.nodes] == sorted((n.id for n in view.nodes), key=definition.plan.rank.__getitem__)
    for one, other in combinations(view.nodes, 2):
        assert not overlap(one, other), (one.id, other.id)


@given(dags(), DIRECTIONS)
def test_every_edge_leads_forward_from_a_port_to_the_middle_of_a_side(
    definition: Definition, direction: Direction
) -> None:
    view = graph_view(definition, direction=direction)
    nodes = {node.id: node for node in view.nodes}
    assert len(view.edges) == len(
        {(s.node, s.port, n.id) for n in definition.nodes for i in n.inputs for s in i.sources}
    )
    for edge in view.edges:
        source, target = nodes[edge.source], nodes[edge.target]
        port = next((port for port in source.ports if port.name == edge.port), None)
        start, end = edge.points[0], edge.points[-1]
        if port:
            assert start == pytest.approx((port.x, port.y), abs=0.11)
        if direction == "LR":
            assert end == pytest.approx((target.x, target.y + target.height / 2), abs=0.11)
            steps = [point[0] for point in edge.points]
        else:
            assert end == pytest.approx((target.x + target.width / 2, target.y), abs=0.11)
            steps = [point[1] for point in edge.points]
        assert steps == sorted(steps)
        assert steps[-1] - steps[0] > 20


@given(dags(), DIRECTIONS)
def test_no_edge_runs_under_a_node(definition: Definition, direction: Direction) -> None:
    view = graph_view(definition, direction=direction)
    for edge in view.edges:
        for node in view.nodes:
            assert not passes_under(view, edge, node), (edge.source, edge.target, node.id)


@given(dags(), DIRECTIONS)
def test_everything_is_inside_the_canvas(definition: Definition, direction: Direction) -> None:
    view = graph_view(definition, direction=direction)
    boxes: list[Box] = [*view.nodes, *view.groups]
    for box in boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= view.width
        assert box.y + box.height <= view.height
    for x, y in (point for edge in view.edges for point in edge.points):
        assert 0 <= x <= view.width
        assert 0 <= y <= view.height


def boxed(cluster: Cluster) -> list[set[str]]:
    return [group for child in cluster.children for group in (child.members, *boxed(child))]


def test_what_hangs_together_by_way_of_others_is_one_group() -> None:
    ends = {"n2": ["n0"], "n5": ["start", "n0"], "n6": ["start"], "n9": ["n1"], "n10": ["start", "n1"]}
    inside = [corpus.node(name, *before, groups=("clean",)) for name, before in ends.items()]
    view = graph_view(corpus.definition("w", corpus.node("n0", "start"), corpus.node("n1", "start"), *inside))
    assert [group.title for group in view.groups] == ["clean"]


@given(dags(), DIRECTIONS)
def test_a_group_holds_its_nodes_and_no_others(definition: Definition, direction: Direction) -> None:
    view = graph_view(definition, direction=direction)
    inside = [{node.id for node in view.nodes if holds(group, node)} for group in view.groups]
    assert sorted(map(sorted, inside)) == sorted(map(sorted, boxed(grouped(definition))))
    for group, members in zip(view.groups, inside, strict=True):
        assert not [node.id for node in view.nodes if node.id not in members and overlap(group, node)]
    for one, other in combinations(view.groups, 2):
        assert not overlap(one, other) or holds(one, other)


@given(marked_dags(), DIRECTIONS)
def test_marks_move_nothing_and_can_be_taken_off(
    marked: tuple[Definition, dict[NodeId, NodeMark]], direction: Direction
) -> None:
    definition, marks = marked
    bare = graph_view(definition, direction=direction)
    view = graph_view(definition, marks, direction=direction)
    assert view == bare.marked(marks)
    assert view.marked({}) == bare
    assert [(node.x, node.y, node.width) for node in view.nodes] == [
        (node.x, node.y, node.width) for node in bare.nodes
    ]


@given(dags())
def test_the_same_definition_is_always_drawn_alike(definition: Definition) -> None:
    again = Definition.from_json(json.loads(json.dumps(definition.to_json())))
    assert graph_view(definition) == graph_view(again)


def test_a_drawing_does_not_depend_on_the_hashing_of_the_process() -> None:
    code = (
        "from codemation.views.canvas import graph_view\n"
        "from tests.views.corpus import flights\n"
        "print(graph_view(flights()))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_a_chain_is_a_straight_line() -> None:
    view = graph_view(corpus.chain())
    assert len({node.y for node in view.nodes}) == 1
    assert all(len(edge.points) == 2 for edge in view.edges)


def test_the_sides_of_a_diamond_are_even() -> None:
    view = graph_view(corpus.diamond())
    y = {node.id: node.y for node in view.nodes}
    assert y[NodeId("load")] == y[NodeId("offer")]
    assert y[NodeId("check_stock")] + y[NodeId("fetch_customer")] == pytest.approx(2 * y[NodeId("load")], abs=0.3)


def test_a_long_edge_is_straight_where_it_passes_over_layers() -> None:
    view = graph_view(corpus.nested())
    edge = next(edge for edge in view.edges if (edge.source, edge.target) == ("load", "audit"))
    assert len(edge.points) == 4
    assert edge.points[1][1] == edge.points[2][1]


def test_cases_stand_in_the_order_of_their_ports() -> None:
    view = graph_view(corpus.switch())
    cases = [node for node in view.nodes if node.id.startswith("tax_")]
    assert [node.id for node in sorted(cases, key=lambda node: node.y)] == [node.id for node in cases]
    country = next(node for node in view.nodes if node.id == "country")
    assert [port.label for port in country.ports] == ["DE", "FR", "IT", "ES", "PL", "default"]
    assert len({port.y for port in country.ports}) == 6


def test_a_piece_that_is_used_twice_is_two_boxes() -> None:
    view = graph_view(
        corpus.definition(
            "two.uses",
            corpus.node("load"),
            corpus.node("a", "load", groups=("clean",)),
            corpus.node("between", "a"),
            corpus.node("b", "between", groups=("clean",)),
        )
    )
    assert [group.title for group in view.groups] == ["clean", "clean"]


def test_a_group_that_a_way_leaves_and_enters_again_is_taken_apart() -> None:
    view = graph_view(
        corpus.definition(
            "no.box",
            corpus.node("load"),
            corpus.node("a", "load", groups=("clean",)),
            corpus.node("outside", "a"),
            corpus.node("b", "a", "outside", groups=("clean",)),
        )
    )
    assert view.groups == ()
    assert len(view.nodes) == 5


def test_a_node_that_only_waits_has_a_dashed_edge_and_ports_nobody_follows_are_kept() -> None:
    view = graph_view(corpus.nested(), corpus.half_way())
    edge = next(edge for edge in view.edges if edge.target == "load")
    assert edge.ordering
    assert edge.flow == "given"
    approve = next(node for node in view.nodes if node.id == "approve")
    assert [(port.name, port.followed) for port in approve.ports] == [("main", True), ("error", True)]
    apologise = next(node for node in view.nodes if node.id == "apologise")
    assert apologise.ports == ()


def test_a_thousand_nodes_whose_wires_all_pass_over_each_other_are_drawn() -> None:
    ends = [f"n{index}" for index in range(998)]
    nodes = [corpus.node(name, *(ends[index - 1 : index])) for index, name in enumerate(ends)]
    view = graph_view(corpus.definition("very.wide", *nodes, corpus.node("last", *ends)))
    assert len(view.nodes) == 1000
    assert max(edge.points[-1][0] for edge in view.edges) <= view.width


def test_a_definition_without_nodes_is_an_empty_canvas() -> None:
    view = graph_view(Definition(workflow=WorkflowId("no.nodes"), nodes=()))
    assert (view.nodes, view.edges, view.groups) == ((), (), ())
    assert view.width == view.height > 0


def test_a_circle_is_refused_by_name() -> None:
    circle = corpus.definition("a.circle", corpus.node("a", "b"), corpus.node("b", "a"))
    with pytest.raises(BrokenDefinition, match=r"a → b → a|b → a → b"):
        graph_view(circle)


def test_a_view_is_plain_json() -> None:
    body = json.loads(json.dumps(graph_view(corpus.flights(), corpus.half_way()).to_json()))
    assert sorted(body) == ["direction", "edges", "groups", "height", "nodes", "title", "width", "workflow"]
    node = next(node for node in body["nodes"] if node["id"] == "read_flight")
    assert node["status"] == "succeeded"
    assert node["counts"] == {"main": 0, "error": 912}
    edge = next(edge for edge in body["edges"] if edge["target"] == "write_rejects")
    assert (edge["label"], edge["count"], edge["flow"]) == ("error", 912, "given")

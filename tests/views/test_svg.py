"""What stands in the SVG: every node and edge, every text as it is and no more than a text, nothing from outside."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemation.core.definition import Definition, NodeKind
from codemation.core.ids import NodeId
from codemation.views.canvas import graph_view
from codemation.views.graph import Direction
from codemation.views.marks import NodeMark, NodeStatus
from codemation.views.palette import FAMILY, GLYPHS, ICONS, stylesheet
from codemation.views.svg import svg
from tests.views import corpus
from tests.views.dags import marked_dags

SNAPSHOTS = Path(__file__).parent / "snapshots"
SPACE = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "style", "title", "g", "rect", "path", "circle", "text"}


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - the text is ours


def with_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


def texts(root: ET.Element, name: str) -> list[str]:
    return [element.text or "" for element in with_class(root, name)]


@given(marked_dags(), st.sampled_from(("LR", "TB")))
def test_any_workflow_becomes_well_formed_xml_with_each_node_and_edge(
    marked: tuple[Definition, dict[NodeId, NodeMark]], direction: Direction
) -> None:
    definition, marks = marked
    view = graph_view(definition, marks, direction=direction)
    root = parsed(svg(view))
    assert {element.tag.removeprefix(SPACE) for element in root.iter()} <= ALLOWED
    assert [node.get("data-node") for node in with_class(root, "cm-node")] == [node.id for node in view.nodes]
    assert len(with_class(root, "cm-edge")) == len(view.edges)
    assert all(node[0].tag == f"{SPACE}title" for node in with_class(root, "cm-node"))


def test_the_drawing_of_a_graph_is_the_stored_one() -> None:
    drawn = svg(graph_view(corpus.nested(), corpus.half_way()))
    stored = (SNAPSHOTS / "nested.svg").read_text(encoding="utf-8")
    assert drawn == stored, "look at the new one: python -m tests.views.redraw"


def test_nothing_is_asked_from_outside_and_nothing_runs() -> None:
    drawn = svg(graph_view(corpus.flights(), corpus.half_way()))
    assert re.findall(r"https?://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<script|href|url\(|@import|\son\w+=|<foreignObject|<image", drawn)
    assert " id=" not in drawn, "two graphs in one page would share it"


def test_every_rule_of_the_stylesheet_is_bound_to_the_drawing() -> None:
    selectors = re.findall(r"(?m)^([^@{}\n]+)\{", stylesheet())
    assert selectors
    assert all(part.startswith(".cm-graph") for selector in selectors for part in selector.split(","))


def test_hostile_titles_stay_text() -> None:
    root = parsed(svg(graph_view(corpus.hostile())))
    tooltips = [node[0].text or "" for node in with_class(root, "cm-node")]
    assert '</text><script>alert("1")</script>' in tooltips[1]
    assert "a & b ]]> <!--" in tooltips[1]
    assert '<g"roup>' in texts(root, "cm-heading")
    assert not [character for text in root.itertext() for character in text if character < " " and character != "\n"]


def test_a_long_title_is_cut_and_stands_in_full_in_the_tooltip() -> None:
    root = parsed(svg(graph_view(corpus.hostile())))
    node = with_class(root, "cm-node")[2]
    name = texts(node, "cm-name")[0]
    assert name.endswith("…")
    assert len(name) < 40
    assert len((node[0].text or "").splitlines()[0]) > 150


def test_every_status_has_a_colour_a_shape_and_a_word() -> None:
    order = list(NodeStatus)
    definition = corpus.definition("all.statuses", *(corpus.node(status.value) for status in order))
    marks = {NodeId(status.value): NodeMark(status=status) for status in order}
    nodes = with_class(parsed(svg(graph_view(definition, marks))), "cm-node")[1:]
    assert {status for status in order for node in nodes if f"cm-{status}" in node.get("class", "")} == set(order)
    assert len({with_class(node, "cm-glyph")[0].get("d") for node in nodes}) == len(order)
    assert all(f"\n{status.value}" in (node[0].text or "") for status, node in zip(order, nodes, strict=True))
    assert all(f".cm-{status} .cm-badge" in stylesheet() for status in order)


def test_every_kind_and_status_has_its_mark() -> None:
    assert set(ICONS) == set(FAMILY) == set(NodeKind)
    assert set(GLYPHS) == set(NodeStatus)


def test_ports_carry_their_names_and_counts() -> None:
    root = parsed(svg(graph_view(corpus.flights(), corpus.half_way())))
    labels = texts(root, "cm-label")
    assert "error 912" in labels
    assert labels.count("337k") == 5
    assert "26.1k" in labels
    titles = [element[0].text for element in with_class(root, "cm-edge")]
    assert "read_flight → write_rejects (main) · error · 912 items" in titles


def test_what_was_skipped_fades_and_what_runs_is_alive() -> None:
    root = parsed(svg(graph_view(corpus.flights(), corpus.half_way())))
    faded = [edge[0].text for edge in with_class(root, "cm-empty")]
    assert faded == [
        "worst_routes → report (main)",
        "read_flight → report (main) · 0 items",
    ]
    assert [node.get("data-node") for node in with_class(root, "cm-skipped") if node.get("data-node")] == [
        "worst_routes"
    ]
    assert {(edge[0].text or "").split(" · ")[0] for edge in with_class(root, "cm-live")} == {
        "drop_doubles → with_weather (main)",
        "load_weather → with_weather (main)",
    }


@pytest.mark.parametrize(("icon", "shown"), [("✈", True), ("plane", False), ("🚀", True), ("", False), ("ab", False)])
def test_an_icon_of_one_character_takes_the_place_of_the_kinds_mark(icon: str, shown: bool) -> None:
    root = parsed(svg(graph_view(corpus.definition("an.icon", corpus.node("fly", icon=icon)))))
    assert texts(root, "cm-emoji") == ([icon] if shown else [])
    assert len(with_class(root, "cm-icon")) == (1 if shown else 2)

"""A loop is drawn with its way back: dashed, under everything that stands between."""

from __future__ import annotations

from typing import Any, Literal

import pytest

import codemation as cm
from codemation.views.canvas import graph_view
from codemation.views.mermaid import mermaid
from codemation.views.text import plan_text


@cm.node
def work(number: int) -> int:
    return number


def nested() -> Any:
    def outer(flow: cm.Flow[int]) -> cm.Flow[int]:
        return flow.loop(work, until=bool, max=3, id="inner").map(abs, id="last")

    return (
        cm.workflow("w", input=int).loop(outer, until=bool, max=3, id="outer").map(abs, id="after").build().definition
    )


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_ways_back_run_beside_all_nodes_and_inner_ones_nearer(direction: Literal["LR", "TB"]) -> None:
    view = graph_view(nested(), direction=direction)
    across = 1 if direction == "LR" else 0
    back = {edge.target: max(point[across] for point in edge.points) for edge in view.edges if edge.back}
    far = max((node.y + node.height) if direction == "LR" else (node.x + node.width) for node in view.nodes)
    assert list(back) == ["inner", "outer"]
    assert far < back["inner"] < back["outer"] <= (view.height if direction == "LR" else view.width)


def test_a_way_back_is_told_in_words_and_in_mermaid() -> None:
    assert "n_last -.-> n_outer" in mermaid(nested())
    assert "outer  ← start, again ← last" in plan_text(nested())

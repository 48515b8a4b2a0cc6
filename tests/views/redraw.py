"""Write the stored drawings anew: `python -m tests.views.redraw`, then look at what has changed."""

from __future__ import annotations

from pathlib import Path

from codemation.views.canvas import graph_view
from codemation.views.svg import svg
from tests.views import corpus

if __name__ == "__main__":
    drawing = svg(graph_view(corpus.nested(), corpus.half_way()))
    (Path(__file__).parent / "snapshots" / "nested.svg").write_text(drawing, encoding="utf-8")

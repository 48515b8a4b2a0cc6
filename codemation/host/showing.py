"""How runs and results show themselves in a notebook and as a page: bounded, escaped, and with nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from codemation.core.errors import CodemationError
from codemation.core.ids import START, NodeId
from codemation.core.lineage import Place
from codemation.core.states import NodeStatus
from codemation.host.lineage import Lineage

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle
    from codemation.host.results import ResultHandle
    from codemation.views.page import Shown

LARGEST = 4_000_000
"""Bytes of a payload that is read to show its beginning."""
OUTPUTS = 30
"""Ports of a run whose beginning a page shows."""
TRACED = 20_000
"""Items of a port up to which a page says what each came from."""
PARENTS = 3
"""Items that another was made from that are named."""


class ShownRun:
    """A run in a notebook is its graph with its state, and can be written as a page."""

    joined = False
    """Whether it was started before, with the same key."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from codemation.host.overview import run_view  # noqa: PLC0415 - loaded when somebody looks
        from codemation.views.page import run_panel  # noqa: PLC0415 - as above

        run = cast("RunHandle", self)
        return {"text/plain": _text(run), "text/html": run_panel(run_view(run), _picture(run))}

    def to_html(self, path: str | Path) -> Path:
        """Write the run as one page that needs nothing else, with the beginning of what came out."""
        from codemation.host.overview import run_view  # noqa: PLC0415 - as above
        from codemation.views.page import page, run_panel  # noqa: PLC0415 - as above

        run, target = cast("RunHandle", self), Path(path)
        panel = run_panel(run_view(run), _picture(run), _outputs(run))
        target.write_text(page(f"{run.definition.workflow} · {run.id}", panel), encoding="utf-8")
        return target


class ShownResult:
    """What a node gave is a table of its beginning."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from codemation.views.page import results_panel  # noqa: PLC0415 - as above

        result = cast("ResultHandle", self)
        parts = tuple(_shown(result[port], f"{result.plan.id}.{port}") for port in result.ports)
        return {"text/plain": repr(self), "text/html": results_panel(parts)}


def _text(run: RunHandle) -> str:
    from codemation.host.overview import run_view  # noqa: PLC0415 - as above
    from codemation.views.text import plan_text  # noqa: PLC0415 - as above

    return f"{run!r}\n{plan_text(run.definition, run_view(run).marks)}"


def _picture(run: RunHandle) -> str:
    from codemation.host.overview import run_view  # noqa: PLC0415 - as above
    from codemation.views.canvas import graph_view  # noqa: PLC0415 - as above
    from codemation.views.svg import svg  # noqa: PLC0415 - as above

    return svg(graph_view(run.definition, run_view(run).marks))


def _outputs(run: RunHandle) -> tuple[Shown, ...]:
    done = [node.id for node in run.definition.nodes if node.gives and node.id != START and _gave(run, node.id)]
    ports = [(node, port) for node in done for port in run.definition.plan.nodes[node].ports][:OUTPUTS]
    lineage = Lineage(run)
    return tuple(_with_origins(_shown(run[node][port], f"{node}.{port}"), lineage, node, port) for node, port in ports)


def _with_origins(shown: Shown, lineage: Lineage, node: NodeId, port: str) -> Shown:
    """What is shown of a port, each item with its position and the items that it was made from."""
    if shown.table is None or not shown.table.rows or shown.count > TRACED:
        return shown
    try:
        came = [_named(lineage.before(Place(node, port, at, shown.count))) for at in range(len(shown.table.rows))]
    except CodemationError:  # what it was made from is lost, which is no reason not to show it
        return shown
    known, numbers = shown.table, list(map(str, range(len(came))))
    leading, names = ([numbers, came], ("#", "from")) if any(came) else ([numbers], ("#",))
    rows = [(*firsts, *row) for firsts, row in zip(zip(*leading, strict=True), known.rows, strict=True)]
    right = (*(name == "#" for name in names), *known.right)
    return replace(shown, table=replace(known, columns=(*names, *known.columns), rows=tuple(rows), right=right))


def _named(places: Sequence[Place]) -> str:
    more = f", … {len(places) - PARENTS:,} more" if len(places) > PARENTS else ""
    return ", ".join(map(str, places[:PARENTS])) + more


def _gave(run: RunHandle, node: Any) -> bool:
    record = run.snapshot.nodes.get(node)
    return record is not None and record.status is NodeStatus.SUCCEEDED


def _shown(result: ResultHandle, title: str) -> Shown:
    from codemation.host.overview import head  # noqa: PLC0415 - as above
    from codemation.views.page import Shown  # noqa: PLC0415 - as above
    from codemation.views.tables import ROWS, preview  # noqa: PLC0415 - as above

    batch = result.batch
    if batch.size > LARGEST:
        return Shown(title=title, count=batch.count)
    found = preview(head(result, ROWS))
    left = max(0, batch.count - len(found.rows))
    return Shown(title=title, count=batch.count, table=replace(found, left_out_rows=left))

"""`cm.nodes.expect`: say what must hold for the rows, and be told in words when it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from codemation.core.context import Context
from codemation.core.errors import NodeError
from codemation.core.node import SupportsArrow, node
from codemation.nodes.quality_report import QualityReport


class Unexpected(NodeError):
    """The rows are not as they were expected to be."""

    def __init__(self, message: str, *, report: QualityReport | None = None, way_out: str = "") -> None:
        super().__init__(message, way_out=way_out)
        self.report = report


@node(run_on_empty=True)
def expect(
    table: SupportsArrow,
    *,
    min_rows: int | None = None,
    max_rows: int | None = None,
    unique: list[str] | None = None,
    not_null: list[str] | None = None,
    values: dict[str, list[Any]] | None = None,
    between: dict[str, tuple[Any, Any]] | None = None,
    matches: dict[str, str] | None = None,
    columns: dict[str, str] | None = None,
    holds: dict[str, bool] | None = None,
    on_unmet: Literal["fail", "warn"] = "fail",
    ctx: Context | None = None,
) -> SupportsArrow:
    """Let the rows through unchanged if they are as expected; else fail with a report of what is not, and where.

    `unique`: the columns together tell the rows apart. `values`: what a column may hold. `between`: from and to, both
    included, `None` for no bound. `matches`: a regular expression for the whole text. `columns`: names and types.
    `holds`: anything else, as sentences that are true or not, usually computed by `cm.expr`. Missing values meet
    everything but `not_null`. That no rows came at all is seen by `min_rows`. All is looked at before the node fails;
    the report is also in its log. With `on_unmet="warn"` it is only there.
    """
    from codemation.nodes.tables import quality as working

    found = working.arrow(table)
    wanted: Mapping[str, Any] = {
        "rows": (min_rows, max_rows),
        "columns": columns or {},
        "not_null": not_null or [],
        "unique": unique or [],
        "values": values or {},
        "between": between or {},
        "matches": matches or {},
        "holds": holds or {},
    }
    report = working.examined(found, wanted)
    if ctx is not None:
        (ctx.log.warning if report.unmet else ctx.log.info)("%s", report)
    if report.unmet and on_unmet == "fail":
        raise Unexpected(str(report), report=report, way_out='correct the rows before, or on_unmet="warn" to go on')
    return working.unchanged(found)

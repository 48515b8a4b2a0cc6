"""A run as one page that stands alone: its graph, its nodes over time, what came out; no script, no request, no secret.

What is shown was cut to size before it came here; everything is escaped. Light and dark as the reader prefers it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from codemation.core.durations import readable
from codemation.views.failures import FailureView
from codemation.views.lettering import one_line
from codemation.views.runs import NodeRow, RunView, WaitRow
from codemation.views.tables import TablePreview

LONGEST = 2000
"""Characters of a message that are shown."""
_STYLE = """\
.cm-page{--ink:#182230;--soft:#5b6778;--rim:#cbd3df;--pale:#f1f4f8;--card:#fff;
--bar:#1f6fde;--good:#16794a;--bad:#c92a3c;
color-scheme:light dark;color:var(--ink);background:var(--card);
font:14px/1.45 system-ui,-apple-system,"Segoe UI",sans-serif;
padding:16px;border:1px solid var(--rim);border-radius:12px;overflow-wrap:anywhere}
.cm-page h1{font-size:18px;margin:0 0 2px}.cm-page h2{font-size:14px;margin:18px 0 6px}
.cm-page p{margin:0;color:var(--soft)}.cm-page .cm-wide{overflow-x:auto;max-width:100%}
@media print{.cm-page .cm-wide{overflow:visible}.cm-page svg{max-width:100%;height:auto}}
.cm-page .cm-state{font-weight:600}.cm-page .cm-state-succeeded{color:var(--good)}
.cm-page .cm-state-failed{color:var(--bad)}
.cm-page table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;color:var(--ink)}
.cm-page.cm-page table th,.cm-page.cm-page table td{padding:3px 10px 3px 0;text-align:left;
border-bottom:1px solid var(--rim);white-space:nowrap;background:none}
.cm-page th{color:var(--soft);font-weight:600}.cm-page.cm-page table td.cm-right,
.cm-page.cm-page table th.cm-right{text-align:right}
.cm-page .cm-bar{background:var(--pale);border-radius:4px;width:140px;height:10px}
.cm-page .cm-bar span{display:block;background:var(--bar);border-radius:4px;height:10px;min-width:2px}
.cm-page pre{background:var(--pale);color:var(--bad);border-radius:8px;padding:10px;margin:6px 0;white-space:pre-wrap}
@media (prefers-color-scheme:dark){.cm-page{--ink:#eef2f8;--soft:#a3afc2;--rim:#364358;--pale:#232d3f;--card:#192130;
--bar:#63a8ff;--good:#3ecf8e;--bad:#ff6b78}}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one port of a node held, as far as it is shown."""

    title: str
    count: int
    table: TablePreview | None = None
    """Nothing where it was too large to be looked at."""


def run_panel(view: RunView, picture: str, shown: tuple[Shown, ...] = ()) -> str:
    """A run as a piece of HTML for a notebook: how it stands, its graph, and what came out."""
    row = view.row
    ended = f" · {readable(row.seconds)}" if row.seconds is not None else ""
    state = f'<span class="cm-state cm-state-{escape(row.status)}">{escape(row.status)}</span>'
    reason = f" · {_safe(row.reason)}" if row.reason and not view.waits else ""
    lines = [
        f'<div class="cm-page"><style>{_STYLE}</style>',
        f"<h1>{_safe(row.workflow)}</h1>",
        f"<p>{state}{ended} · run {_safe(row.id)} · revision {row.revision}{reason}</p>",
        _failure(view.error) if view.error else "",
        f'<div class="cm-wide">{picture}</div>',
        _waits(view.waits),
        _nodes(view.nodes),
        _params(view.params),
        *(_shown(one) for one in shown),
        "</div>",
    ]
    return "\n".join(line for line in lines if line)


def picture_panel(title: str, picture: str) -> str:
    """A workflow as a piece of HTML."""
    head = f'<div class="cm-page"><style>{_STYLE}</style>\n<h1>{_safe(title)}</h1>'
    return f'{head}\n<div class="cm-wide">{picture}</div>\n</div>'


def results_panel(shown: tuple[Shown, ...]) -> str:
    """What ports of a node held, as a piece of HTML for a notebook."""
    return "\n".join([f'<div class="cm-page"><style>{_STYLE}</style>', *(_shown(one) for one in shown), "</div>"])


def page(title: str, panel: str) -> str:
    """A whole document around a panel."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_safe(title)}</title>"
        "<style>body{margin:16px;background:#f7f9fc}"
        "@media (prefers-color-scheme:dark){body{background:#0f1521}}</style>"
        f"</head><body>\n{panel}\n</body></html>\n"
    )


def table(preview: TablePreview) -> str:
    """A table of items, with what it leaves out."""
    heads = "".join(f"<th{_side(right)}>{_safe(name)}</th>" for name, right in _columns(preview))
    lines = [_table_row(row, preview.right) for row in preview.rows]
    left = [
        f"{count:,} more {what}"
        for count, what in ((preview.left_out_rows, "rows"), (preview.left_out_columns, "columns"))
        if count
    ]
    rest = f"<p>… {' and '.join(left)}</p>" if left else ""
    return f'<div class="cm-wide"><table><tr>{heads}</tr>{"".join(lines)}</table></div>{rest}'


def _columns(preview: TablePreview) -> list[tuple[str, bool]]:
    return list(zip(preview.columns, preview.right, strict=True))


def _table_row(cells: tuple[str, ...], right: tuple[bool, ...]) -> str:
    return f"<tr>{''.join(f'<td{_side(one)}>{_safe(cell)}</td>' for cell, one in zip(cells, right, strict=True))}</tr>"


def _side(right: bool) -> str:
    return ' class="cm-right"' if right else ""


def _nodes(rows: tuple[NodeRow, ...]) -> str:
    """The nodes in the order of the graph, with a bar for the time that each has taken."""
    longest = max((row.seconds or 0.0 for row in rows), default=0.0)
    lines = [_node(row, longest) for row in rows]
    sides = [("node", False), ("state", False), ("in", True), ("out", True), ("time", False), ("", False)]
    heads = f"<tr>{''.join(f'<th{_side(right)}>{name}</th>' for name, right in sides)}</tr>"
    return f'<h2>Nodes</h2><div class="cm-wide"><table>{heads}{"".join(lines)}</table></div>' if lines else ""


def _node(row: NodeRow, longest: float) -> str:
    part = 100 * row.seconds / longest if row.seconds and longest else 0.0
    bar = f'<div class="cm-bar"><span style="width:{part:.0f}%"></span></div>' if row.seconds is not None else ""
    took = readable(row.seconds) if row.seconds is not None else ""
    tries = f" · try {row.attempts}" if row.attempts > 1 else ""
    done = f" · {row.done:,} done" if row.done is not None else ""
    state = f'<span class="cm-state cm-state-{row.status}">{row.status}</span>{tries}{done}'
    named = f"<td>{_safe(row.id)}</td><td>{state}</td>"
    counts = [
        f'<td class="cm-right">{sum(one.values()):,}</td>' if one else "<td></td>"
        for one in (row.items_in, row.items_out)
    ]
    return f"<tr>{named}{''.join(counts)}<td>{took}</td><td>{bar}</td></tr>"


def _params(params: Mapping[str, object]) -> str:
    lines = [
        f"<tr><td>{_safe(name)}</td><td>{_safe(json.dumps(value, ensure_ascii=False, default=str))}</td></tr>"
        for name, value in params.items()
    ]
    return f'<h2>Params</h2><div class="cm-wide"><table>{"".join(lines)}</table></div>' if lines else ""


def _failure(error: FailureView) -> str:
    item = "" if error.item_index is None else f", item {error.item_index}"
    frames = [f"  {one.file}:{one.line} in {one.function}" for one in error.frames if not one.library]
    text = "\n".join([f'"{error.node}"{item}: {error.type}: {error.message[:LONGEST]}', *frames[:10]])
    return f"<pre>{escape(text)}</pre>"


def _shown(one: Shown) -> str:
    held = table(one.table) if one.table is not None else "<p>too large to be shown here</p>"
    return f"<h2>{_safe(one.title)} <small>{one.count:,}</small></h2>{held}"


def _waits(rows: tuple[WaitRow, ...]) -> str:
    """What is waited for: of which node, of whom, until when."""
    said = [
        (
            row.node,
            "" if row.item is None else str(row.item),
            row.what,
            ", ".join(row.to),
            f"{row.due_at.astimezone():%Y-%m-%d %H:%M %Z}" if row.due_at else "",
        )
        for row in rows
    ]
    heads = ("node", "item", "waits for", "of", "until")
    found = TablePreview(columns=heads, rows=tuple(said), right=(False, True, False, False, False))
    return f"<h2>Waits for <small>{len(rows):,}</small></h2>{table(found)}" if rows else ""


def _safe(text: str) -> str:
    return escape(one_line(text[:LONGEST]))

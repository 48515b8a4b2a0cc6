"""Colours, marks and lettering of a drawn graph; everything reads on a light and on a dark page."""

from __future__ import annotations

from codemation.core.definition import NodeKind
from codemation.views.marks import NodeStatus

FAMILY: dict[NodeKind, str] = {
    NodeKind.START: "start",
    NodeKind.THEN: "code",
    NodeKind.MAP: "code",
    NodeKind.SPLIT: "code",
    NodeKind.TAP: "code",
    NodeKind.PARSE: "code",
    NodeKind.FILTER: "route",
    NodeKind.BRANCH: "route",
    NodeKind.SWITCH: "route",
    NodeKind.LOOP: "route",
    NodeKind.AGGREGATE: "unite",
    NodeKind.MERGE: "unite",
    NodeKind.JOIN: "unite",
    NodeKind.CATCH: "route",
    NodeKind.NOTEBOOK: "code",
    NodeKind.SUBWORKFLOW: "code",
    NodeKind.WAIT: "pause",
    NodeKind.APPROVE: "pause",
    NodeKind.WAIT_FOR_EVENT: "pause",
}
"""What the colour of a kind's mark says: where it begins, code, the ways part, they meet, the world is awaited."""

ICONS: dict[NodeKind, str] = {
    NodeKind.START: "M5.5 3.5v9l7-4.5z",
    NodeKind.THEN: "M5.5 4 1.8 8l3.7 4M10.5 4l3.7 4-3.7 4M9.2 3 6.8 13",
    NodeKind.MAP: "M2 5h10M9.5 2.5 12 5 9.5 7.5M2 11h10M9.5 8.5 12 11l-2.5 2.5",
    NodeKind.FILTER: "M2 3h12L9.6 8.4v4.8L6.4 11.4v-3z",
    NodeKind.SPLIT: "M2 8h4M6 8c3 0 2.5-4.5 5.5-4.5H14M6 8h8M6 8c3 0 2.5 4.5 5.5 4.5H14",
    NodeKind.AGGREGATE: "M12.5 4.8V3H3.8L8.6 8l-4.8 5h8.7v-1.8",
    NodeKind.TAP: "M8 2c2.6 3 4.2 5.2 4.2 7.6a4.2 4.2 0 0 1-8.4 0C3.8 7.2 5.4 5 8 2z",
    NodeKind.PARSE: "M6 2.5c-2.6 0-1 5-3.5 5.5C5 8.5 3.4 13.5 6 13.5M10 2.5c2.6 0 1 5 3.5 5.5-2.5.5-.9 5.5-3.5 5.5",
    NodeKind.BRANCH: "M2 8h3.5M5.5 8c3.5 0 2-4.3 5.3-4.3H14M5.5 8c3.5 0 2 4.3 5.3 4.3H14",
    NodeKind.SWITCH: "M8 2 14 8l-6 6-6-6zM8 6.5v3M6.5 8h3",
    NodeKind.LOOP: "M12.9 9.6A5.2 5.2 0 1 1 12 4.7M12.6 1.8v3.3H9.3",
    NodeKind.MERGE: "M14 8h-3.5M10.5 8C7 8 8.5 3.7 5.2 3.7H2M10.5 8C7 8 8.5 12.3 5.2 12.3H2",
    NodeKind.NOTEBOOK: "M4 2h8.5v12H4zM4 5H2.5M4 8H2.5M4 11H2.5M6.5 5.5h4M6.5 8.5h4",
    NodeKind.CATCH: "M3 4.5 8 2l5 2.5v4c0 2.8-2 4.6-5 5.5-3-.9-5-2.7-5-5.5zM8 5.5v3M8 10.8v.4",
    NodeKind.SUBWORKFLOW: "M2 3h12v10H2zM4.5 8h2.5M9 6h2.5v4H9zM7 8h2",
    NodeKind.WAIT: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3l2.2 1.6",
    NodeKind.APPROVE: "M3.5 2.5h9v11h-9zM5.7 8.2l1.7 1.7 3.1-3.8",
    NodeKind.WAIT_FOR_EVENT: "M4 11V7.3a4 4 0 0 1 8 0V11l1.4 1.2H2.6zM6.8 14.2h2.4",
    NodeKind.JOIN: "M6 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM10 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
}
"""Outlines in a square of 16."""

GLYPHS: dict[NodeStatus, str] = {
    NodeStatus.PENDING: "M6.5 8h3",
    NodeStatus.DUE: "M8 5v3l2 1.5",
    NodeStatus.RUNNING: "M8 4.3A3.7 3.7 0 1 1 4.3 8",
    NodeStatus.WAITING: "M6.3 5.5v5M9.7 5.5v5",
    NodeStatus.SUCCEEDED: "M4.9 8.3 7.1 10.4 11.1 6",
    NodeStatus.FAILED: "M5.7 5.7l4.6 4.6M10.3 5.7l-4.6 4.6",
    NodeStatus.SKIPPED: "M5 5.5 7.5 8 5 10.5M8.5 5.5 11 8l-2.5 2.5",
    NodeStatus.CANCELLED: "M6 6h4v4H6z",
}
"""The status as a shape, in a disc of 16."""

_LIGHT = {
    "card": "#ffffff", "rim": "#cbd3df", "ink": "#182230", "soft": "#5b6778", "line": "#94a1b4", "pale": "#f1f4f8",
    "frame": "#7c88a1", "start": "#4b5768", "code": "#6a50d9", "route": "#1f66c7", "unite": "#0b7a75",
    "pause": "#a86200",
    "pending": "#6b7789", "due": "#5b5bd6", "running": "#1f6fde", "waiting": "#a86200", "succeeded": "#16794a",
    "failed": "#c92a3c", "skipped": "#7b8798", "cancelled": "#7a5560",
}  # fmt: skip
_DARK = {
    "card": "#192130", "rim": "#364358", "ink": "#eef2f8", "soft": "#a3afc2", "line": "#5f6d84", "pale": "#232d3f",
    "frame": "#8592ab", "start": "#aab6c8", "code": "#a893ff", "route": "#6fb1ff", "unite": "#4fd1c5",
    "pause": "#f0a43a",
    "pending": "#93a0b4", "due": "#a5a8ff", "running": "#63a8ff", "waiting": "#f0a43a", "succeeded": "#3ecf8e",
    "failed": "#ff6b78", "skipped": "#8390a5", "cancelled": "#c99aa6",
}  # fmt: skip

_FONT = '-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Liberation Sans",system-ui,sans-serif'
_SHAPES = f"""\
.cm-graph{{font-family:{_FONT};color-scheme:light dark}}
.cm-graph text{{dominant-baseline:central}}
.cm-graph .cm-name{{font-size:13px;font-weight:600}}
.cm-graph .cm-note,.cm-graph .cm-label{{font-size:11px}}
.cm-graph .cm-heading{{font-size:12px;font-weight:600}}
.cm-graph .cm-shade{{fill:#0b1220;fill-opacity:.08}}
.cm-graph .cm-line{{fill:none;stroke-width:1.6;stroke-linecap:round}}
.cm-graph .cm-order .cm-line{{stroke-dasharray:2 5}}
.cm-graph .cm-back .cm-line{{stroke-dasharray:7 4}}
.cm-graph .cm-frame{{fill-opacity:.07;stroke-opacity:.6;stroke-dasharray:5 4}}
.cm-graph .cm-icon{{fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}}
.cm-graph .cm-glyph{{fill:none;stroke-width:1.9;stroke-linecap:round;stroke-linejoin:round}}
.cm-graph .cm-mark{{fill-opacity:.13}}
.cm-graph .cm-emoji{{font-size:16px;text-anchor:middle}}
.cm-graph .cm-skipped,.cm-graph .cm-empty{{opacity:.5}}
.cm-graph .cm-pending .cm-card,.cm-graph .cm-skipped .cm-card{{stroke-dasharray:4 3}}
.cm-graph .cm-failed .cm-card,.cm-graph .cm-running .cm-card{{stroke-width:2}}
@media (prefers-reduced-motion:no-preference){{
.cm-graph .cm-running .cm-glyph{{animation:cm-turn 1.2s linear infinite;transform-origin:8px 8px}}
.cm-graph .cm-live .cm-line{{stroke-dasharray:6 5;animation:cm-run .7s linear infinite}}
}}
@keyframes cm-turn{{to{{transform:rotate(360deg)}}}}
@keyframes cm-run{{to{{stroke-dashoffset:-11}}}}"""


def stylesheet() -> str:
    """The rules of a drawing: light as written, dark where the reader prefers it, all bound to `.cm-graph`."""
    dark = "\n".join(_colours(_DARK))
    return "\n".join([_SHAPES, *_colours(_LIGHT), "@media (prefers-color-scheme:dark){", dark, "}"])


def _colours(palette: dict[str, str]) -> list[str]:
    rules = [
        (".cm-card", f"fill:{palette['card']};stroke:{palette['rim']}"),
        (".cm-name", f"fill:{palette['ink']}"),
        (".cm-note,.cm-graph .cm-label", f"fill:{palette['soft']}"),
        (".cm-pill", f"fill:{palette['pale']};stroke:{palette['rim']}"),
        (".cm-frame,.cm-graph .cm-heading", f"fill:{palette['frame']};stroke:{palette['frame']}"),
        (".cm-heading", "stroke:none"),
        (".cm-line", f"stroke:{palette['line']}"),
        (".cm-tip,.cm-graph .cm-port", f"fill:{palette['line']}"),
        (".cm-given .cm-line", f"stroke:{palette['succeeded']}"),
        (".cm-given .cm-tip", f"fill:{palette['succeeded']}"),
        (".cm-live .cm-line", f"stroke:{palette['running']}"),
        (".cm-live .cm-tip", f"fill:{palette['running']}"),
        (".cm-glyph", f"stroke:{palette['card']}"),
        (".cm-failed .cm-note", f"fill:{palette['failed']}"),
    ]
    for family in ("start", "code", "route", "unite", "pause"):
        rules.append((f".cm-{family} .cm-icon", f"stroke:{palette[family]}"))
        rules.append((f".cm-{family} .cm-mark", f"fill:{palette[family]}"))
    for status in NodeStatus:
        rules.append((f".cm-{status} .cm-badge", f"fill:{palette[status]}"))
        if status not in (NodeStatus.PENDING, NodeStatus.SKIPPED):
            rules.append((f".cm-{status} .cm-card", f"stroke:{palette[status]}"))
    return [f".cm-graph {selector}{{{body}}}" for selector, body in rules]

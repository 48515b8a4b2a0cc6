"""What differs between two runs, as plain data, and as text that a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

_FONT = "font:13px/1.4 ui-monospace,Menlo,Consolas,monospace"
"""A notebook would letter a difference like prose."""
SHOWN = 20
"""Lines of a kind that the text shows; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamChange:
    """A parameter that differs; `None` where a run does not have it."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeChange:
    """A node whose code, wiring or configuration differs."""

    node: str
    what: str
    """`added`, `removed`, `rewired` or `rewritten`."""
    text: str = ""
    """A unified diff of the sources where both are at hand, else their digests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChange:
    """A column that differs; empty where a run does not have it."""

    node: str
    port: str
    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """A value that differs in rows that have the same key."""

    key: str
    column: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsChange:
    """What differs between the rows that a port held; what is listed is bounded, the counts are exact."""

    node: str
    port: str
    by: str
    """The columns that rows were matched by; `position` where none names a row."""
    before: int
    after: int
    """Rows in each run."""
    added: int = 0
    removed: int = 0
    changed: int = 0
    """Rows with a key that only one run has, and rows whose values differ."""
    cells: tuple[CellChange, ...] = ()
    added_keys: tuple[str, ...] = ()
    removed_keys: tuple[str, ...] = ()
    compared: bool = True
    """Whether rows were looked at; too many are only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingChange:
    """How long a node took in each run, in milliseconds; `None` where it was not executed."""

    node: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What differs between two runs, from the first to the second."""

    before: str
    after: str
    """The ids of the runs."""
    statuses: tuple[str, str] = ("", "")
    params: tuple[ParamChange, ...] = ()
    code: tuple[CodeChange, ...] = ()
    schema: tuple[ColumnChange, ...] = ()
    rows: tuple[RowsChange, ...] = ()
    timing: tuple[TimingChange, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether params, code, columns and rows are the same; timing never is."""
        return not (self.params or self.code or self.schema or self.rows)

    def __str__(self) -> str:
        """The difference as text."""
        return "\n".join(self.lines())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": f"<pre style='{_FONT}'>{escape(str(self))}</pre>"}

    def lines(self) -> list[str]:
        """The difference, line by line; bounded."""
        first, second = self.statuses
        lines = [f"{self.before} ({first}) → {self.after} ({second})"]
        if self.nothing:
            lines.append("params, code, columns and rows are the same")
        lines += _section("params", [f"{one.name}: {one.before!r} → {one.after!r}" for one in self.params])
        lines += _section("code", [line for one in self.code for line in _code_lines(one)], most=SHOWN * 5)
        lines += _section("columns", [_column_line(one) for one in self.schema])
        lines += _section("rows", [line for one in self.rows for line in _rows_lines(one)], most=SHOWN * 5)
        lines += _section("timing", [_timing_line(one) for one in self.timing])
        return lines


def _section(title: str, lines: list[str], most: int = SHOWN) -> list[str]:
    if not lines:
        return []
    more = [f"  … and {len(lines) - most} more"] if len(lines) > most else []
    return [title, *(f"  {line}" for line in lines[:most]), *more]


def _code_lines(change: CodeChange) -> list[str]:
    return [f"{change.node}: {change.what}", *(f"  {line}" for line in change.text.splitlines())]


def _column_line(change: ColumnChange) -> str:
    place = f"{change.node}.{change.port}: {change.column}"
    return f"{place}: {change.before or 'not there'} → {change.after or 'not there'}"


def _rows_lines(change: RowsChange) -> list[str]:
    counts = f"{change.before} → {change.after} rows"
    if not change.compared:
        return [f"{change.node}.{change.port}: {counts}, not compared: too many"]
    said = f"{change.added} added, {change.removed} removed, {change.changed} changed, by {change.by}"
    lines = [f"{change.node}.{change.port}: {counts}; {said}"]
    lines += [f"  + {key}" for key in change.added_keys]
    lines += [f"  - {key}" for key in change.removed_keys]
    lines += [f"  {one.key}: {one.column} {one.before!r} → {one.after!r}" for one in change.cells]
    return lines


def _timing_line(change: TimingChange) -> str:
    def said(milliseconds: int | None) -> str:
        return "not executed" if milliseconds is None else f"{milliseconds} ms"

    return f"{change.node}: {said(change.before)} → {said(change.after)}"

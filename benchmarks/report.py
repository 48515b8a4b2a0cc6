"""The figures for people, as text, and for programs, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.figures import Bar, Finding, Series


def header(machine: Mapping[str, str]) -> str:
    """What the figures were measured on."""
    return "\n".join(f"{name:>12}  {value}" for name, value in machine.items())


def details(finding: Finding) -> str:
    """Everything that a benchmark has measured: medians, and the smallest and largest value."""
    lines = [f"{finding.name}  {finding.title}"]
    lines += [_line(one) for one in finding.series]
    lines += [f"    {note}" for note in finding.notes]
    return "\n".join(lines)


def table(findings: Sequence[Finding]) -> str:
    """Each bar: the figure, the bar, and whether it was reached."""
    rows = [(finding, bar) for finding in findings for bar in finding.bars]
    width = max((len(bar.what) for _, bar in rows), default=0)
    return "\n".join(
        f"{finding.name:>4}  {bar.what:<{width}}  {_figure(bar.figure):>8} {_limit(bar):<22} {_verdict(finding, bar)}"
        for finding, bar in rows
    )


def save(path: Path, machine: Mapping[str, str], findings: Sequence[Finding]) -> None:
    """Write everything as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {
        "machine": dict(machine),
        "findings": [
            {
                "name": finding.name,
                "title": finding.title,
                "disturbed": finding.disturbed,
                "series": [
                    {"name": one.name, "unit": one.unit, "median": one.median, "values": one.values}
                    for one in finding.series
                ],
                "bars": [
                    {
                        "what": bar.what,
                        "figure": bar.figure,
                        "limit": bar.limit,
                        "unit": bar.unit,
                        "at_least": bar.at_least,
                        "reached": bar.reached,
                    }
                    for bar in finding.bars
                ],
                "notes": finding.notes,
            }
            for finding in findings
        ],
    }
    path.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _line(series: Series) -> str:
    low, high = series.spread
    spread = f"({_figure(low)} – {_figure(high)})" if len(series.values) > 1 else ""
    return f"    {series.name:<42} {_figure(series.median):>9} {series.unit:<14} {spread}"


def _verdict(finding: Finding, bar: Bar) -> str:
    said = "reached" if bar.reached else "NOT REACHED"
    return f"{said}, but disturbed: measure again when the machine is quiet" if finding.disturbed else said


def _limit(bar: Bar) -> str:
    return f"{'≥' if bar.at_least else '≤'} {bar.limit:g} {bar.unit}".rstrip()


def _figure(value: float) -> str:
    """Three digits that say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

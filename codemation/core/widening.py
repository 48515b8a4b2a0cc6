"""What `merge` and `join` are told, checked; the engine does both by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codemation.core.mistakes import listed, meant
from codemation.core.policies import Report
from codemation.core.steps import Step

ORDERS = ("append", "origin", "position")
MATCHES = ("inner", "left", "outer")


def check_merge(step: Step, inputs: Sequence[str], report: Report) -> dict[str, Any]:
    """The configuration of a merge: how its inputs are put together, and which of them are preferred."""
    by, prefer = step.config["by"], step.config["prefer"]
    if by not in ORDERS:
        report(f'by={by!r} of "{step.id}" is no way to merge', meant(by, ORDERS, f"there are: {listed(ORDERS)}"))
    names = _names(prefer)
    if names is None:
        report(f'prefer={prefer!r} of "{step.id}" is no list of inputs', f"name some of: {listed(inputs)}")
    for name in names or ():
        if name not in inputs:
            report(f'"{step.id}" has no input {name!r} to prefer', meant(name, inputs, f"it has {listed(inputs)}"))
    return {"by": by, "prefer": names or []}


def check_join(step: Step, inputs: Sequence[str], report: Report) -> dict[str, Any]:
    """The configuration of a join: the key, and what becomes of items without a match."""
    on, how = step.config["on"], step.config["how"]
    if how not in MATCHES:
        report(f'how={how!r} of "{step.id}" is no way to join', meant(how, MATCHES, f"there are: {listed(MATCHES)}"))
    keys = _names([on] if isinstance(on, str) else on)
    if not keys or not all(keys):
        report(f'on={on!r} of "{step.id}" names no column', 'on="id", or on=["country", "day"]')
    if len(inputs) < 2:
        report(f'"{step.id}" joins one flow with nothing', ".join(other_flow, on=…)")
    return {"on": keys or [], "how": how}


def _names(given: Any) -> list[str] | None:
    if isinstance(given, str) or not isinstance(given, Sequence):
        return None
    return list(given) if all(isinstance(name, str) for name in given) else None

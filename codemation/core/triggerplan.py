"""A trigger as plain data, in the definition of the workflow that it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerPlan:
    """What starts runs by itself; `config` is JSON."""

    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    """Params of the runs that it starts, where they are values."""
    code: str = ""
    """Digest of the functions that belong to it."""
    said: str = ""
    """What it does, for people."""
    place: str = ""
    """`file:line` where it was written; no part of any digest."""

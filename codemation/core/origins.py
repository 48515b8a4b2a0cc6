"""Where a run comes from that a trigger has started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_CHAIN = 32
"""Runs that may start one another by triggers before that is taken for a circle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The trigger that has started a run, and what set it off."""

    trigger: str
    """The id of the trigger: workflow, kind and what makes it itself."""
    key: str
    """What set it off, once: a tick, an item, a run."""
    at: str = ""
    """The time of the tick, as ISO 8601 has it, where it was one."""
    chain: int = 0
    """How many runs have started one another before this one."""

    @property
    def run_key(self) -> str:
        """The key of the run, so that it is started once."""
        return f"{self.trigger}@{self.key}"

    @property
    def said(self) -> str:
        """What people are told."""
        return f"{self.trigger}, {self.at or self.key}" if self.key or self.at else self.trigger

    def to_json(self) -> dict[str, Any]:
        """As it is kept with the run."""
        rest = {"at": self.at, "chain": self.chain}
        return {"trigger": self.trigger, "key": self.key, **{name: value for name, value in rest.items() if value}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Origin | None:
        """What `to_json` gave; `None` for a run that somebody has started."""
        if not value or not value.get("trigger"):
            return None
        return cls(trigger=value["trigger"], key=value["key"], at=value.get("at", ""), chain=int(value.get("chain", 0)))

"""How many runs of a workflow there may be at a time, and what becomes of one too many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from codemation.core.errors import RunInTheWay

WhenFull = Literal["queue", "skip", "replace"]


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most so many runs at a time; runs with different keys do not count together."""

    runs: int = 1
    when_full: WhenFull = "queue"
    """A run too many waits for its turn, is refused, or takes the place of the one that has begun first."""
    key: Any = None
    """`Params.<field>`, or `cm.expr(lambda item: …)` of the items that the run is given."""

    def __post_init__(self) -> None:
        if not isinstance(self.runs, int) or isinstance(self.runs, bool) or self.runs < 1:
            raise ValueError(f"runs={self.runs!r} is no number of runs; give a whole number, 1 or more")
        if self.when_full not in get_args(WhenFull):
            raise ValueError(f'when_full={self.when_full!r} is none of "queue", "skip" and "replace"')

    def to_json(self) -> dict[str, Any]:
        """What a definition says of it."""
        key = {} if self.key is None else {"key": repr(self.key)}
        return {"runs": self.runs, "when_full": self.when_full, **key}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnstile:
    """Where a run gets its place: it lets so many in at a time, and the others are queued before it."""

    name: str
    runs: int
    refuses: bool = False
    """Whether a run that gets no place at once is not started at all."""


def refused(workflow: str, run: str) -> RunInTheWay:
    """What is raised instead of starting one run too many; `run` is in its way."""
    return RunInTheWay(
        f'"{workflow}" is running already: run {run}',
        run=run,
        way_out=f"wait for it, or stop it: codemation runs cancel {run}",
    )


def turnstile(workflow: str, said: Mapping[str, Any], key: object = None) -> Turnstile | None:
    """Where runs of a workflow get their places, by what its definition says of it; `None` where it says nothing."""
    if not said:
        return None
    name = workflow if key is None else f"{workflow}/{key}"
    return Turnstile(name=name, runs=said["runs"], refuses=said["when_full"] == "skip")

"""Why a node ran, will run, or does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What becomes of one node, or has become of it, and why."""

    node: str
    what: str
    """`ran`, `failed`, `pinned`, `cached`, `taken over`, `skipped`, `due`, `waits`, `will run` or `not reached`."""
    because: str

    def __str__(self) -> str:
        """The answer as a sentence."""
        return f"{self.node} {self.what}: {self.because}" if self.because else f"{self.node} {self.what}"


class Reasons(dict[str, Why]):
    """The answers for the nodes of a run or of a plan, sources first."""

    def __str__(self) -> str:
        """A line for each node."""
        wide = max(map(len, self), default=0)
        kinds = max((len(one.what) for one in self.values()), default=0)
        lines = (f"{node:{wide}}  {one.what:{kinds}}  {one.because}".rstrip() for node, one in self.items())
        return "\n".join(lines)

    def __repr__(self) -> str:
        """What is printed at a prompt."""
        return str(self)

    def that(self, *what: str) -> tuple[str, ...]:
        """The nodes of which one of these is said: `why.that("ran")`."""
        return tuple(node for node, one in self.items() if one.what in what)


class Forecast(Protocol):
    """What a run would do that has not been started."""

    def why(self) -> Reasons:
        """For each node why it would run, or would not."""

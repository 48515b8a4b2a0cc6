"""How rows stand against what was expected of them, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One thing that was expected of the rows, and how it stands with it."""

    what: str
    met: bool
    rows: int = 0
    """How many rows do not meet it."""
    examples: tuple[str, ...] = ()
    """The first of them."""

    def __str__(self) -> str:
        """One line, and one for each example."""
        said = f"{'met' if self.met else 'NOT MET':>7}  {self.what}"
        if self.rows:
            said += f": {self.rows:,} row{'' if self.rows == 1 else 's'} not"
        return "\n".join([said, *(f"         {example}" for example in self.examples)])


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """How some rows stand against everything that was expected of them."""

    rows: int
    expectations: tuple[Expectation, ...]

    @property
    def unmet(self) -> tuple[Expectation, ...]:
        """What is not met."""
        return tuple(one for one in self.expectations if not one.met)

    def __str__(self) -> str:
        """What is not met first, then what is."""
        met = [one for one in self.expectations if one.met]
        head = f"{self.rows:,} row{'' if self.rows == 1 else 's'}: "
        head += f"{len(self.unmet)} of {len(self.expectations)} expectations not met"
        return "\n".join([head, *map(str, [*self.unmet, *met])])

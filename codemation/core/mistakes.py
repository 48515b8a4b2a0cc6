"""What an author got wrong, all of it at once, each with its place and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from codemation.core.errors import CodemationError
from codemation.core.places import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that cannot work as it is written."""

    place: Place
    what: str
    way_out: str


class AuthorError(CodemationError):
    """The workflow as written cannot work."""

    def __init__(self, workflow: str, mistakes: Sequence[Mistake]) -> None:
        self.workflow = workflow
        self.mistakes = tuple(sorted(dict.fromkeys(mistakes), key=lambda mistake: mistake.place.rank))
        super().__init__(_report(workflow, self.mistakes))

    def __reduce__(self) -> tuple[Any, ...]:
        return AuthorError, (self.workflow, self.mistakes)

    def _render_traceback_(self) -> list[str]:
        """What Jupyter shows: the mistakes alone, for the frames between are of no use to their author."""
        return [f"AuthorError: {self}"]


def near(word: object, known: Collection[str]) -> str | None:
    """The known word that was probably meant."""
    found = difflib.get_close_matches(str(word), known, n=1)
    return found[0] if found else None


def meant(word: object, known: Collection[str], otherwise: str) -> str:
    """The way out of a word that does not exist."""
    found = near(word, known)
    return f"did you mean {found!r}?" if found else otherwise


def listed(words: Collection[object], nothing: str = "nothing") -> str:
    """Words behind one another, for a message."""
    return ", ".join(str(word) for word in words) or nothing


def _report(workflow: str, mistakes: Sequence[Mistake]) -> str:
    count = len(mistakes)
    lines = [f'workflow "{workflow}" has {count} mistake{"" if count == 1 else "s"}', ""]
    width = len(str(count))
    for number, mistake in enumerate(mistakes, 1):
        indent = " " * (width + 2)
        lines.append(f"{number:>{width}}. {mistake.what}")
        lines.append(f"{indent}{mistake.place}   {mistake.place.source}".rstrip())
        lines.append(f"{indent}→ {mistake.way_out}")
    return "\n".join(lines)

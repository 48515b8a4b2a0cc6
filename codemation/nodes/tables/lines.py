"""Rows that could not be read: where they stand, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from codemation.core.errors import NodeError
from codemation.core.items import Failure

MOST: Final = 10_000
"""Bad rows of one file that are told one by one; with more of them it is probably another kind of file."""
_SHOWN: Final = 200


@dataclass(slots=True)
class BadRows:
    """The rows of one file that cannot be read."""

    path: Path
    failures: list[Failure[Any]] = field(default_factory=list)

    def add(self, line: int, text: str, reason: str) -> None:
        """Note one.

        Raises:
            NodeError: there are too many.
        """
        if len(self.failures) >= MOST:
            raise NodeError(
                f"{self.path} has more than {MOST:,} rows that cannot be read, the first: {self.failures[0].error}",
                way_out="see what kind of file it is: its delimiter, its encoding, its types",
            )
        item = {"path": str(self.path), "line": line, "text": text[:_SHOWN]}
        self.failures.append(Failure(item=item, type="BadRow", error=f"{self.path}, line {line}: {reason}", node=""))

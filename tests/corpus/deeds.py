"""What a workflow of the corpus has done to the world, whichever process did it."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

WHERE = "CORPUS_DEEDS"
"""The variable that says in which folder it is written down."""


class Deeds:
    """A list of words that outlives the process."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def _file(self) -> Path:
        return Path(os.environ[WHERE]) / self._name

    def append(self, deed: str) -> None:
        """Write down a deed, in a line of its own."""
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{deed}\n".encode())
        os.close(descriptor)

    def extend(self, deeds: Iterable[str]) -> None:
        """Write down several."""
        for deed in deeds:
            self.append(deed)

    def clear(self) -> None:
        """Forget all of it."""
        self._file.unlink(missing_ok=True)

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else [])

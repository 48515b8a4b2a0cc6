"""Finds what executes notebooks, when it is first needed: named in the settings, or installed with an entry point."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from codemation.core.errors import HostError
from codemation.core.ports import NotebookRunner

GROUP = "codemation.notebooks"
"""The entry points of what executes notebooks; each gives a function from the app's folder to a runner."""


class NoNotebooks(HostError):
    """Nothing here executes notebooks."""


class Notebooks:
    """The runner of an app."""

    def __init__(self, root: Path, named: str | None) -> None:
        self._root = root
        self._named = named
        self._runner: NotebookRunner | None = None

    def run(self, path: str, parameters: Mapping[str, object]) -> object:
        """Execute a notebook.

        Raises:
            NoNotebooks: there is no such notebook, or nothing that executes any.
        """
        if not (self._root / path).is_file():
            raise NoNotebooks(f"there is no notebook {path} in {self._root}", way_out="name it as seen from the app")
        if self._runner is None:
            self._runner = self._found()
        return self._runner.run(path, parameters)

    def _found(self) -> NotebookRunner:
        if self._named is not None:
            module, _, name = self._named.partition(":")
            try:
                make: Any = getattr(importlib.import_module(module), name)
            except (ImportError, AttributeError, ValueError) as error:
                raise NoNotebooks(f"notebooks = {self._named!r} of the settings cannot be imported: {error}") from error
        else:
            installed = list(entry_points(group=GROUP))
            if not installed:
                raise NoNotebooks(
                    "nothing here executes notebooks",
                    way_out=f'install something with an entry point of the group "{GROUP}", or name a function in the '
                    'settings: notebooks = "module:name"',
                )
            make = installed[0].load()
        runner: NotebookRunner = make(self._root)
        return runner

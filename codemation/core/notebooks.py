"""Notebooks as nodes: what an author writes, and how it is called. What executes notebooks is behind a port."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from codemation.core.annotations import readable
from codemation.core.errors import NodeError
from codemation.core.inputs import adapter
from codemation.core.policies import Report

if TYPE_CHECKING:  # what an author imports loads no ports
    from codemation.core.ports import NotebookRunner

KEY = "$notebook"
"""Under which the path stands in the configuration of its node; no parameter of a notebook can be called so."""
_SIGNS = re.compile(r"[^\w.\-]+")


class NotebookError(NodeError):
    """A notebook gave something else than its node promises."""


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook that is executed for each item, with parameters, and gives one model."""

    path: Any
    outputs: Any

    @property
    def __name__(self) -> str:
        return _SIGNS.sub("_", PurePosixPath(str(self.path)).stem) or "notebook"

    def __call__(self, _item: object, /, *, _runner: NotebookRunner, **parameters: object) -> Any:
        """Execute it with these parameters.

        Raises:
            NotebookError: what it gives does not fit.
        """
        given = _runner.run(str(self.path), parameters)
        try:
            return adapter(self.outputs).validate_python(given)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            said = f"{where}: {first['msg']}" if where else first["msg"]
            raise NotebookError(f"{self.path} gave something that is no {readable(self.outputs)}: {said}") from None


def check_notebook(notebook: Notebook, parameters: Mapping[str, object], report: Report) -> None:
    """Report what cannot be a notebook, or a parameter of one."""
    path = notebook.path
    if not isinstance(path, str) or not path.endswith(".ipynb"):
        report(f".notebook({path!r}) names no notebook", '.notebook("notebooks/revenue.ipynb", outputs=Report)')
    elif PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        report(f".notebook({path!r}) leads out of the app", "name it as seen from the folder of the app")
    for name in parameters:
        if name.startswith("_"):
            report(f"{name!r} cannot be a parameter of a notebook", "begin it with a letter")

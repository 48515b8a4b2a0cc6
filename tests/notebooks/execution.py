"""Executes notebooks as their readers do: with papermill as it comes, in a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from codemation.host.settings import PREFIX

TUTORIALS = Path(__file__).parents[2] / "notebooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What came of a notebook."""

    code: int
    said: str
    """What papermill wrote to its error stream."""
    cells: dict[str, Any]
    """The cells that hold code, by id."""

    def text(self, cell: str) -> str:
        """What a cell shows as plain text, and what it has printed."""
        return self._outputs(cell, "text/plain")

    def html(self, cell: str) -> str:
        """What a cell shows in a browser."""
        return self._outputs(cell, "text/html")

    def _outputs(self, cell: str, kind: str) -> str:
        outputs = self.cells[cell]["outputs"]
        return "\n".join(output["text"] if "text" in output else output["data"].get(kind, "") for output in outputs)


def execute(notebook: Path, folder: Path, *parameters: str) -> Executed:
    """Execute a notebook in a folder; a PostgreSQL starts there by itself."""
    target = folder / f"{notebook.stem}.out.ipynb"
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(notebook), str(target)]
    for parameter in parameters:
        command += ["-r", *parameter.split("=", 1)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    cells = nbformat.read(target, as_version=4)["cells"] if target.exists() else []
    return Executed(
        code=done.returncode, said=done.stderr, cells={cell["id"]: cell for cell in cells if "outputs" in cell}
    )


def written(folder: Path, cells: Sequence[str]) -> Path:
    """Write a notebook whose cells are called `cell-1`, `cell-2`, …."""
    book = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    )
    book["cells"] = [nbformat.v4.new_code_cell(code, id=f"cell-{number}") for number, code in enumerate(cells, 1)]
    path = folder / "written.ipynb"
    nbformat.write(book, path)
    return path


def source(name: str) -> dict[str, str]:
    """The code of a tutorial, by the id of its cells."""
    cells = nbformat.read(TUTORIALS / name, as_version=4)["cells"]
    return {cell["id"]: cell["source"] for cell in cells if cell["cell_type"] == "code"}

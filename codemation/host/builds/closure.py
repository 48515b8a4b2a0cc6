"""Which files of an app a workflow needs: its own, the app's modules that these import, and what lies beside them.

Imports are read, not followed while they happen, so that one within a function counts as well. What a module looks up
by a name that it makes is not seen. Files that are no Python belong to the folder that they lie in, as a stylesheet
does; what is hidden belongs to nobody: secrets and leftovers stay at home.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LEFT_OUT = ("__pycache__", "node_modules")


@dataclass(slots=True)
class Closure:
    """The files of an app that have been found to be needed."""

    root: Path
    files: set[Path] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    """Top-level names of modules that are not the app's."""

    def add(self, file: Path) -> None:
        """Add a Python file, and all that it needs."""
        waiting = [file]
        while waiting:
            one = waiting.pop()
            if one in self.files:
                continue
            self.files.add(one)
            waiting += [path for path in self._packages(one) if path not in self.files]
            waiting += [path for name in _imported(one, self.root) for path in self._found(name)]

    def data(self) -> Iterator[Path]:
        """What is no Python in the packages that are needed, and beside other modules in folders of the app."""
        packages = {file.parent for file in self.files if file.name == "__init__.py"}
        folders = {file.parent for file in self.files} - packages - {self.root}
        for path in sorted({*(one for package in packages for one in package.rglob("*")), *_beside(folders)}):
            if path.is_file() and path.suffix not in (".py", ".pyc") and not _hidden(path.relative_to(self.root)):
                yield path

    def _packages(self, file: Path) -> Iterator[Path]:
        """What makes the folders of a module a package."""
        for folder in file.parents:
            if folder == self.root:
                return
            if (folder / "__init__.py").is_file():
                yield folder / "__init__.py"

    def _found(self, name: str) -> Iterable[Path]:
        """The file of a module, if it is one of the app's; a package, or something in a module, comes by its module."""
        parts = name.split(".")
        while parts:
            path = self.root.joinpath(*parts)
            for file in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
                if file.is_file() and not _hidden(file.relative_to(self.root)):
                    return (file,)
            if path.is_dir() and len(parts) < len(name.split(".")):
                return ()
            parts.pop()
        if not (self.root / name.partition(".")[0]).is_dir():
            self.foreign.add(name.partition(".")[0])
        return ()


def _beside(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from folder.iterdir()


def _hidden(path: Path) -> bool:
    """Whether a path within the app is nobody's business."""
    *folders, name = path.parts
    outside = any(part.startswith(".") or part in _LEFT_OUT for part in folders)
    return outside or name.startswith(".")


def _imported(file: Path, root: Path) -> Iterator[str]:
    """The full names of what a module imports; of `from a import b` both `a` and `a.b`, for b may be a module."""
    tree = ast.parse(file.read_bytes(), str(file))
    relative = file.relative_to(root).with_suffix("").parts
    package = relative[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            if base is not None:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _base(node: ast.ImportFrom, package: Sequence[str]) -> str | None:
    """The module that something is imported from."""
    if not node.level:
        return node.module
    if node.level - 1 > len(package):
        return None
    parts = [*package[: len(package) - node.level + 1], *([node.module] if node.module else [])]
    return ".".join(parts) or None

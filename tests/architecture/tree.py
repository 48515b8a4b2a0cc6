"""The repository as the architecture tests see it: what was written, without what was made from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

_MADE = {"build", "dist", "htmlcov", "node_modules", "__pycache__"}
_HIDDEN_BUT_WRITTEN = {".ci", ".github"}
_TEXT = {
    ".cfg",
    ".css",
    ".html",
    ".ini",
    ".ipynb",
    ".js",
    ".json",
    ".md",
    ".mako",
    ".py",
    ".pyi",
    ".sh",
    ".sql",
    ".svg",
}
_TEXT |= {".toml", ".ts", ".txt", ".yaml", ".yml"}
_TEXT_BY_NAME = {".gitignore", "LICENSE", "Makefile", "requirements.lock", "run"}


def files(*under: str, suffix: str = "") -> Iterator[Path]:
    """Every file that somebody wrote, in a stable order; below the folders `under`, or in the whole tree."""
    for start in under or (".",):
        for folder, folders, names in os.walk(ROOT / start):
            folders[:] = sorted(name for name in folders if _is_written(name))
            yield from (Path(folder, name) for name in sorted(names) if name.endswith(suffix))


def texts() -> Iterator[tuple[str, str]]:
    """Path below the root and content of every written text file."""
    for path in files():
        if path.suffix in _TEXT or path.name in _TEXT_BY_NAME:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def _is_written(folder: str) -> bool:
    if folder.startswith("."):
        return folder in _HIDDEN_BUT_WRITTEN
    return folder not in _MADE and not folder.endswith(".egg-info")

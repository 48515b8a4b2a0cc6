"""An app whose files change while it works: what is written now takes over, and what is broken leaves all as it was.

Theory of operation. What is written is taken as a bundle, in one look, and loaded beside what is there. So runs under
way keep the code that they began with, imports within functions included, and nothing is ever half new. A workflow
whose file, or whatever that imports, is broken stays as it was last when it was whole.
"""

from __future__ import annotations

import importlib
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from codemation.core.drift import drift
from codemation.core.mistakes import AuthorError
from codemation.host.builds.bundle import Bundle, laid_out
from codemation.host.builds.closure import Closure
from codemation.host.builds.loading import forget_space, space_of, sweep
from codemation.host.catalog import Catalog, Found, Problem, collect, problem_of, shown, workflow_files
from codemation.host.settings import Settings

_log = logging.getLogger("codemation.reload")
KEPT = 20
"""Versions of the app whose modules are kept for runs under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """What came of a change."""

    catalog: Catalog
    """What counts from now on; its problems are those of what is written now."""
    changes: tuple[str, ...]
    """What workflows do differently, a line each."""
    mended: tuple[Path, ...]
    """Files that were broken before."""


class Reloader:
    """The workflows of an app as its files have them, again and again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.root.resolve()
        self._home = settings.state / "code"
        self._kept: deque[str] = deque()
        self.catalog = Catalog(self._root, settings.config.workflows)
        """What counts."""
        sweep(self._home)

    def load(self) -> Reload:
        """Look at all files now."""
        before, after = self.catalog, self._fresh()
        broken = {problem.file for problem in after.problems}
        for name, found in before.workflows.items():
            if found.file in broken:
                after.workflows.setdefault(name, found)
        mended = {problem.file for problem in before.problems} - broken
        self.catalog = after
        return Reload(catalog=after, changes=tuple(_changes(before, after)), mended=tuple(sorted(mended)))

    def _fresh(self) -> Catalog:
        """The workflows that can be loaded from what is written now."""
        catalog = Catalog(self._root, self._settings.config.workflows)
        closure, files = Closure(self._root), []
        for file in workflow_files(self._root / self._settings.config.workflows):
            try:
                closure.add(file)
                files.append(file)
            except SyntaxError as error:
                catalog.problems.append(problem_of(error, file, self._root))
        paths = sorted({*closure.files, *closure.data()})
        bundle = Bundle(files={path.relative_to(self._root).as_posix(): path.read_bytes() for path in paths})
        space = self._space(bundle)
        imported = []
        for file in files:
            module = self._imported(space, file, catalog.problems)
            if module is not None:
                imported.append((module, shown(file, self._root)))
        collect(catalog, imported)
        return catalog

    def _space(self, bundle: Bundle) -> str:
        space = space_of(bundle, laid_out(bundle, self._home), self._root)
        self._kept = deque(one for one in self._kept if one != space)
        self._kept.append(space)
        while len(self._kept) > KEPT:
            forget_space(self._kept.popleft())
        return space

    def _imported(self, space: str, file: Path, problems: list[Problem]) -> ModuleType | None:
        parts = file.relative_to(self._root).with_suffix("").parts
        if any("." in part for part in parts):
            said = "a dot within the name of a file or folder parts the names of modules"
            problems.append(Problem(file=shown(file, self._root), message=said, detail="Write - or _ instead."))
            return None
        try:
            return importlib.import_module(f"{space}.{'.'.join(parts)}")
        except AuthorError as error:
            said = "a workflow has mistakes"
            problems.append(Problem(file=shown(file, self._root), message=said, detail=str(error)))
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a file raises, the others shall work
            problems.append(problem_of(error, file, self._root))
        return None


def _changes(before: Catalog, after: Catalog) -> Sequence[str]:
    """What workflows do differently."""
    lines = []
    for name in sorted({*before.workflows, *after.workflows}):
        old, new = before.workflows.get(name), after.workflows.get(name)
        if old is None:
            lines.append(f"+ {name}")
        elif new is None:
            lines.append(f"- {name}")
        elif old.workflow.digest != new.workflow.digest:
            lines.append(f"~ {name}: {_said(old, new)}")
    return lines


def _said(old: Found, new: Found) -> str:
    lines = drift(old.workflow.definition, new.workflow.definition).lines()
    return "; ".join(lines) or "nothing that shows in the nodes"

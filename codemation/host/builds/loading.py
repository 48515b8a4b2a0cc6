"""From a build back to workflows: several versions of the same modules side by side in one process.

Theory of operation. The modules of a bundle are imported under a name of its own, `_build_<digest>.workflows.sales`.
What they import is looked up there first: each of them has a `__import__` of its own, which holds for imports at the
top and for those within functions. So nothing in `sys.modules` is taken away from anybody, and a class of one version
is never taken for that of another. A workflow counts only if its digest is the one that was asked for: code that this
Python or these libraries read differently is refused, and said once.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.machinery
import importlib.util
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from codemation.core.errors import CodemationError, HostError, StoreUnavailable
from codemation.core.nesting import below
from codemation.core.ports import Deployments
from codemation.core.workflow import Workflow
from codemation.host.builds.bundle import Bundle, laid_out, unpacked

if TYPE_CHECKING:
    from codemation.host.app import App

_log = logging.getLogger("codemation.builds")
FRESH = 300.0
"""Seconds for which what the database has is not asked for again, unless something was deployed."""
AGAIN = 5.0
"""Seconds after which a definition that was not there is looked for again."""
UNUSED = 7 * 24 * 3600.0
"""Seconds without any use after which the files of a build are removed from this machine."""
_guard = threading.RLock()
"""One import at a time: Python's own locks are by name, and a name here stands for what is still being set up."""


class BuiltCode:
    """The code of whatever was deployed, by the digest of its definition."""

    def __init__(self, deployments: Deployments, home: Path) -> None:
        """`home` is a folder of this machine where files are laid out."""
        self._deployments = deployments
        self._home = home
        self._refused: dict[str, str] = {}
        self._known: frozenset[str] = frozenset()
        self._spaces: dict[str, str] = {}
        """Where the code of what was given is, by definition."""
        self._asked_at = float("-inf")

    def digests(self) -> frozenset[str]:
        """The definitions whose code can be had here, as of a while ago."""
        self._ask(FRESH)
        return self._known - self._refused.keys()

    def _ask(self, fresh: float) -> None:
        """Ask the database what it has, if that was not done in the last seconds."""
        if time.monotonic() - self._asked_at < fresh:
            return
        try:
            self._known = self._deployments.definitions()
        except StoreUnavailable as error:
            _log.info("deployments could not be looked up: %s", error.message)
        self._asked_at = time.monotonic()

    def look_again(self) -> None:
        """Ask the database at the next occasion, and try again what was refused."""
        self._asked_at = float("-inf")
        self._refused.clear()

    def find(self, digest: str) -> Workflow[Any, ...] | None:
        """The workflow of a definition, if it was deployed and can be loaded here."""
        if digest not in self._known:
            self._ask(AGAIN)
        if digest in self._refused or digest not in self._known:
            return None
        try:
            return self._loaded(digest)
        except StoreUnavailable:
            return None
        except CodemationError as error:
            self._refused[digest] = error.message
            _log.error("the code of definition %s cannot be used here: %s", digest[:12], error)
            return None

    def beside(self, digest: str) -> frozenset[str]:
        """The definitions of the same bundle, if this one was given."""
        space = self._spaces.get(digest)
        return frozenset() if space is None else frozenset(one for one, its in self._spaces.items() if its == space)

    def forget(self, digest: str) -> None:
        """Let go of the modules of its bundle."""
        gone = self.beside(digest)
        if gone:
            forget_space(self._spaces[digest])
            self._spaces = {one: space for one, space in self._spaces.items() if one not in gone}
            _log.info("code of bundle %s was not used for long, and is let go of", digest[:12])

    def _loaded(self, digest: str) -> Workflow[Any, ...] | None:
        place = self._deployments.code(digest)
        if place is None:
            return None
        bundle, file = place
        files = unpacked(self._deployments.bundle(bundle), bundle)
        found = loaded(files, self._home, file)
        self._spaces = {**self._spaces, **dict.fromkeys(found, name_of(files))}
        if digest not in found:
            raise HostError(
                f"{file} of bundle {bundle[:12]} gives other definitions here: {', '.join(one[:12] for one in found)}",
                way_out="build and deploy with the Python and the libraries that the workers have",
            )
        return found[digest]


def provide_builds(app: App) -> None:
    """Let an app work with whatever was deployed, beside what is in its folder."""
    app.code.provide(BuiltCode(app.stores.deployments, app.settings.state / "code"))


def loaded(bundle: Bundle, home: Path, file: str) -> dict[str, Workflow[Any, ...]]:
    """The workflows of a file of a bundle, and those below them, by digest.

    Raises:
        HostError: the file cannot be imported; says why.
    """
    with _guard:
        space = space_of(bundle, laid_out(bundle, home))
        try:
            module = importlib.import_module(f"{space}.{'.'.join(Path(file).with_suffix('').parts)}")
        except CodemationError:
            raise
        except (Exception, SystemExit) as error:
            raise HostError(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    workflows = [value for value in vars(module).values() if isinstance(value, Workflow)]
    return {inner.digest: inner for one in workflows for inner in below(one)}


def name_of(bundle: Bundle) -> str:
    """What the package is called that stands for a bundle."""
    return f"_build_{bundle.digest[:16]}"


def space_of(bundle: Bundle, folder: Path, origin: Path | None = None) -> str:
    """The package that stands for a bundle in this process; its modules are shown as files of `origin`, if any."""
    name = name_of(bundle)
    if name not in sys.modules:
        if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _Finder())
        os.utime(folder)  # it is in use
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        package.__dict__["__origin__"] = (str(folder), str(origin or folder))
        package.__dict__["__tops__"] = frozenset(path.partition("/")[0].removesuffix(".py") for path in bundle.files)
        sys.modules[name] = package
    return name


def forget_space(name: str) -> None:
    """Let go of the modules of a build; code that is in use goes on, and looks nothing up any more."""
    for module in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
        del sys.modules[module]


def sweep(home: Path) -> None:
    """Remove the files of builds that nobody on this machine has used for long."""
    for folder in home.iterdir() if home.is_dir() else ():
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > UNUSED and f"_build_{folder.name[:16]}" not in sys.modules:
                shutil.rmtree(folder, ignore_errors=True)


class _Finder:
    """Finds the modules of builds as Python finds all others, and lets them be loaded our way."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Where a module is."""
        if not name.startswith("_build_"):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(name, spec.loader.path)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module of a build."""

    def exec_module(self, module: ModuleType) -> None:
        """Execute it, with imports of its own."""
        module.__dict__["__builtins__"] = _builtins_of(module.__name__.partition(".")[0])
        if module.__file__ is not None:
            module.__file__ = self._shown(module.__file__)
        super().exec_module(module)

    def source_to_code(  # type: ignore[override]  # a method of its class, and not of the one that declares it
        self, data: Any, path: Any, *, _optimize: int = -1
    ) -> Any:
        """Code that says where its author finds it."""
        return super().source_to_code(data, self._shown(path), _optimize=_optimize)

    def _shown(self, path: Any) -> str:
        folder, origin = vars(sys.modules[self.name.partition(".")[0]])["__origin__"]
        return f"{origin}{str(path).removeprefix(folder)}"

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """What is compiled is kept in memory alone: the folder holds the files of the bundle, and nothing else."""


def _builtins_of(space: str) -> dict[str, Any]:
    """The builtins of the modules of a build."""
    tops: frozenset[str] = vars(sys.modules[space])["__tops__"]

    def import_(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - so Python calls it
        locals: Mapping[str, object] | None = None,  # noqa: A002 - so Python calls it
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level or top not in tops:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        found = builtins.__import__(f"{space}.{name}", globals, locals, fromlist or (), 0)
        return found if fromlist else sys.modules[f"{space}.{top}"]

    return {**vars(builtins), "__import__": import_}

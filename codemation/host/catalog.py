"""The workflows of an app: every module-level `Workflow` in the Python files of its workflow folder.

A file that cannot be imported is a problem that is reported; the others work. A file `workflows/sales/sync.py` is the
module `workflows.sales.sync`, with the app's folder on the path, so that what it defines has the same name wherever it
is imported: in the CLI, in a notebook, in a worker.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from codemation.core.errors import HostError
from codemation.core.flow import Flow
from codemation.core.mistakes import AuthorError
from codemation.core.workflow import Workflow


class UnknownWorkflow(HostError):
    """No workflow of the app has that id."""


class BrokenFile(HostError):
    """A file of workflows cannot be imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A workflow and where it stands."""

    workflow: Workflow[Any, ...]
    file: Path
    name: str
    """Of the module-level variable."""

    @property
    def source(self) -> str:
        """`file:name`, as it is given to `codemation run`."""
        return f"{self.file}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a file."""

    file: Path
    message: str
    detail: str = ""
    """The traceback from the file on, or the list of mistakes."""


@dataclass(slots=True)
class Catalog:
    """What was found."""

    root: Path
    folder: str
    workflows: dict[str, Found] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def find(self, wanted: str) -> Found:
        """A workflow by its id, or by the end of it if that is unmistakable (`delays` for `flights.delays`).

        Raises:
            UnknownWorkflow: there is none, or there are several; says what there is.
        """
        if wanted in self.workflows:
            return self.workflows[wanted]
        ending = [found for id_, found in self.workflows.items() if id_.rpartition(".")[2] == wanted]
        if len(ending) == 1:
            return ending[0]
        raise UnknownWorkflow(f"no workflow {wanted!r} in {self.root / self.folder}", way_out=self._way_out(wanted))

    def _near(self, wanted: str) -> list[str]:
        """The ids that were probably meant, by the whole of them or by their ends."""
        endings = {id_.rpartition(".")[2]: id_ for id_ in self.workflows}
        by_ending = [endings[ending] for ending in get_close_matches(wanted, endings, 3)]
        return list(dict.fromkeys([*get_close_matches(wanted, self.workflows, 3), *by_ending]))

    def _way_out(self, wanted: str) -> str:
        broken = ", ".join(str(problem.file) for problem in self.problems)
        hints = []
        if near := self._near(wanted):
            hints.append(f"did you mean {' or '.join(near)}?")
        elif self.workflows:
            hints.append(f"there are: {', '.join(sorted(self.workflows))}")
        else:
            hints.append(f"put one into {self.folder}/, for example {self.folder}/hello.py, and end it with .build()")
        if broken:
            hints.append(f"these files could not be read: {broken} (see: codemation workflows list)")
        return "; ".join(hints)


def discover(root: Path, folder: str = "workflows") -> Catalog:
    """Import every file of the workflow folder and collect what it defines."""
    catalog = Catalog(root, folder)
    base = root / folder
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    for file in _files(base):
        try:
            module = _imported(file, base, folder)
        except AuthorError as error:
            catalog.problems.append(
                Problem(file=_shown(file, root), message="a workflow has mistakes", detail=str(error))
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a file raises, the others shall work
            catalog.problems.append(_problem(error, file, root))
        else:
            _collect(catalog, module, _shown(file, root))
    return catalog


def load_file(path: Path, root: Path | None = None, folder: str = "workflows") -> Catalog:
    """The workflows of one file anywhere, for `codemation run path/to/file.py:name`.

    A file in the workflow folder of the app at `root` gets the module name that `discover` gives it.

    Raises:
        UnknownWorkflow: there is no such file.
        BrokenFile: it cannot be imported.
        AuthorError: a workflow in it has mistakes.
    """
    if not path.is_file():
        raise UnknownWorkflow(f"there is no file {path}")
    file = path.resolve()
    inside = root is not None and file.is_relative_to(root.resolve() / folder)
    place = root.resolve() if root is not None and inside else file.parent
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))
    catalog = Catalog(path.parent, path.name)
    try:
        module = _imported(file, place / folder, folder) if inside else _from_path(file, _free_name(file))
    except AuthorError:
        raise
    except (Exception, SystemExit) as error:
        problem = _problem(error, file, file.parent)
        message = f"{path} cannot be imported: {problem.message}"
        raise BrokenFile(f"{message}\n{problem.detail}".rstrip()) from error
    _collect(catalog, module, path)
    return catalog


def _free_name(file: Path) -> str:
    """A module name for a file anywhere: its own, unless another module has that."""
    known = sys.modules.get(file.stem)
    taken = known is not None and getattr(known, "__file__", None) != str(file)
    return f"{file.stem}_{_fingerprint(file)}" if taken or file.stem in sys.stdlib_module_names else file.stem


def _fingerprint(file: Path) -> str:
    return hashlib.sha256(str(file).encode()).hexdigest()[:8]


def _files(base: Path) -> Iterator[Path]:
    """Python files below a folder, in order of name; what begins with a dot or an underscore is private."""
    for file in sorted(base.rglob("*.py")):
        if not any(part.startswith((".", "_")) for part in file.relative_to(base).parts):
            yield file


def _imported(file: Path, base: Path, folder: str) -> ModuleType:
    parts = [*Path(folder).parts, *file.relative_to(base).with_suffix("").parts]
    if not all(part.isidentifier() for part in parts):
        return _from_path(file, f"codemation_workflow_{_fingerprint(file)}")
    _namespace(parts[0], base.parents[len(Path(folder).parts) - 1] / parts[0])
    name = ".".join(parts)
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) != str(file):
        return _from_path(file, name)
    return importlib.import_module(name)


def _namespace(name: str, path: Path) -> None:
    """Make the workflow folder a package of its own, whatever else is installed under its name."""
    known = sys.modules.get(name)
    if known is not None and str(path) in list(getattr(known, "__path__", [])):
        return
    for stale in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
        del sys.modules[stale]
    if (path / "__init__.py").exists():
        return
    package = ModuleType(name)
    package.__path__ = [str(path)]
    sys.modules[name] = package


def _from_path(file: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise HostError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _collect(catalog: Catalog, module: ModuleType, file: Path) -> None:
    built = {id(found.workflow) for found in catalog.workflows.values()}
    for name, value in _own(module).items():
        if isinstance(value, Workflow) and id(value) not in built:
            other = catalog.workflows.get(value.id)
            if other is not None:
                message = f'two workflows are called "{value.id}": {other.source} and {file}:{name}'
                catalog.problems.append(Problem(file=file, message=message, detail="Give one of them another id."))
                continue
            catalog.workflows[value.id] = Found(workflow=value, file=file, name=name)
    for name, value in _own(module).items():
        if isinstance(value, Flow) and not _stood_on(value, catalog):
            message = f'the flow "{name}" was never built'
            catalog.problems.append(Problem(file=file, message=message, detail="End it with .build()."))


def _own(module: ModuleType) -> Mapping[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("__")}


def _stood_on(flow: Flow[Any], catalog: Catalog) -> bool:
    """Whether a workflow of this id was built: the flow is one of the steps towards it."""
    return flow.stand.draft.id in catalog.workflows


def _problem(error: BaseException, file: Path, root: Path) -> Problem:
    described = traceback.TracebackException.from_exception(error)
    frames = list(described.stack)
    first = next((at for at, frame in enumerate(frames) if frame.filename == str(file)), None)
    if first is not None:
        described.stack = traceback.StackSummary.from_list(frames[first:])
    else:
        described.stack = traceback.StackSummary.from_list([])
    said = str(error) or type(error).__name__
    message = f"{type(error).__name__}: {said.splitlines()[0]}"
    return Problem(file=_shown(file, root), message=message, detail="".join(described.format()).rstrip())


def _shown(file: Path, root: Path) -> Path:
    return file.relative_to(root) if file.is_relative_to(root) else file

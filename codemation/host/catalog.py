"""The workflows of an app: every module-level `Workflow` in the Python files of its workflow folder.

A file that cannot be imported is a problem that is reported; the others work. A file `workflows/sales/sync.py` is the
module `workflows.sales.sync`, with the app's folder on the path, so that what it defines has the same name wherever it
is imported: in the CLI, in a notebook, in a worker. Names that Python has no syntax for (`2024-report.py`) are no
hindrance to importing; only a dot inside of one is, since it would part the name.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from codemation.core.errors import HostError
from codemation.core.flow import Flow
from codemation.core.mistakes import AuthorError
from codemation.core.outputs import message_of
from codemation.core.steps import upstream
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
        ending = sorted(id_ for id_ in self.workflows if id_.endswith(f".{wanted}"))
        if len(ending) == 1:
            return self.workflows[ending[0]]
        if ending:
            message = f"{wanted!r} is the end of {len(ending)} workflows: {', '.join(ending)}"
            raise UnknownWorkflow(message, way_out="say more of the one that is meant")
        raise UnknownWorkflow(f"no workflow {wanted!r} in {self.root / self.folder}", way_out=self._way_out(wanted))

    def _near(self, wanted: str) -> list[str]:
        """The ids that were probably meant, by the whole of them or by their ends."""
        endings = {id_: id_.rpartition(".")[2] for id_ in self.workflows}
        close = get_close_matches(wanted, sorted(set(endings.values())), 3)
        by_ending = sorted(id_ for id_, ending in endings.items() if ending in close)
        return list(dict.fromkeys([*get_close_matches(wanted, self.workflows, 3), *by_ending]))

    def _way_out(self, wanted: str) -> str:
        broken = ", ".join(dict.fromkeys(str(problem.file) for problem in self.problems))
        hints = []
        if near := self._near(wanted):
            hints.append(f"did you mean {' or '.join(near)}?")
        elif self.workflows:
            hints.append(f"there are: {', '.join(sorted(self.workflows))}")
        else:
            hints.append(f"put one into {self.folder}/, for example {self.folder}/hello.py, and end it with .build()")
        if broken:
            hints.append(f"something is wrong with {broken} (see: codemation workflows list)")
        return "; ".join(hints)


def discover(root: Path, folder: str = "workflows") -> Catalog:
    """Import every file of the workflow folder and collect what it defines."""
    catalog = Catalog(root, folder)
    base = root / folder
    _put_on_path(root)
    importlib.invalidate_caches()  # a file that was written a moment ago is found as well
    imported = []
    for file in workflow_files(base):
        try:
            imported.append((_imported(file, root), shown(file, root)))
        except AuthorError as error:
            catalog.problems.append(
                Problem(file=shown(file, root), message="a workflow has mistakes", detail=str(error))
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a file raises, the others shall work
            catalog.problems.append(problem_of(error, file, root))
    collect(catalog, imported)
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
    app = root.resolve() if root is not None and file.is_relative_to(root.resolve() / folder) else None
    _put_on_path(app or file.parent)
    catalog = Catalog(path.parent, path.name)
    try:
        module = _imported(file, app) if app else _from_path(file, _free_name(file))
    except AuthorError:
        raise
    except (Exception, SystemExit) as error:
        problem = problem_of(error, file, file.parent)
        message = f"{path} cannot be imported: {problem.message}"
        raise BrokenFile(f"{message}\n{problem.detail}".rstrip()) from error
    collect(catalog, [(module, path)])
    return catalog


def _put_on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _free_name(file: Path) -> str:
    """A module name for a file anywhere: its own, unless another module has that."""
    known = sys.modules.get(file.stem)
    taken = known is not None and getattr(known, "__file__", None) != str(file)
    return f"{file.stem}_{_fingerprint(file)}" if taken or file.stem in sys.stdlib_module_names else file.stem


def _fingerprint(file: Path) -> str:
    return hashlib.sha256(str(file).encode()).hexdigest()[:8]


def workflow_files(base: Path) -> Iterator[Path]:
    """Python files below a folder, in order of name; what begins with a dot or an underscore is private."""
    for file in sorted(base.rglob("*.py")):
        if not any(part.startswith((".", "_")) for part in file.relative_to(base).parts):
            yield file


def _imported(file: Path, root: Path) -> ModuleType:
    parts = file.relative_to(root).with_suffix("").parts
    if any("." in part for part in parts):
        return _from_path(file, f"codemation_workflow_{_fingerprint(file)}")
    _enter_package(parts[0], root / parts[0])
    name = ".".join(parts)
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) != str(file):
        return _from_path(file, name)
    return importlib.import_module(name)


def _enter_package(name: str, path: Path) -> None:
    """Make the workflow folder a package of its own, whatever else is installed under its name."""
    known = sys.modules.get(name)
    if known is not None and str(path) in list(getattr(known, "__path__", [])):
        return
    for stale in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
        del sys.modules[stale]
    if (path / "__init__.py").exists():
        _from_path(path / "__init__.py", name)
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
        sys.modules.pop(name, None)
        raise
    return module


def collect(catalog: Catalog, imported: Sequence[tuple[ModuleType, Path]]) -> None:
    """Take up what modules define; a workflow belongs to the file that it was written in, whoever else imports it."""
    held = [
        _Held(value, file, name)
        for module, file in imported
        for name, value in vars(module).items()
        if not name.startswith("__")
    ]
    workflows = [(one, one.value) for one in held if isinstance(one.value, Workflow)]
    known: set[int] = set()
    for one, workflow in sorted(workflows, key=lambda pair: pair[0].file.name != _written_in(pair[1])):
        if id(workflow.definition) in known:  # imported, or the same one with other options
            continue
        known.add(id(workflow.definition))
        other = catalog.workflows.setdefault(workflow.id, Found(workflow=workflow, file=one.file, name=one.name))
        if other.workflow is not workflow:
            message = f'two workflows are called "{workflow.id}": {other.source} and {one.file}:{one.name}'
            catalog.problems.append(Problem(file=one.file, message=message, detail="Give one of them another id."))
    catalog.problems.extend(_never_built(held, [workflow for _, workflow in workflows]))


class _Held(NamedTuple):
    """A module-level variable."""

    value: object
    file: Path
    name: str


def _written_in(workflow: Workflow[Any, ...]) -> str:
    """The name of the file that a workflow was written in."""
    return Path(workflow.definition.source).name.rpartition(":")[0]


def _never_built(held: Sequence[_Held], workflows: Sequence[Workflow[Any, ...]]) -> Iterator[Problem]:
    """The flows that no workflow stands on: steps of theirs are in none."""
    known = {
        (workflow.id, plan.id, Path(plan.place).name) for workflow in workflows for plan in workflow.definition.nodes
    }
    told: set[int] = set()
    for value, file, name in held:
        if not isinstance(value, Flow) or id(value) in told:
            continue
        told.add(id(value))
        draft = value.stand.draft
        steps = upstream(draft, value.stand.beside, value.stand.ends)
        if not known.issuperset((draft.id, step.id, Path(str(step.place)).name) for step in steps):
            yield Problem(file=file, message=f'the flow "{name}" was never built', detail="End it with .build().")


def problem_of(error: BaseException, file: Path, root: Path) -> Problem:
    """What a file raised, told from the file on, or from the package that it stands in."""
    described = traceback.TracebackException.from_exception(error)
    frames = list(described.stack)
    theirs = {str(file), *(str(folder / "__init__.py") for folder in file.parents)}
    first = next((at for at, frame in enumerate(frames) if frame.filename in theirs), None)
    if first is None:
        told = described.format_exception_only()
    else:
        described.stack = traceback.StackSummary.from_list(frames[first:])
        told = described.format()
    said = message_of(error).partition("\n")[0]
    message = f"{type(error).__name__}: {said}"
    return Problem(file=shown(file, root), message=message, detail="".join(told).rstrip())


def shown(file: Path, root: Path) -> Path:
    """A file as people are told of it: seen from the app, if it is within."""
    return file.relative_to(root) if file.is_relative_to(root) else file

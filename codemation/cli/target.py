"""Which workflow a command means: an id, the end of one, or a file; and who means it."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codemation.core.workflow import Workflow
from codemation.host.catalog import Catalog, Problem, UnknownWorkflow, discover, load_file
from codemation.host.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codemation.host.handles import RunHandle


def found_workflow(wanted: str, settings: Settings) -> Workflow[Any, ...]:
    """The workflow with an id, or the end of one (`delays`), or in a file (`path/to/file.py`, `…:name`).

    Raises:
        UnknownWorkflow: there is none, or there are several.
        AuthorError: it has mistakes.
    """
    path, _, name = wanted.partition(".py:") if ".py:" in wanted else (wanted.removesuffix(".py"), "", "")
    if wanted.endswith(".py") or ".py:" in wanted:
        return _in_file(Path(f"{path}.py"), name, settings)
    catalog = discover(settings.root, settings.config.workflows)
    try:
        return catalog.find(wanted).workflow
    except UnknownWorkflow as error:
        raise _with_reasons(error, wanted, catalog) from None


def _in_file(path: Path, name: str, settings: Settings) -> Workflow[Any, ...]:
    catalog = load_file(path, settings.root, settings.config.workflows)
    found = {one.name: one.workflow for one in catalog.workflows.values()}
    if name in found:
        return found[name]
    if not name and len(found) == 1:
        return next(iter(found.values()))
    names = ", ".join(sorted(found))
    if not found:
        reason = catalog.problems[0].message if catalog.problems else "no variable of the module holds one"
        way_out = catalog.problems[0].detail if catalog.problems else "end it with .build() and give it a name"
        raise UnknownWorkflow(f"there is no workflow in {path}: {reason}", way_out=way_out)
    if name:
        near = get_close_matches(name, found, 1)
        hint = f"did you mean {path}:{near[0]}?" if near else f"there are: {names}"
        raise UnknownWorkflow(f"there is no workflow {name!r} in {path}", way_out=hint)
    raise UnknownWorkflow(f"{path} holds {len(found)} workflows: {names}", way_out=f"say which: {path}:{min(found)}")


def _with_reasons(error: UnknownWorkflow, wanted: str, catalog: Catalog) -> UnknownWorkflow:
    """The error, with what is wrong with the files that may hold the workflow."""
    if not catalog.problems:
        return error
    shown = "\n\n".join([error.message, *_reasons(wanted, catalog.problems)])
    return UnknownWorkflow(shown, way_out=error.way_out)


def _reasons(wanted: str, problems: Sequence[Problem]) -> list[str]:
    """The problems of the files that are called like the workflow, or of all if there are few."""
    likely = [problem for problem in problems if problem.file.stem in wanted.split(".")]
    chosen = likely or (problems if len(problems) <= 2 else [])
    return [f"{problem.file} could not be read: {problem.message}\n{problem.detail}".rstrip() for problem in chosen]


def code_of_run(run: RunHandle, code: str | None, settings: Settings, *, with_changes: bool) -> Workflow[Any, ...]:
    """The workflow that a run goes on with: that of its own definition, where it was deployed, or as it is now.

    Raises:
        UnknownWorkflow: it is nowhere; says how to name its file.
    """
    deployed = None if code is not None or with_changes else run.workflow
    try:
        latest = workflow_of_run(run.definition.workflow, code, settings)
    except UnknownWorkflow:
        if deployed is None:
            raise
        return deployed
    return deployed if deployed is not None and latest.digest != deployed.digest else latest


def workflow_of_run(wanted: str, code: str | None, settings: Settings) -> Workflow[Any, ...]:
    """The workflow that a run was started with: in the app, or where `code` says.

    Raises:
        UnknownWorkflow: it is not there; says how to name its file.
    """
    if code is not None:
        return found_workflow(code, settings)
    catalog = discover(settings.root, settings.config.workflows)
    if wanted in catalog.workflows:
        return catalog.workflows[wanted].workflow
    error = UnknownWorkflow(
        f'the workflow of the run, "{wanted}", is not in {settings.root / settings.config.workflows}',
        way_out="if it was run from a file, say which: --code path/to/file.py",
    )
    raise _with_reasons(error, wanted, catalog)

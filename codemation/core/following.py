"""A workflow that is started when a run of another one fails, and what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codemation.core.annotations import readable
from codemation.core.policies import Report
from codemation.core.steps import Draft
from codemation.core.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """What the workflow works on that `on_failure` names: one item for each run that has failed."""

    run: str
    """The id of the run."""
    workflow: str
    reason: str
    """Why the run has failed, as it says itself."""
    node: str = ""
    """The node that has failed first; empty where no node has, as when the time of the run was over."""
    error: str = ""
    """The class of what that node raised."""
    message: str = ""
    item: int | None = None
    """The position of the item that the node failed at, if it was called for each."""


def read_on_failure(draft: Draft, report: Report) -> str:
    """The workflow that is started when a run fails; empty where there is none, or where it cannot be."""
    given = draft.on_failure
    if given is None:
        return ""
    if not isinstance(given, Workflow):
        report(f"on_failure={given!r} is no workflow", "give one that has been built: on_failure=alert")
        return ""
    if draft.id in _chain(given):
        report(f'on_failure={given!r} would start "{draft.id}" again when it fails', "give it another id, or end there")
        return ""
    if given.input not in (None, Any, object, FailedRun):
        what = f"on_failure={given!r} works on items of {readable(given.input)}"
        report(what, f'cm.workflow("{given.id}", input=cm.FailedRun)')
    needed = [name for name, one in (given.params.model_fields if given.params else {}).items() if one.is_required()]
    if needed:
        report(f"on_failure={given!r} has params that nobody gives it: {', '.join(needed)}", "give them defaults")
    return given.id


def _chain(workflow: Workflow[Any, ...]) -> list[str]:
    """The workflow, and all that are started when one of them fails."""
    ids, following = list[str](), workflow.on_failure
    while following is not None:
        ids.append(following.id)
        following = following.on_failure
    return [workflow.id, *ids]

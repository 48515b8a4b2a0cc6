"""Where a workflow begins: `cm.workflow(...)`, to put verbs after, or to decorate a function with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from typing_extensions import ParamSpec, TypeVar

from codemation.core.build import built
from codemation.core.concurrency import Concurrency
from codemation.core.definition import NodeKind
from codemation.core.flow import Flow
from codemation.core.ids import START
from codemation.core.limits import Limits
from codemation.core.mistakes import AuthorError, Mistake
from codemation.core.names import first_sentence, name_of
from codemation.core.node import NodeOptions
from codemation.core.params import Params
from codemation.core.places import here
from codemation.core.retention import Retention
from codemation.core.steps import Draft, End, Stand, Step
from codemation.core.triggers import Trigger
from codemation.core.workflow import Workflow

T = TypeVar("T", default=Any)
U = TypeVar("U")
PS = ParamSpec("PS", default=...)
Data = TypeVar("Data", default=dict[str, Any])


class Start(Flow[T, PS]):
    """A workflow that has just begun: put verbs after it, or decorate a function that does so."""

    __slots__ = ()

    def on(self, *triggers: Trigger) -> Start[T, PS]:
        """Let these start runs by themselves, as soon as somebody activates the workflow."""
        draft = self.stand.draft
        return Start(begun(replace(draft, triggers=(*draft.triggers, *triggers))))

    def __call__(self, define: Callable[[Flow[T]], Flow[U] | None], /) -> Workflow[U, PS]:
        """Build the workflow that a function makes; all that it makes belongs to it, and what it returns is the output.

        Raises:
            AuthorError: with every mistake that was made, where it was made, and the way out.
        """
        draft = replace(self.stand.draft, recorded=[], summary=first_sentence(define))
        start = begun(draft)
        returned: object = define(Flow(start))
        ours = isinstance(returned, Flow) and returned.stand.draft is draft
        outcome = returned.stand if isinstance(returned, Flow) and ours else start.at([])
        if returned is not None and not ours:
            what = f"{name_of(define)} returned {returned!r}, which is no flow of this workflow"
            way_out = "return the flow that is the output, or nothing"
            outcome.record(Mistake(place=draft.place, what=what, way_out=way_out))
        frozen, mistakes = built(outcome)
        if mistakes:
            raise AuthorError(draft.id, mistakes)
        return Workflow(frozen)


def begun(draft: Draft) -> Stand:
    """Where every flow of a workflow begins."""
    start = Step(draft=draft, kind=NodeKind.START, verb="start", id=START, place=draft.place)
    return Stand(draft=draft, ends=(End(step=start),))


def workflow(  # noqa: PLR0913 - the options of a workflow
    id: str,
    *,
    params: Callable[PS, Params] = Params,  # type: ignore[assignment]
    input: type[Data] | None = None,
    title: str = "",
    max_parallel: int | None = None,
    priority: int = 0,
    timeout: str | timedelta | None = None,
    limits: Limits | None = None,
    concurrency: Concurrency | None = None,
    on_failure: Workflow[Any, ...] | None = None,
    retention: Retention | None = None,
    defaults: NodeOptions | None = None,
) -> Start[Data, PS]:
    """Begin a workflow; `params` is its model of parameters, `input` the type of the items that a run is given.

    A run that takes longer than `timeout`, waiting included, fails; `limits` are what it may use at the most.
    `concurrency` says how many runs there may be at a time. When a run fails, `on_failure` is started with a
    `FailedRun` as its item. A run is kept for as long as `retention` says after its end.
    """
    draft = Draft(
        id=id,
        params=Params if params is None else params,
        input=input,
        title=title,
        max_parallel=max_parallel,
        timeout=timeout,
        limits=limits,
        concurrency=concurrency,
        on_failure=on_failure,
        priority=priority,
        retention=retention,
        defaults=dict(defaults or {}),
        place=here(),
    )
    return Start(begun(draft))

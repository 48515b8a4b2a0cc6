"""The whole of a workflow: what is checked once all steps are known, and the definition that comes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import PydanticUserError

from codemation.core.annotations import LISTS, among, never_an_item, parts, readable
from codemation.core.concurrency import Concurrency
from codemation.core.definition import Definition, NodePlan, Source
from codemation.core.durations import seconds
from codemation.core.ids import MAIN, START, NodeId, WorkflowId
from codemation.core.keys import Key
from codemation.core.limits import Limits
from codemation.core.names import ID_RULE, build_of_any, is_id
from codemation.core.params import Params
from codemation.core.places import Place
from codemation.core.policies import PRIORITY_RULE, Report, check_defaults, is_priority, no_duration
from codemation.core.retention import Retention
from codemation.core.signature import NodeCode
from codemation.core.steps import Draft, Stand, Step
from codemation.core.triggers import Trigger
from codemation.core.wiring import Wiring


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """All that a workflow consists of."""

    definition: Definition
    params: type[Params] | None
    input: Any
    """The type of the items that a run is given; `None` when it is given none."""
    code: Mapping[NodeId, NodeCode]
    stand: Stand
    """What was written, so that a node can be exchanged."""
    key: Key | None = None
    """What runs count together by."""
    gives: Mapping[str, Any] = field(default_factory=dict)
    """The type of an item of each output, by name."""
    build: str = field(init=False)
    """What the names of all modules begin with that its code is in, if they are those of a build."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "build", build_of_any(code.function for code in self.code.values()))

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """As they were written, with their functions."""
        triggers: tuple[Trigger, ...] = self.stand.draft.triggers
        return triggers


def check_draft(draft: Draft, steps: int, report: Report) -> None:
    """Report what is wrong with the workflow as such."""
    if not is_id(draft.id):
        report(f"{draft.id!r} cannot be the id of a workflow", ID_RULE)
    if not _is_params(draft.params):
        report(f"params={draft.params!r} is no model of parameters", "class Params(cm.Params): month: int = 1")
    if draft.input is not None:
        _check_input(draft.input, report)
    if draft.max_parallel is not None and not is_number(draft.max_parallel, least=1):
        report(f"max_parallel={draft.max_parallel!r} is no number of nodes", "give a whole number, 1 or more")
    if draft.timeout is not None and (wanted := no_duration(draft.timeout)):
        report(f"timeout={draft.timeout!r} is no timeout", wanted)
    if draft.limits is not None and not isinstance(draft.limits, Limits):
        report(f"limits={draft.limits!r} are no limits", "write them as cm.Limits(activations=1000)")
    if not is_priority(draft.priority):
        report(f"priority={draft.priority!r} is no priority", PRIORITY_RULE)
    if steps <= 1:
        report("the workflow has no nodes", ".then(node) at least once")
    if draft.retention is not None and not isinstance(draft.retention, Retention):
        report(f"retention={draft.retention!r} says nothing", 'retention=cm.Retention(succeeded="30d", failed="90d")')
    check_defaults(draft.defaults, report)


def check_ids(steps: Sequence[Step], reporter: Callable[[Place], Report]) -> None:
    """Report ids that cannot be one, and those that are given twice."""
    known: dict[str, Step] = {}
    for step in steps[1:]:
        report = reporter(step.place)
        if not is_id(step.id):
            report(f"{step.id!r} cannot be the id of a node", ID_RULE)
            continue
        if step.id.casefold() == START:
            report(f'no node can be called "{step.id}": that is what a run is given', f'id="{step.id}_…"')
            continue
        other = known.setdefault(step.id.casefold(), step)
        if other is step:
            continue
        way_out = f'give one a name of its own: id="{step.id}_…"'
        if other.id == step.id:
            report(f'two nodes are called "{step.id}" (the other: {other.place})', way_out)
        else:
            what = f'"{step.id}" and "{other.id}" ({other.place}) differ only in upper and lower case'
            report(what, way_out)


def frozen(stand: Stand, plans: Sequence[NodePlan], wiring: Wiring, report: Report) -> Definition:
    """The definition of a workflow."""
    draft = stand.draft
    return Definition(
        workflow=WorkflowId(draft.id),
        nodes=tuple(plans),
        outputs=_outputs(stand, plans, wiring, report),
        title=draft.title,
        summary=draft.summary,
        params_schema=_schema(draft, report),
        input_type="" if draft.input is None else readable(draft.input),
        max_parallel=draft.max_parallel,
        priority=draft.priority,
        timeout=None if draft.timeout is None or no_duration(draft.timeout) else seconds(draft.timeout),
        limits=draft.limits.to_json() if isinstance(draft.limits, Limits) else {},
        retention=draft.retention.ages if isinstance(draft.retention, Retention) else {},
        concurrency=draft.concurrency.to_json() if isinstance(draft.concurrency, Concurrency) else {},
        source=str(draft.place),
    )


def _outputs(stand: Stand, plans: Sequence[NodePlan], wiring: Wiring, report: Report) -> dict[str, tuple[Source, ...]]:
    """What the flow ends at is the output; other nodes that nobody follows give outputs of their own names."""
    outputs: dict[str, tuple[Source, ...]] = {}
    main = tuple(source for end in stand.ends for source in wiring.open_ports(end))
    if main:
        outputs[MAIN] = main
    followed = defaultdict[NodeId, set[str]](set)
    for source in [*main, *(source for plan in plans for given in plan.inputs for source in given.sources)]:
        followed[source.node].add(source.port)
    for step, outlets in wiring.outlets.items():
        node = NodeId(step.id)
        if node == START or outlets.nothing or followed[node] & set(outlets.leading):
            continue
        if node == MAIN:
            what = f'"{node}" is no output of the workflow, and would be taken for it'
            report(what, f'give it another name: id="{node}_…"')
        outputs[node] = tuple(Source(node=node, port=port) for port in outlets.leading)
    return outputs


def _schema(draft: Draft, report: Report) -> dict[str, Any] | None:
    if draft.params is Params or not _is_params(draft.params):
        return None
    params: type[Params] = draft.params
    try:
        return params.model_json_schema()
    except PydanticUserError as error:
        first = str(error).split("\n", maxsplit=1)[0]
        report(f"{params.__name__} has params that cannot be written as JSON: {first}", "use types that JSON has")
        return None


def _check_input(given: Any, report: Report) -> None:
    head, args = parts(given)
    if among(head, LISTS):
        way_out = f"input={readable(args[0])}" if args else "name the model of one item: input=Order"
        report(f"input={readable(given)} is a list; a run is given many items anyway", way_out)
    elif what := never_an_item(given):
        way_out = "name the model of one item: input=Order"
        report(f"input={readable(given)} is {what}, and an item is never one", way_out)


def _is_params(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, Params)


def is_number(given: object, least: int) -> bool:
    """Whether it is a whole number, and no truth value."""
    return isinstance(given, int) and not isinstance(given, bool) and given >= least

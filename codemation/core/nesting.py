"""The verb that lets another workflow do the work, `subworkflow`: how it is read, and what its node gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from codemation.core.binding import Binding
from codemation.core.errors import InputError
from codemation.core.expression import Computed
from codemation.core.ids import ERROR, MAIN, NodeId
from codemation.core.items import Failure
from codemation.core.mistakes import listed, meant
from codemation.core.nodeplan import NodePlan
from codemation.core.params import ParamRef
from codemation.core.policies import Conduct, Report, conduct, shared
from codemation.core.signature import NodeCode, Parameter, Result, Shape, Signature
from codemation.core.steps import Step
from codemation.core.wiring import Outlets, Wiring, described
from codemation.core.workflow import Workflow

ITEM, BATCH = PERS = ("item", "batch")


def name_of(workflow: object) -> str:
    """What a node is called that nobody has named: the end of the workflow's id."""
    return workflow.id.rpartition(".")[2] if isinstance(workflow, Workflow) else "subworkflow"


def nested(workflow: Workflow[Any, ...]) -> dict[NodeId, Workflow[Any, ...]]:
    """The workflows whose runs do some of the work of a workflow, by node."""
    return {node: code.model for node, code in workflow.code.items() if isinstance(code.model, Workflow)}


def below(workflow: Workflow[Any, ...]) -> list[Workflow[Any, ...]]:
    """A workflow, and all those whose runs may stand below one of its runs."""
    return [workflow, *(one for inner in nested(workflow).values() for one in below(inner))]


def read(step: Step, wiring: Wiring, report: Report) -> tuple[NodePlan, NodeCode] | None:
    """The step as a node, and what its runs are started with; `None` once it has been reported that there is none."""
    workflow, per = step.does, step.config["per"]
    if not isinstance(workflow, Workflow):
        report(f".subworkflow() takes a workflow, and {workflow!r} is none", "give what .build() has given")
        return None
    if per not in PERS:
        way_out = meant(per, PERS, f"give {listed([repr(one) for one in PERS])}")
        report(f'per={per!r} of "{step.id}" is unknown', way_out)
    signature = _signature(workflow, str(per))
    binding = Binding(step=step, signature=signature, wiring=wiring, report=report)
    _check_flows(step, report)
    binding.bind()
    _check_params(step, workflow, binding.arguments, report)
    settings = shared(step.draft.defaults) | ({} if step.on_error is None else {"on_error": step.on_error})
    manner = conduct(step.id, settings, report)
    outlets = wiring.outlets[step] = _outlets(workflow, binding.arriving, manner, report)
    plan = NodePlan(
        id=NodeId(step.id),
        kind=step.kind,
        inputs=tuple(binding.inputs[:1]),
        ports=outlets.ports,
        grain="item" if per == ITEM else "batch",
        gives=not outlets.nothing,
        policy=manner.policy,
        config={"workflow": workflow.id, "per": per, "params": binding.config},
        code=workflow.digest,
        title=manner.title,
        icon=manner.icon,
        summary=workflow.definition.summary,
        types=described(binding.taken, "in") | described(outlets.gives, "out"),
        groups=step.groups,
        place=str(step.place),
    )
    return plan, NodeCode(
        function=workflow.launch,
        signature=signature,
        arguments=binding.arguments,
        retry=manner.retry,
        model=workflow,
    )


def _signature(workflow: Workflow[Any, ...], per: str) -> Signature:
    """The workflow as if it were a function: its items are the data, its params the arguments."""
    item_type = Any if workflow.input is None else workflow.input
    shape = Shape.ONE if per == ITEM else Shape.LIST
    data = Parameter(name=MAIN, shape=shape, annotation=Any, item_type=item_type, positional=True)
    result = Result(shape=Shape.LIST, item_type=Any)
    return Signature(data=data, arguments=tuple(_params(workflow)), injections=(), result=result)


def _params(workflow: Workflow[Any, ...]) -> list[Parameter]:
    fields = {} if workflow.params is None else workflow.params.model_fields
    fixed = workflow.fixed
    return [
        Parameter(
            name=name,
            shape=Shape.ONE,
            annotation=(kind := _annotation(field.annotation, field.metadata)),
            item_type=kind,
            required=field.is_required() and name not in fixed,
        )
        for name, field in fields.items()
    ]


def _annotation(kind: Any, metadata: list[Any]) -> Any:
    """The type of a param with what its field asks beside it."""
    return Annotated[(kind, *metadata)] if metadata else kind


def _check_flows(step: Step, report: Report) -> None:
    """Report params that are given flows: a run has its params before it begins."""
    for wire in step.wires:
        if wire.name:
            what = f'{wire.name}= of "{step.id}" is a flow, and params are values'
            report(what, "give a value, Params.<field> or cm.expr(…), or let it be part of the items")


def _check_params(step: Step, workflow: Workflow[Any, ...], arguments: Mapping[str, Any], report: Report) -> None:
    """Report params that do not fit together, where all of them are known already and each fits by itself."""
    known = {name: value for name, value in arguments.items() if not isinstance(value, Computed | ParamRef)}
    if len(known) < len(step.arguments):
        return
    try:
        workflow.params_of(known)
    except InputError as error:
        if not any(one.required and one.name not in known for one in _params(workflow)):
            report(f'"{step.id}": {error.message}', f'the params are those of "{workflow.id}"')


def _outlets(workflow: Workflow[Any, ...], arriving: Any, manner: Conduct, report: Report) -> Outlets:
    """A port for each output of the workflow; the only one is `main`, whatever the workflow calls it."""
    outputs = workflow.gives
    given = dict(outputs) if len(outputs) > 1 else {MAIN: next(iter(outputs.values()), Any)}
    if manner.policy.on_error == "port":
        if ERROR in given:
            what = f'"{workflow.id}" has an output "error" of its own'
            report(what, 'call it something else, or leave out on_error="port"')
        failure: Any = Failure  # an alias that is made at run time
        given[ERROR] = failure[arriving]
    return Outlets(gives=given, nothing=not outputs)

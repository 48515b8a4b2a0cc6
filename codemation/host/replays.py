"""Replays: new runs that take over what another has recorded, and runs that begin again at a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codemation.core.drift import drift
from codemation.core.engine import Start
from codemation.core.errors import AmbiguousStart, PayloadLost, RunError, SourcePruned
from codemation.core.ids import MAIN, START, NodeId, RunId
from codemation.core.items import Batch
from codemation.core.limits import Limits
from codemation.core.mistakes import listed, meant
from codemation.core.node import FunctionNode, Node
from codemation.core.replaying import downstream, rearranged, taken, unwanted, what_stands
from codemation.core.run import Nodes, Pins
from codemation.core.states import FINISHED, NodeStatus, RunStatus
from codemation.core.workflow import UnknownNode, Workflow
from codemation.host import pinning
from codemation.host.adoption import check_drift, check_free
from codemation.host.identity import new_run_id
from codemation.host.launching import decoded_params

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.handles import RunHandle


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where a replay begins and ends, and what is pinned in it; as given."""

    from_: Nodes = None
    to: Nodes = None
    pins: Pins | None = None


def replay(app: App, source: RunHandle, workflow: Workflow[Any, ...], wish: Wish) -> RunHandle:
    """A new run with the params and the input of another one, whose first activation is claimed.

    What does not stand on `from_` is taken over, as far as its code is what it was; without `from_` only `to` is done
    again, and without either everything.

    Raises:
        AmbiguousStart: `from_` or `to` may mean several nodes.
        SourcePruned: what is to be taken over is not there any more.
        InputError: params or pins do not fit, or nothing may be pinned here.
    """
    plan, run = workflow.definition.plan, new_run_id()
    decoded_params(workflow, source.row.params)
    targets = meant_nodes(workflow, wish.to)
    begin = meant_nodes(workflow, wish.from_) or targets
    changes = drift(source.definition, workflow.definition)
    pinned = pinning.pins_of(wish.pins, workflow, app.tables)
    pinning.check_allowed(app.settings.config, workflow.id, pinned)
    known = source.snapshot
    facts = pinning.stored(app.engine, run, pinned.values())
    touched = {*changes.added, *changes.rewired, *changes.rewritten}
    touched |= downstream(plan, begin, pinned) if begin else set(plan.nodes) - {START}
    records = what_stands(known, plan, {fact.node: fact.outputs for fact in facts}, touched)
    out = unwanted(plan, pinned, targets)
    records = {
        node: record
        for node, record in records.items()
        if node not in out and node != START and record.status is NodeStatus.SUCCEEDED
    }
    held = [batch for record in records.values() for batch in record.outputs.values() if batch.size]
    given = known.output(START, MAIN)
    lent = _borrowed(app, run, source.id, [given, *held])
    named = dict(zip([batch.ref for batch in held], lent[1:], strict=True))
    over = tuple(
        taken(record, {port: named.get(one.ref, one) for port, one in record.outputs.items()}, f"run:{source.id}")
        for record in records.values()
    )
    start = Start(
        id=run,
        params=source.row.params,
        limits=Limits.from_json(workflow.definition.limits).within(app.settings.limits),
        input=(b"", given.count, given.kind),
        given=lent[0],
        source=source.id,
        standing=(*facts, *over),
        unwanted=out,
    )
    begun, outcome = app.started(workflow, start)
    return app.taken_up(begun, workflow, outcome, cache=False)  # what is to be done again is executed


def _borrowed(app: App, run: RunId, source: RunId, batches: list[Batch]) -> tuple[Batch, ...]:
    try:
        return app.engine.persist(app.stores.payloads.borrow, run, source, batches)
    except PayloadLost as error:
        raise SourcePruned(f"the source was pruned: run {source}", way_out="run the workflow anew") from error


def resume_from(app: App, handle: RunHandle, workflow: Workflow[Any, ...], from_: Any) -> RunHandle:
    """Let a run that has failed, or was cancelled, begin again at a node.

    Raises:
        AmbiguousStart: `from_` may mean several nodes.
        RunError: the run has succeeded, or is not over.
    """
    run = app.engine.open(handle.id)
    if run.snapshot.status is RunStatus.SUCCEEDED:
        raise RunError(
            f"run {run.id} has succeeded, and stays as it is", way_out="run.replay(from_=…) begins a new one there"
        )
    if run.snapshot.status not in FINISHED:
        check_free(app.engine, run)
        raise RunError(f"run {run.id} is not over", way_out=f"codemation runs cancel {run.id}, then resume it")
    check_drift(run, workflow, with_changes=False)
    app.work()
    app.know(workflow)
    plan = run.definition.plan
    pins = {node: pin.outputs for node, pin in run.snapshot.pins.items()}
    touched = downstream(plan, meant_nodes(workflow, from_), pins)
    standing = what_stands(run.snapshot, plan, pins, touched)
    outcome = app.engine.rearrange(run, rearranged(run.snapshot, plan, standing, pins))
    return app.taken_up(run, workflow, outcome)


def meant_nodes(workflow: Workflow[Any, ...], given: Any) -> list[NodeId]:
    """The nodes that are meant: by id, title, the name of their function or piece, or held in the hand.

    Raises:
        AmbiguousStart: one of them may be several; says which.
        UnknownNode: there is none.
    """
    if given is None:
        return []
    wanted = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    return [_meant(workflow, one) for one in wanted]


def _meant(workflow: Workflow[Any, ...], one: str | Node[Any, Any]) -> NodeId:
    if isinstance(one, str) and one in workflow.nodes:
        return NodeId(one)
    name = one if isinstance(one, str) else one.id
    found = [node for node in workflow.nodes if _is_called(workflow, node, one)]
    if len(found) == 1:
        return found[0]
    if found:
        raise AmbiguousStart(
            f'"{name}" may be each of {listed(found)} in "{workflow.id}"', way_out="name one of these ids"
        )
    known = list(workflow.nodes)
    raise UnknownNode(f'"{workflow.id}" has no node {name!r}', way_out=meant(name, known, f"it has {listed(known)}"))


def _is_called(workflow: Workflow[Any, ...], node: NodeId, one: str | Node[Any, Any]) -> bool:
    code, plan = workflow.code.get(node), workflow.nodes[node]
    if isinstance(one, FunctionNode):
        return node == one.id or (code is not None and code.function is one.function)
    if isinstance(one, Node):
        return node == one.id
    function = getattr(code.function, "__name__", "") if code is not None else ""
    return one in (plan.title, function, *plan.groups)

"""Replays: new runs that take over what another has recorded, and runs that begin again at a node."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codemation.core.drift import drift
from codemation.core.engine import Start
from codemation.core.errors import AmbiguousStart, InputError, PayloadLost, RunError, SourcePruned
from codemation.core.ids import MAIN, START, NodeId, RunId
from codemation.core.items import Batch
from codemation.core.limits import Limits
from codemation.core.mistakes import listed, meant
from codemation.core.node import FunctionNode, Node
from codemation.core.params import Params, validated
from codemation.core.replaying import downstream, rearranged, taken, unwanted, what_stands
from codemation.core.run import Nodes, Others, Pins
from codemation.core.states import FINISHED, NodeStatus, RunStatus
from codemation.core.workflow import UnknownNode, Workflow
from codemation.host import pinning
from codemation.host.adoption import check_drift, check_free
from codemation.host.identity import new_run_id
from codemation.host.launching import decoded_params, encoded_params, turnstile_for
from codemation.host.runtime.recalling import seen

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.handles import RunHandle


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where a replay begins and ends, what is pinned in it, and which params are others; as given."""

    from_: Nodes = None
    to: Nodes = None
    pins: Pins | None = None
    params: Others = None
    who: str = ""
    """Who wishes it, in words; empty for whoever runs this process."""


def replay(app: App, source: RunHandle, workflow: Workflow[Any, ...], wish: Wish) -> RunHandle:
    """A new run with the input of another, and with its params but for those that are given; its first node is claimed.

    What does not stand on `from_` is taken over, as far as its code and the params that it sees are what they were;
    without `from_` only `to` is done again. Without either everything is, or, with other params, what sees one of them
    and what has not succeeded.

    Raises:
        AmbiguousStart: `from_` or `to` may mean several nodes.
        SourcePruned: what is to be taken over is not there any more.
        InputError: params or pins do not fit, or nothing may be pinned here.
    """
    plan, run, known = workflow.definition.plan, new_run_id(), source.snapshot
    params = _params(workflow, source, wish.params)
    targets = meant_nodes(workflow, wish.to)
    begin = meant_nodes(workflow, wish.from_) or targets
    pinned = pinning.pins_of(wish.pins, workflow, app.tables)
    pinning.check_allowed(app.settings.config, workflow.id, pinned)
    facts = pinning.stored(app.engine, run, pinned.values())
    everything = not begin and wish.params is None
    again = set(plan.nodes) - {START} if everything else downstream(plan, begin, pinned)
    touched = _changed(source, workflow, params) | again
    records = what_stands(known, plan, {fact.node: fact.outputs for fact in facts}, touched)
    out = unwanted(plan, pinned, targets)
    kept = [node for node in records if node not in out and node != START]
    records = {node: records[node] for node in kept if records[node].status is NodeStatus.SUCCEEDED}
    given = known.output(START, MAIN)
    held = [batch for one in records.values() for batch in one.outputs.values() if batch.size]
    first, *lent = _borrowed(app, run, source.id, [given, *held])
    named = dict(zip([batch.ref for batch in held], lent, strict=True))
    over = tuple(
        taken(record, {port: named.get(one.ref, one) for port, one in record.outputs.items()}, f"run:{source.id}")
        for record in records.values()
    )
    start = Start(
        id=run,
        params=source.row.params if wish.params is None else encoded_params(params),
        limits=Limits.from_json(workflow.definition.limits).within(app.settings.limits),
        input=(b"", given.count, given.kind),
        given=first,
        source=source.id,
        standing=(*facts, *over),
        unwanted=out,
        who=wish.who or app.who,
        fresh=True,  # what is to be done again is executed
        turnstile=turnstile_for(workflow, params, given.kind, lambda: app.fetch(source.id, given), app.tables),
    )
    begun, outcome = app.started(workflow, start)
    return app.taken_up(begun, workflow, outcome)


def _params(workflow: Workflow[Any, ...], source: RunHandle, others: Others) -> Params | None:
    """The params of a replay: those of its source, with others in the place of some."""
    if others is None:
        return decoded_params(workflow, source.row.params)
    if workflow.params is None:
        raise InputError(f'"{workflow.id}" has no params that could be others', way_out="leave params out")
    return validated(workflow.params, {**json.loads(source.row.params), **others})


def _changed(source: RunHandle, workflow: Workflow[Any, ...], params: Params | None) -> set[NodeId]:
    """The nodes whose code is not what it was, or that see a param which is not."""
    changes = drift(source.definition, workflow.definition)
    before = decoded_params(workflow, source.row.params)
    others = [node for node, code in workflow.code.items() if seen(code, before) != seen(code, params)]
    return {*changes.added, *changes.rewired, *changes.rewritten, *others}


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

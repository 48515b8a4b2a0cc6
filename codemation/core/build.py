"""From what was written to what can be run: every step is read and checked, and all mistakes are collected.

`steps` hold what was written. In the order of writing, each step is read (`roles`, `reading`), its inputs are found
(`wiring`) and its arguments bound (`binding`); then the whole is frozen (`freezing`). A step that has mistakes is read
to its end, so that one mistake neither hides another one nor causes a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from codemation.core import nesting, pausing
from codemation.core.annotations import can_be_an_item
from codemation.core.arming import all_armed
from codemation.core.binding import Binding
from codemation.core.definition import Input, NodeKind, NodePlan, Source
from codemation.core.following import read_on_failure
from codemation.core.freezing import Frozen, check_draft, check_ids, frozen
from codemation.core.ids import ERROR, MAIN, NodeId
from codemation.core.items import Failure
from codemation.core.keys import read_key
from codemation.core.looping import Opened, check_loops, closed, opened
from codemation.core.mistakes import Mistake, listed
from codemation.core.node import FunctionNode
from codemation.core.params import Params
from codemation.core.places import Place
from codemation.core.planning import planned
from codemation.core.policies import Conduct, Report, conduct, shared
from codemation.core.roles import check_cases, check_sharding, function_of, signature_of
from codemation.core.signature import NodeCode, Shape, Signature
from codemation.core.steps import Catch, PortUse, Return, Stand, Step, upstream
from codemation.core.widening import check_join, check_merge
from codemation.core.wiring import Outlets, Wiring, described, either

_PASSES_ON = (NodeKind.FILTER, NodeKind.TAP, NodeKind.BRANCH, NodeKind.SWITCH)
"""Verbs that give what they took."""


def built(stand: Stand) -> tuple[Frozen, list[Mistake]]:
    """The workflow that a flow stands for, and the mistakes in it; with mistakes it is of no use."""
    draft = stand.draft
    written = list(dict.fromkeys([*stand.beside, *(draft.recorded or ())]))
    steps = upstream(draft, written, stand.ends)
    assembly = Assembly()
    assembly.mistakes.extend(one for one in written if isinstance(one, Mistake))
    check_draft(draft, len(steps), assembly.reporter(draft.place))
    triggers = all_armed(draft.triggers, draft.params, assembly.reporter, draft.place)
    assembly.started_by = ", ".join(one.said for one in triggers)
    returns = [one for one in written if isinstance(one, Return)]
    assembly.read(steps, returns)
    check_loops(steps, returns, stand.ends, assembly.reporter)
    for use in written:
        if isinstance(use, PortUse):
            assembly.wiring.check_port(use.end, assembly.reporter(use.place))
    check_ids(steps, assembly.reporter)
    whole = frozen(stand, assembly.plans, assembly.wiring, assembly.reporter(draft.place))
    following = read_on_failure(draft, assembly.reporter(draft.place))
    whole = replace(whole, triggers=tuple(triggers), on_failure=following)
    params = None if draft.params is Params else draft.params
    key = read_key(draft, assembly.reporter(draft.place))
    gives = {name: either(assembly.type_at(source) for source in ends) for name, ends in whole.outputs.items()}
    return Frozen(
        definition=whole, params=params, input=draft.input, code=assembly.code, stand=stand, key=key, gives=gives
    ), assembly.mistakes


@dataclass(slots=True)
class Assembly:
    """The parts of a definition as far as the steps have been read."""

    wiring: Wiring = field(default_factory=Wiring)
    plans: list[NodePlan] = field(default_factory=list)
    code: dict[NodeId, NodeCode] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    started_by: str = ""
    """What starts runs by itself, for people."""
    gates: dict[Step, Opened] = field(default_factory=dict)

    def reporter(self, place: Place) -> Report:
        """Notes mistakes at a place."""

        def report(what: str, way_out: str) -> None:
            self.mistakes.append(Mistake(place=place, what=what, way_out=way_out))

        return report

    def read(self, steps: Sequence[Step], returns: Sequence[Return]) -> None:
        """Read all steps in the order of writing; a gate is closed when its body has been read."""
        written: list[Step | Return] = [*steps, *returns]
        for one in sorted(written, key=lambda one: one.order):
            if isinstance(one, Return):
                self.close(one)
            else:
                self.add(one)

    def add(self, step: Step) -> None:
        """Read a step whose sources have all been read."""
        report = self.reporter(step.place)
        match step.kind:
            case NodeKind.START:
                self._add_start(step)
            case NodeKind.MERGE | NodeKind.JOIN:
                self._add_union(step, report)
            case NodeKind.CATCH:
                self._add_catch(step, report)
            case NodeKind.SUBWORKFLOW:
                self._add_nested(step, report)
            case NodeKind.LOOP:
                self.gates[step] = opened(step, self.wiring, len(self.plans), report)
            case _:
                function = function_of(step, report)
                if function is None:
                    self._add_unknown(step, report)
                elif step.kind in pausing.WAITING:
                    self.plans.append(pausing.read(step, function, self.code, self.wiring, report))
                else:
                    self._add_call(step, function, report)
        if step.catch is not None and self.plans and self.plans[-1].id == step.id:
            self.plans[-1] = self._caught(self.plans[-1], step, step.catch, report)

    def close(self, back: Return) -> None:
        """Read the gate of a loop whose body has been read."""
        known, report = self.gates[back.gate], self.reporter(back.gate.place)
        read = closed(back, known, self.wiring, report)
        if read is not None:
            plan, self.code[plan.id] = read
            self.plans.insert(known.place, plan)

    def _add_start(self, step: Step) -> None:
        known = step.draft.input is not None and can_be_an_item(step.draft.input)
        given = {MAIN: step.draft.input if known else Any}
        self.wiring.outlets[step] = Outlets(gives=given)
        self.plans.append(
            NodePlan(
                id=NodeId(step.id),
                kind=step.kind,
                inputs=(),
                grain="batch",
                summary=self.started_by,
                types=described(given, "out"),
                place=str(step.place),
            )
        )

    def _add_union(self, step: Step, report: Report) -> None:
        arrivals = {wire.name: self.wiring.arrival(wire.ends, step.id, report) for wire in step.wires}
        merges = step.kind is NodeKind.MERGE
        given = {MAIN: either(arrival.type for arrival in arrivals.values()) if merges else Any}
        check = check_merge if merges else check_join
        config = check(step, list(arrivals), report)
        self.wiring.outlets[step] = Outlets(gives=given)
        inputs = tuple(Input(name=name, sources=arrival.sources) for name, arrival in arrivals.items())
        types = {name: arrival.type for name, arrival in arrivals.items()}
        self.plans.append(
            NodePlan(
                id=NodeId(step.id),
                kind=step.kind,
                inputs=inputs,
                grain="batch",
                policy=conduct(step.id, shared(step.draft.defaults), report).policy,
                config=config,
                types=described(types, "in") | described(given, "out"),
                groups=step.groups,
                place=str(step.place),
            )
        )

    def _caught(self, plan: NodePlan, step: Step, catch: Catch, report: Report) -> NodePlan:
        """A node in a piece whose failures are caught, unless it sees to them itself or cannot have any."""
        if plan.policy.on_error != "fail" or plan.kind in (NodeKind.MERGE, NodeKind.CATCH):
            return plan
        outlets = self.wiring.outlets[step]
        if ERROR in outlets.gives:
            report(f'"{step.id}" has a port "error" of its own', "call it something else, or leave out on_error=")
        given = {**outlets.gives, ERROR: Failure}
        self.wiring.outlets[step] = replace(outlets, gives=given)
        return replace(
            plan,
            ports=tuple(given),
            policy=replace(plan.policy, on_error="port"),
            types={**plan.types, **described({ERROR: Failure}, "out")},
            caught_by=catch.id,
        )

    def _add_catch(self, step: Step, report: Report) -> None:
        """Where the failures of a piece come to: it waits for the `error` ports of all that is caught."""
        (wire,) = step.wires
        entered = self.wiring.arrival(wire.ends, step.id, report)
        caught = [plan.id for plan in self.plans if plan.caught_by == step.id]
        if not caught:
            what = f"nothing inside of the piece could come to .pipe(on_error=…): {listed(step.groups[-1:])}"
            report(what, "leave out on_error=, or put nodes into the piece that do not see to their errors themselves")
        failure: Any = Failure  # an alias that is made at run time
        given = {MAIN: failure[entered.type]}
        self.wiring.outlets[step] = Outlets(gives=given)
        sources = tuple(Source(node=node, port=ERROR) for node in caught)
        self.plans.append(
            NodePlan(
                id=NodeId(step.id),
                kind=step.kind,
                inputs=(Input(name="failed", sources=sources),),
                grain="batch",
                config={"entered": [[source.node, source.port] for source in entered.sources]},
                types=described(given, "out"),
                groups=step.groups,
                place=str(step.place),
            )
        )

    def _add_nested(self, step: Step, report: Report) -> None:
        read = nesting.read(step, self.wiring, report)
        if read is None:
            self._add_unknown(step, report)
            return
        plan, self.code[NodeId(step.id)] = read
        self.plans.append(plan)

    def type_at(self, source: Source) -> Any:
        """The type of an item at a port."""
        by_id = {step.id: outlets for step, outlets in self.wiring.outlets.items()}
        return by_id[source.node].gives.get(source.port, Any)

    def _add_unknown(self, step: Step, report: Report) -> None:
        """A step that cannot be called: what leads to it is still looked at, and it may give anything."""
        for wire in step.wires:
            self.wiring.arrival(wire.ends, step.id, report)
        ports = step.ports or (MAIN,)
        self.wiring.outlets[step] = Outlets(gives=dict.fromkeys((*ports, ERROR), Any))

    def _add_call(self, step: Step, function: Callable[..., Any], report: Report) -> None:
        about_function: list[tuple[str, str]] = []
        signature = signature_of(step, function, lambda what, way_out: about_function.append((what, way_out)))
        binding = Binding(step=step, signature=signature, wiring=self.wiring, report=report)
        binding.bind()
        for problem in about_function:  # after what leads here, in the order in which a reader looks
            report(*problem)
        if step.kind is NodeKind.SWITCH:
            check_cases(step, signature.result, report)
        manner = conduct(step.id, _settings(step), report)
        check_sharding(step, signature, manner.policy, report)
        outlets = _outlets(step, signature, binding.arriving, manner, report)
        self.wiring.outlets[step] = outlets
        plan, code = planned(step, function, binding, manner, outlets)
        self.plans.append(plan)
        self.code[plan.id] = code


def _settings(step: Step) -> dict[str, Any]:
    """The options of a step: the workflow's, overruled by the node's, overruled by the verb's."""
    own = step.does.settings if isinstance(step.does, FunctionNode) else {}
    at_verb = {} if step.on_error is None else {"on_error": step.on_error}
    at_verb |= {} if step.config.get("timeout") is None else {"timeout": step.config["timeout"]}
    return {**shared(step.draft.defaults), **own, **at_verb}


def _outlets(step: Step, signature: Signature, arriving: Any, manner: Conduct, report: Report) -> Outlets:
    """The ports of a step and what each gives."""
    result = signature.result
    gives: dict[str, Any]
    if step.kind in _PASSES_ON:
        gives = dict.fromkeys(step.ports or (MAIN,), arriving)
    elif result.shape is Shape.PORTS:
        gives = {name: held.item_type for name, held in result.ports.items()} or {MAIN: Any}
    else:
        gives = {MAIN: result.item_type}
    if manner.policy.on_error == "port":
        if ERROR in gives:
            report(f'"{step.id}" has a port "error" of its own', 'call it something else, or leave out on_error="port"')
        data = signature.data
        failure: Any = Failure  # an alias that is made at run time
        entered = data.item_type if data is not None and data.shape is Shape.ONE else Any
        gives[ERROR] = failure[entered]
    return Outlets(gives=gives, nothing=step.kind not in _PASSES_ON and result.shape is Shape.NOTHING)

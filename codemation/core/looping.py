"""Reading loops: a gate lets items into the body, asks about what comes back, and lets it round again or out.

The gate is read twice: when it is met, because the body stands on it, and again when the body has been read, because
what it asks about is what the body gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codemation.core.annotations import fits, readable
from codemation.core.binding import Binding
from codemation.core.code import code_of
from codemation.core.definition import Input, NodeKind, NodePlan
from codemation.core.freezing import is_number
from codemation.core.ids import AGAIN, MAIN, NodeId
from codemation.core.mistakes import listed
from codemation.core.names import first_sentence
from codemation.core.node import FunctionNode
from codemation.core.policies import Report, conduct, shared
from codemation.core.roles import function_of, signature_of
from codemation.core.signature import NodeCode
from codemation.core.steps import End, Return, Step
from codemation.core.wiring import Arrival, Outlets, Wiring, described

UNTIL, NEXT = "until", "next"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A gate of which only what leads into the loop is known."""

    arrival: Arrival
    place: int
    """Its place among the nodes."""


def opened(step: Step, wiring: Wiring, place: int, report: Report) -> Opened:
    """Read what leads into a loop; whatever it lets round is of the same type."""
    arrival = wiring.arrival([end for wire in step.wires for end in wire.ends], step.id, report)
    wiring.outlets[step] = Outlets(gives={MAIN: arrival.type, AGAIN: arrival.type})
    return Opened(arrival=arrival, place=place)


def closed(back: Return, known: Opened, wiring: Wiring, report: Report) -> tuple[NodePlan, NodeCode] | None:
    """The gate as a node, once its body has been read; `None` once it has been reported that there is none."""
    gate, form, most = back.gate, str(back.gate.config["form"]), back.gate.config["max"]
    if not is_number(most, least=1):
        report(f'max={most!r} of "{gate.id}" is no number of rounds', "give a whole number, 1 or more")
    _check_options(gate, form, report)
    function = function_of(gate, report)
    if function is None:
        wiring.arrival(back.ends, gate.id, report)
        return None
    signature = signature_of(gate, function, report)
    turned = replace(gate, wires=tuple(replace(wire, ends=back.ends) for wire in gate.wires))
    binding = Binding(step=turned, signature=signature, wiring=wiring, report=report)
    binding.bind()
    _check_round(gate, binding.arriving, signature.result.item_type, known.arrival.type, report)
    gives = known.arrival.type if form == UNTIL else binding.arriving
    outlets = wiring.outlets[gate] = Outlets(gives={MAIN: gives, AGAIN: known.arrival.type})
    manner = conduct(gate.id, {**shared(gate.draft.defaults), "on_error": "fail"}, report)
    plan = NodePlan(
        id=NodeId(gate.id),
        kind=gate.kind,
        inputs=(
            Input(name=MAIN, sources=known.arrival.sources),
            *(replace(given, name=BACK, back=True) for given in binding.inputs[:1]),
        ),
        ports=outlets.ports,
        policy=manner.policy,
        config={"form": form, "max": most},
        code=code_of(function),
        summary=first_sentence(function),
        types=described({MAIN: known.arrival.type, BACK: binding.arriving}, "in") | described(outlets.gives, "out"),
        groups=gate.groups,
        place=str(gate.place),
    )
    return plan, NodeCode(function=function, signature=signature, retry=manner.retry)


BACK = "back"
"""The input of a gate at which arrives what has gone round."""


def _check_options(gate: Step, form: str, report: Report) -> None:
    """Report options of the function that is asked: a gate asks of each item once a round, and does nothing else."""
    own = gate.does.settings if isinstance(gate.does, FunctionNode) else {}
    idle = [f"{name}=" for name in own if name not in _OF_A_GATE]
    if idle:
        what = f'"{gate.id}" is asked by a loop, where {listed(idle)} {"has" if len(idle) == 1 else "have"} no effect'
        report(what, f"give {form}= a function without options; the nodes of the body may have them")


_OF_A_GATE = ("id", "title", "icon")
"""Options that say nothing about how a node works."""


def _check_round(gate: Step, given: Any, answered: Any, taken: Any, report: Report) -> None:
    """Report what would not fit when it comes round."""
    if gate.config["form"] == UNTIL and not fits(given, taken):
        what = f'the body of the loop "{gate.id}" takes {readable(taken)} and gives {readable(given)}'
        report(what, f"return {readable(taken)}, or write next=… that makes one of {readable(given)}")
    elif gate.config["form"] == NEXT and not fits(answered, taken):
        what = f'"{gate.id}" gives {readable(answered)}, but its loop takes {readable(taken)}'
        report(what, f"return {readable(taken)} for another round, or None when it is the last")


def check_loops(
    steps: Sequence[Step], returns: Iterable[Return], ends: Iterable[End], reporter: Callable[[Any], Report]
) -> None:
    """Report loops that are not closed, whose body is nothing, or whose body is entered or left by another way."""
    known = {back.gate: back for back in returns}
    for gate in steps:
        if gate.kind is not NodeKind.LOOP:
            continue
        report, back = reporter(gate.place), known.get(gate)
        if back is None:
            what = f'this is inside of the loop "{gate.id}", which is not closed'
            report(what, "build the flow that .loop(…) gives, and return from the body where it ends")
            continue
        body = _body(gate, steps, back)
        if not body and not any(end.unknown for end in back.ends):
            report(
                f'the body of the loop "{gate.id}" does nothing', f".{gate.verb}(node, …) or a function that adds one"
            )
        for end in back.ends:
            if end.step is not gate and end.step not in body and not end.unknown:
                what = f'"{end.step.id}" leads into the loop "{gate.id}" from outside, and would do so in each round'
                report(what, "let the body return what comes from the flow that it is given")
        later = [
            (f'"{step.id}"', end)
            for step in steps
            for wire in step.wires
            for end in wire.ends
            if step.order > back.order
        ]
        for name, end in [*later, *(("the output of the workflow", end) for end in ends)]:
            if end.step in body or (end.step is gate and end.port == AGAIN):
                what = f'"{end.step.id}" is inside of the loop "{gate.id}", and {name} follows it from outside'
                report(what, "follow the flow that .loop(…) gives; it has what the body returned when all is done")


def _body(gate: Step, steps: Iterable[Step], back: Return) -> set[Step]:
    found: set[Step] = set()
    for step in steps:
        if gate.order < step.order < back.order:
            ends = [end for wire in step.wires for end in wire.ends]
            if any(end.step in found or (end.step is gate and end.port == AGAIN) for end in ends):
                found.add(step)
    return found

"""Giving a function its arguments: flows become inputs, everything else becomes configuration that can be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codemation.core.annotations import fits, readable
from codemation.core.configuration import check_params, configured
from codemation.core.definition import Input, NodeKind
from codemation.core.ids import MAIN
from codemation.core.mistakes import listed, meant, near
from codemation.core.policies import Report
from codemation.core.reading import refusal
from codemation.core.roles import NODES_ONLY
from codemation.core.signature import Parameter, Shape, Signature
from codemation.core.steps import Step, Wire
from codemation.core.wiring import Arrival, Wiring


@dataclass(slots=True)
class Binding:
    """What a step gives to its function, while it is being worked out."""

    step: Step
    signature: Signature
    wiring: Wiring
    report: Report
    inputs: list[Input] = field(default_factory=list)
    taken: dict[str, Any] = field(default_factory=dict)
    """Types of the items that the inputs take, by input."""
    arguments: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    arriving: Any = Any
    """The type of the items that the verb itself gives."""

    def bind(self) -> None:
        """Work out all inputs and arguments; the data comes first among the inputs."""
        data = self.signature.data
        named: dict[str, Wire] = {}
        for wire in self.step.wires:
            if named.setdefault(wire.name, wire) is not wire:
                self._given_twice(wire.name)
        into = self.step.verb == "into"
        first = named.pop(data.name if into and data is not None else "", None)
        if into:
            self._check_branches(named, first)
        if first is not None:
            self._bind_data(first)
        self._bind_named(named)
        check_params(self.step, self.signature, self.report)

    def _check_branches(self, named: Mapping[str, Wire], first: Wire | None) -> None:
        takes = [parameter.name for parameter in self._parameters()]
        if "" in named:
            what = f".into({self.step.id}) follows a fork, and here one flow comes without a name"
            self.report(what, f".parallel({', '.join(f'{name}=…' for name in takes) or 'name=…'}).into({self.step.id})")
        elif first is None and self.signature.data is not None:
            what = f'no branch is called {self.signature.data.name!r}, the first argument of "{self.step.id}"'
            self.report(what, f"the branches are {listed(list(named), 'none')}; it takes {listed(takes)}")

    def _parameters(self) -> list[Parameter]:
        data = self.signature.data
        return [*([data] if data is not None else []), *self.signature.arguments]

    def _bind_data(self, wire: Wire) -> None:
        step, data = self.step, self.signature.data
        arrival = self.wiring.arrival(wire.ends, step.id, self.report)
        self.arriving = arrival.type
        if data is None:
            # A source only waits for what comes before it, but `tap` passes on what came.
            ordering = step.kind is not NodeKind.TAP
            self.inputs.append(Input(name="" if ordering else MAIN, sources=arrival.sources, ordering=ordering))
            return
        name = data.name if step.kind in NODES_ONLY else MAIN
        self._take(name, data, arrival)

    def _take(self, name: str, parameter: Parameter, arrival: Arrival) -> None:
        self.inputs.append(Input(name=name, sources=arrival.sources))
        self.taken[name] = parameter.item_type
        if refusal(parameter.annotation) or fits(arrival.type, parameter.item_type):
            return
        wanted, given = readable(parameter.item_type), readable(arrival.type)
        what = f'"{self.step.id}" takes {wanted}, but {arrival.origin} gives {given}'
        if parameter is not self.signature.data:
            what = f'{parameter.name}= of "{self.step.id}" takes {wanted}, but {arrival.origin} gives {given}'
        way_out = f"change {parameter.name}: {wanted} in {self.step.id}, "
        self.report(what, f"{way_out}or put a node in between that turns {given} into {wanted}")

    def _bind_named(self, named: Mapping[str, Wire]) -> None:
        rest = {parameter.name: parameter for parameter in self.signature.arguments if not parameter.positional}
        probable: set[str] = set()
        for name in dict.fromkeys([*named, *self.step.arguments]):
            if name in rest:
                self._bind_one(rest[name], named.get(name))
            elif name in self.step.arguments and self._is_free(name):
                self._configure(Parameter(name=name, shape=Shape.ONE, annotation=Any, item_type=Any))
            elif name:
                self._unknown(name, rest, is_flow=name in named)
                probable.update([guess] if (guess := near(name, rest)) else [])
        given = {*named, *self.step.arguments}
        unforked = self.step.verb == "into" and "" in named
        for parameter in [] if unforked else rest.values():
            if parameter.required and parameter.name not in given | probable:
                verb = f".{self.step.verb}({self.step.id}, {parameter.name}=…)"
                what = f'"{self.step.id}" needs {parameter.name}: {readable(parameter.annotation)}'
                self.report(what, f"{verb} with a flow, a value, Params.<field> or cm.expr(…)")

    def _is_free(self, name: str) -> bool:
        """Whether `**options` of the function takes an argument of this name."""
        taken = {parameter.name for parameter in self._parameters()}
        taken |= {injection.name for injection in self.signature.injections}
        return self.signature.open_ended and name not in taken

    def _bind_one(self, parameter: Parameter, wire: Wire | None) -> None:
        if wire is None:
            self._configure(parameter)
            return
        if parameter.name in self.step.arguments:
            self._given_twice(parameter.name)
        if any(parameter.name == given.name for given in self.inputs):  # beside a function the verb's own is `main`
            what = f'"{self.step.id}" has an argument {parameter.name!r}, as the input of .{self.step.verb}() is called'
            self.report(what, f"call the argument of {self.step.id} something else")
        if reason := refusal(parameter.annotation):
            what = f'"{self.step.id}" {reason}, so {parameter.name} cannot be given a flow'
            self.report(what, f"annotate {parameter.name} as list[…], a table or a model")
        self._take(parameter.name, parameter, self.wiring.arrival(wire.ends, self.step.id, self.report))

    def _given_twice(self, name: str) -> None:
        self.report(f'{name} of "{self.step.id}" is given twice', f"remove {name}=…")

    def _configure(self, parameter: Parameter) -> None:
        given = configured(self.step, parameter, (self.signature.data, self.arriving), self.report)
        if given is not None:
            self.arguments[parameter.name] = given.value
            self.config[parameter.name] = given.stored

    def _unknown(self, name: str, rest: Mapping[str, Parameter], *, is_flow: bool) -> None:
        step, data = self.step, self.signature.data
        if data is not None and name == data.name:
            self.report(f'"{step.id}" already gets {name} from the flow', f"remove {name}=…")
        elif any(name == injection.name for injection in self.signature.injections):
            self.report(f'{name} of "{step.id}" is filled in by the engine', f"remove {name}=…")
        elif is_flow and self.signature.open_ended:
            what = f'{name}= of "{step.id}" is a flow, and **options take values only'
            self.report(what, f"give {step.id} a parameter of its own for it: {name}: list[…]")
        else:
            takes = f"it takes {listed(list(rest), 'nothing' if data is None else 'nothing but the item')}"
            self.report(f'"{step.id}" has no argument {name!r}', meant(name, rest, takes))

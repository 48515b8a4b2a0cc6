"""Writing one step onto a flow. Nothing is checked here; `build` does that."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from codemation.core.definition import NodeKind
from codemation.core.mistakes import Mistake
from codemation.core.names import name_of
from codemation.core.node import FunctionNode
from codemation.core.places import here
from codemation.core.steps import End, Stand, Step, Wire

NOTHING: Mapping[Any, Any] = MappingProxyType({})


def stepped(stand: Stand, kind: NodeKind, does: object, **written: Any) -> tuple[Step, Stand]:
    """Put a step after all that the flow stands on; `written` are further fields of the step."""
    arguments: Mapping[str, object] = written.pop("arguments", NOTHING)
    given = {name: value for name, value in arguments.items() if isinstance(value, Stand)}
    verb = written.pop("verb", str(kind))
    step = Step(
        draft=stand.draft,
        kind=kind,
        verb=verb,
        id=_named(written.pop("id", None), does, verb),
        place=here(),
        does=does,
        wires=(
            *written.pop("wires", (Wire(name="", ends=stand.ends),)),
            *(Wire(name=name, ends=flow.ends) for name, flow in given.items()),
        ),
        arguments={name: value for name, value in arguments.items() if name not in given},
        groups=stand.groups,
        catch=stand.catch,
        **written,
    )
    stand.record(step)
    return step, stand.at([End(step=step)], *given.values())


def into(stand: Stand, does: object, *, id: str | None, arguments: Mapping[str, object]) -> Stand:
    """Put a step after a fork, each branch of which leads to the argument of its name."""
    by_label: dict[str, list[End]] = {}
    for end in stand.ends:
        by_label.setdefault(end.label, []).append(end)
    wires = tuple(Wire(name=label, ends=tuple(ends)) for label, ends in by_label.items())
    _, after = stepped(stand, NodeKind.THEN, does, verb="into", id=id, arguments=arguments, wires=wires)
    return after


def merged(stand: Stand, others: Sequence[object], *, id: str | None, config: Mapping[str, object]) -> Stand:
    """Make one stream of several flows; the branches of a fork are flows of their own."""
    stand, flows = _flows(stand, others, "merge")
    wires: dict[str, tuple[End, ...]] = {}
    for flow in flows:
        labels = dict.fromkeys(end.label for end in flow.ends) or {"": None}
        for label in labels:
            name = label if label and label not in wires else _free(wires)
            wires[name] = tuple(end for end in flow.ends if end.label == label)
    given = tuple(Wire(name=name, ends=ends) for name, ends in wires.items())
    step, _ = stepped(stand, NodeKind.MERGE, None, id=id, wires=given, config=config)
    return stand.at([End(step=step)], *flows)


def joined(stand: Stand, others: Sequence[object], *, id: str | None, config: Mapping[str, object]) -> Stand:
    """Match the items of several flows by key."""
    stand, flows = _flows(stand, others, "join")
    wires = tuple(
        Wire(name="left" if position == 0 else f"right{position}", ends=flow.ends)
        for position, flow in enumerate(flows)
    )
    step, _ = stepped(stand, NodeKind.JOIN, None, id=id, wires=wires, config=config)
    return stand.at([End(step=step)], *flows)


def _free(taken: Mapping[str, object]) -> str:
    """A number as the name of an input that has none of its own."""
    return next(str(number) for number in itertools.count(len(taken) + 1) if str(number) not in taken)


def _flows(stand: Stand, others: Sequence[object], verb: str) -> tuple[Stand, list[Stand]]:
    flows = [other for other in others if isinstance(other, Stand)]
    for other in others:
        if not isinstance(other, Stand):
            what = f".{verb}() takes flows, and {other!r} is none"
            stand = stand.wrote(Mistake(place=here(), what=what, way_out=f".{verb}(other_flow)"))
    return stand, [stand, *flows]


def _named(given: str | None, does: object, verb: str) -> str:
    if given is not None:
        return given if isinstance(given, str) else repr(given)
    name = verb
    if isinstance(does, FunctionNode):
        name = does.id
    elif callable(does) and verb not in ("parse", "merge", "join"):
        name = name_of(does)
    return verb if name == "<lambda>" else name

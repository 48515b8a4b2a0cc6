"""What a flow stands on: an immutable graph of steps as they were written, nothing of it checked yet."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from codemation.core.definition import NodeKind
from codemation.core.mistakes import Mistake
from codemation.core.places import Place

_WRITTEN = itertools.count()
"""Numbers steps in the order of writing, so that a step always comes after what it stands on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draft:
    """What a workflow was begun with."""

    id: Any
    params: Any
    input: Any
    title: str
    summary: str = ""
    max_parallel: Any
    timeout: Any = None
    limits: Any = None
    priority: Any
    defaults: Mapping[str, Any]
    retention: Any = None
    concurrency: Any = None
    on_failure: Any = None
    place: Place
    triggers: tuple[Any, ...] = ()
    recorded: list[Written] | None = None
    """In the function form: all that was written, returned or not."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """A node as written."""

    draft: Draft
    kind: NodeKind
    verb: str
    id: str
    """As given, or the name of what it does."""
    place: Place
    does: Any = None
    """The node, function or model; `None` for what the engine does by itself."""
    wires: tuple[Wire, ...] = ()
    arguments: Mapping[str, object] = field(default_factory=dict)
    """Given by name, flows apart: those are wires."""
    on_error: Any = None
    """As given at the verb; `None` when it was not."""
    ports: tuple[str, ...] = ()
    """Fixed by the verb; otherwise they follow from what the function gives."""
    cases: Mapping[Any, str] = field(default_factory=dict)
    config: Mapping[str, object] = field(default_factory=dict)
    """Arguments of the verb itself."""
    groups: tuple[str, ...] = ()
    catch: Catch | None = None
    """What catches its failures, unless it sees to them itself."""
    order: int = field(default_factory=lambda: next(_WRITTEN))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Catch:
    """A piece of a flow whose failures are caught."""

    id: str
    """Of the node that they come to."""
    entry: tuple[End, ...]
    """Where the piece begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where a flow has got to: an output of a step."""

    step: Step
    port: str | None = None
    """`None` where no port was named: the only one there is."""
    label: str = ""
    """The branch that it belongs to."""
    joins: bool = False
    """It is the end of a branch, and joins only if it gives anything."""
    unknown: bool = False
    """A mistake is known to stand here, so that nothing more is said about what comes after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What leads to one input of a step."""

    name: str
    """The argument; empty for what the verb itself gives."""
    ends: tuple[End, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PortUse:
    """A port was named, whose existence is checked at build."""

    end: End
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Return:
    """The end of a loop's body, from where items come back to the gate."""

    gate: Step
    ends: tuple[End, ...]
    order: int = field(default_factory=lambda: next(_WRITTEN))


Written = Step | PortUse | Return | Mistake


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stand:
    """Where a flow stands: its ends, what belongs to it beside them, and the pieces that it is inside of."""

    draft: Draft
    ends: tuple[End, ...]
    beside: tuple[Written, ...] = ()
    groups: tuple[str, ...] = ()
    catch: Catch | None = None

    def wrote(self, written: Written) -> Stand:
        """The same place, where something more belongs to it."""
        self.record(written)
        return replace(self, beside=(*self.beside, written))

    def record(self, written: Written) -> None:
        """Note what was written; in the function form all of it belongs to the workflow."""
        if self.draft.recorded is not None:
            self.draft.recorded.append(written)

    def at(self, ends: Iterable[End], *others: Stand) -> Stand:
        """Another place, to which all belongs that belongs to this and to the others."""
        beside = dict.fromkeys(self.beside)
        for other in others:
            if other.draft is self.draft:
                beside.update(dict.fromkeys(other.beside))
        return replace(self, ends=tuple(ends), beside=tuple(beside))

    def with_step(self, step: Step) -> Stand:
        """The same place, to which a step belongs even if nobody follows it."""
        return replace(self, beside=(*self.beside, step))

    def lost(self) -> Stand:
        """Where nobody knows what comes, because of a mistake before."""
        return replace(self, ends=tuple(replace(end, unknown=True) for end in self.ends))

    def ended(self) -> Stand:
        """The flow's end, beside which all that it stood on still belongs to it."""
        return replace(self, ends=(), beside=(*self.beside, *(end.step for end in self.ends)))


def upstream(draft: Draft, written: Sequence[Written], ends: Iterable[End]) -> list[Step]:
    """Every step of a workflow that these stand on, in the order of writing."""
    found: dict[Step, None] = {}
    frontier = [end.step for end in ends]
    for one in written:
        if isinstance(one, Step):
            frontier.append(one)
        elif isinstance(one, PortUse):
            frontier.append(one.end.step)
        elif isinstance(one, Return):
            frontier.extend(end.step for end in one.ends)
    while frontier:
        step = frontier.pop()
        if step not in found and step.draft is draft:
            found[step] = None
            frontier.extend(end.step for wire in step.wires for end in wire.ends)
    return sorted(found, key=lambda step: step.order)

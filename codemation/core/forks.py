"""Writing forks: branches are followed while writing, and their ends join at the next verb unless they end."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from codemation.core.definition import NodeKind
from codemation.core.ids import AGAIN, ERROR, MAIN
from codemation.core.mistakes import Mistake
from codemation.core.places import here, raised_at
from codemation.core.steps import Catch, End, PortUse, Return, Stand, Step, Wire
from codemation.core.verbs import stepped

Piece = Callable[[Stand], object]
"""A branch as the flow hands it over: gives the `Stand` that it ends at, or whatever its author returned."""
DEFAULT = "default"
YES, NO = "yes", "no"
_UNNAMED = re.compile(r"[^\w.\-]+")
"""What cannot stand in the id of a node."""
ENTERED = "entered"
"""The wire that leads what entered a piece to where its failures are caught."""


def branched(stand: Stand, when: object, branches: Mapping[str, Piece | None], **written: Any) -> Stand:
    """Two ways, chosen for each item; a way without a branch passes through."""
    step, after = stepped(stand, NodeKind.BRANCH, when, ports=(YES, NO), **written)
    return fork(after, step, branches)


def switched(stand: Stand, key: object, cases: Mapping[Any, Piece], default: Piece | None, **written: Any) -> Stand:
    """One way for each value of a key; a tuple stands for several values."""
    ports = {case: port_of(case) for case in cases}
    pairs = [(value, port) for case, port in ports.items() for value in (case if isinstance(case, tuple) else (case,))]
    values = dict(pairs)
    branches = {ports[case]: branch for case, branch in cases.items()}
    clashes = sorted({port for port in ports.values() if list(ports.values()).count(port) > 1 or port == DEFAULT})
    if default is not None:
        branches[DEFAULT] = default
    step, after = stepped(stand, NodeKind.SWITCH, key, ports=tuple(branches), cases=values, **written)
    for port in clashes:
        what = f'"{step.id}" has several ways that are called {port!r}'
        way_out = "put the values of one way into a tuple: {(1, '1'): …}; the case without a value is default=…"
        after = after.wrote(Mistake(place=step.place, what=what, way_out=way_out))
    for value in [value for value in values if sum(value == other for other, _ in pairs) > 1]:
        what = f'"{step.id}" has several ways for {value!r}'
        after = after.wrote(Mistake(place=step.place, what=what, way_out="leave it in one of the cases"))
    return fork(after, step, branches)


def port_of(case: object) -> str:
    """The name of the output port of a case."""
    if isinstance(case, tuple):
        return ",".join(port_of(value) for value in case)
    return str(case.value if isinstance(case, enum.Enum) else case) or "(empty)"


def fork(stand: Stand, step: Step, branches: Mapping[str, Piece | None]) -> Stand:
    """Follow a branch from each port of a step."""
    ways = [
        followed(stand.at([End(step=step, port=port, label=port)]), port, piece) for port, piece in branches.items()
    ]
    return stand.at([end for way in ways for end in way.ends], *ways).with_step(step)


def routed(stand: Stand, branches: Mapping[str, Piece]) -> Stand:
    """Follow a branch from each named port of the node before; ports that are not named end there."""
    ways = [followed(at_port(stand, port, verb="route"), port, piece) for port, piece in branches.items()]
    if not branches:
        way_out = ".route(valid=…, rejected=…) with the ports of the node before"
        return stand.wrote(Mistake(place=here(), what=".route() names no port", way_out=way_out)).lost()
    return stand.at([end for way in ways for end in way.ends], stand, *ways)


def at_port(stand: Stand, port: str, verb: str) -> Stand:
    """The flow at one output port of the node that it stands at."""
    steps = list(dict.fromkeys(end.step for end in stand.ends))
    if len(steps) == 1:
        end = End(step=steps[0], port=port)
        return stand.at([end]).wrote(PortUse(end=end, place=here()))
    spelt = f'["{port}"]' if verb == "[]" else f".{verb}({port}=…)"
    what = f"{spelt} follows a port of one node, but {len(steps) or 'no'} nodes lead here"
    way_out = "name the port right after the node that has it"
    return stand.lost().wrote(Mistake(place=here(), what=what, way_out=way_out))


def parallel(stand: Stand, branches: Mapping[str, Piece]) -> Stand:
    """Give the same batch to every branch."""
    ways = [followed(stand, name, piece) for name, piece in branches.items()]
    if not branches:
        way_out = ".parallel(orders=…, stock=…) with a name for each branch"
        return stand.wrote(Mistake(place=here(), what=".parallel() has no branches", way_out=way_out)).lost()
    return stand.at([end for way in ways for end in way.ends], stand, *ways)


def caught(stand: Stand, piece: Piece) -> Stand:
    """Follow a branch from the error port of the step that the flow stands at, and join it again."""
    step = stand.ends[0].step
    way = followed(stand.at([End(step=step, port=ERROR, label=ERROR)]), ERROR, piece)
    return stand.at([*stand.ends, *way.ends], way)


def looped(stand: Stand, forms: Mapping[str, object], piece: Piece, *, most: object, id: str | None) -> Stand:
    """Let items go round a branch; a gate asks about each that comes back, in one of two forms."""
    given = {form: does for form, does in forms.items() if does is not None}
    if len(given) != 1:
        said = "both until= and next=" if given else "neither until= nor next="
        way_out = "until=… to let each item out when it is done, next=… to make the next input of what was given out"
        stand = stand.wrote(Mistake(place=here(), what=f".loop() is given {said}", way_out=way_out))
    form, does = next(iter(given.items()), ("until", bool))
    config = {"form": form, "max": most}
    gate, after = stepped(stand, NodeKind.LOOP, does, ports=(MAIN, AGAIN), config=config, id=id)
    inside = after.at([End(step=gate, port=AGAIN)])
    way = followed(inside, "loop", piece)
    return stand.at(after.ends, way).wrote(Return(gate=gate, ends=way.ends))


def beside(stand: Stand, piece: Piece) -> Stand:
    """Let a branch belong to the flow that never joins it."""
    way = followed(stand, "also", piece)
    return stand.at(stand.ends, way.ended())


def piped(stand: Stand, piece: Piece, title: str, on_error: Piece | None = None) -> Stand:
    """Apply a reusable piece of a flow, drawn as one group; what fails inside and is not seen to there is caught."""
    name = f"{_UNNAMED.sub('_', title).strip('_') or 'piece'}_failed"
    catch = stand.catch if on_error is None else Catch(id=name, entry=stand.ends)
    inside = replace(stand, groups=(*stand.groups, title), catch=catch)
    outcome = _outcome(inside, piece, f'the piece "{title}"', "return the flow that the piece ends with")
    after = replace(outcome, groups=stand.groups, catch=stand.catch)
    if on_error is None or catch is None:
        return after
    wires = (Wire(name=ENTERED, ends=stand.ends),)
    config = {"catch": catch}
    groups = replace(after, groups=inside.groups)
    step, failed = stepped(groups, NodeKind.CATCH, None, id=name, wires=wires, config=config)
    way = followed(replace(failed, groups=stand.groups).at([End(step=step, label=ERROR)]), ERROR, on_error)
    return after.at([*after.ends, *way.ends], way).with_step(step)


def followed(stand: Stand, name: str, piece: Piece | None) -> Stand:
    """Where a branch ends; its ends join later if they give anything."""
    way = stand
    if piece is not None:
        way_out = "a branch is a node, or a function that takes the flow and returns where it ends: lambda f: f.then(…)"
        way = replace(_outcome(stand, piece, f'branch "{name}"', way_out), groups=stand.groups)
    return replace(way, ends=tuple(_joining(way.ends, name)))


def _joining(ends: Iterable[End], label: str) -> Iterable[End]:
    return (replace(end, label=label, joins=True) for end in ends)


def _outcome(stand: Stand, piece: Piece, what: str, way_out: str) -> Stand:
    place = here()
    try:
        outcome = piece(stand)
    except Exception as error:  # noqa: BLE001 - the author's code; it is reported with everything else
        said = f"{what} raised {type(error).__name__}: {error}"
        return stand.lost().wrote(Mistake(place=raised_at(error, place), what=said, way_out=way_out))
    if isinstance(outcome, Stand) and outcome.draft is stand.draft:
        return outcome
    shown = "a flow of another workflow" if isinstance(outcome, Stand) else f"{outcome!r}, which is no flow"
    said = f"{what} returned {shown}"
    return stand.lost().wrote(Mistake(place=place, what=said, way_out=way_out))

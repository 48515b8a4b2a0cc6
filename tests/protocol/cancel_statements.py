"""The statements of a cancel, lock by lock, and the ways in which a cancel could reach the tickets of its run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum
from typing import assert_never

from tests.protocol.cancel_world import RUN, Cancel, Stage, Status, Ticket, World, snapshot
from tests.protocol.exploration import Move


class Marking(Enum):
    """How a cancel reaches the tickets of the run."""

    SECOND_STATEMENT = "it locks the run, then marks every ticket in a second statement"
    SAME_STATEMENT = "it locks the run and marks every ticket in one statement, by a snapshot older than the lock"
    BY_STATE = "it locks the run; the second statement deletes what it sees ready and marks what it sees running"
    RUN_ONLY = "it marks the run and leaves the tickets alone"


def cancel_moves(world: World, marking: Marking, locks: Mapping[str, str]) -> Iterator[Move[World]]:
    """List what the cancel can do next; being asked for is an operator's whim, hence a fault."""
    cancel = world.cancel
    match cancel.stage:
        case Stage.NOT_ASKED:
            if marking is Marking.SAME_STATEMENT:
                looked = Cancel(stage=Stage.LOOKED, chosen=snapshot(world))
                yield Move(label="THE OPERATOR CANCELS: snapshot", after=replace(world, cancel=looked), fault=True)
            elif RUN not in locks and world.status is Status.RUNNING:
                holding = replace(world, cancel=Cancel(stage=Stage.HOLDS_RUN))
                yield Move(label="THE OPERATOR CANCELS: the run is locked", after=holding, fault=True)
        case Stage.LOOKED:
            if RUN not in locks:
                stage = Stage.MARKING if world.status is Status.RUNNING else Stage.TOO_LATE
                locked = replace(world, cancel=replace(cancel, stage=stage))
                yield Move(label="the cancel gets the lock of the run", after=locked)
        case Stage.HOLDS_RUN:
            chosen = () if marking is Marking.RUN_ONLY else snapshot(world)
            begun = replace(world, cancel=Cancel(stage=Stage.MARKING, chosen=chosen))
            yield Move(label=f"the cancel sees {len(chosen)} tickets", after=begun)
        case Stage.MARKING:
            yield from _mark(world, marking, locks) if cancel.chosen else iter([_acknowledge(world, marking)])
        case Stage.ACKNOWLEDGED | Stage.TOO_LATE:
            return
        case _:
            assert_never(cancel.stage)


def _mark(world: World, marking: Marking, locks: Mapping[str, str]) -> Iterator[Move[World]]:
    cancel = world.cancel
    seen, *rest = cancel.chosen
    if seen.id in locks:
        return
    newest = world.ticket(seen.id)
    moved = newest is not None and (newest.owner is None) != (seen.owner is None)
    missed = newest is None or (moved and marking is Marking.BY_STATE)
    locked = cancel.locked if missed else cancel.locked | {seen.id}
    label = f"the cancel {'passes over' if missed else 'locks and marks'} {seen.id}"
    yield Move(label=label, after=replace(world, cancel=replace(cancel, chosen=tuple(rest), locked=locked)))


def _acknowledge(world: World, marking: Marking) -> Move[World]:
    tickets: set[Ticket] = set()
    for ticket in world.tickets:
        if ticket.id not in world.cancel.locked:
            tickets.add(ticket)
        elif marking is not Marking.BY_STATE or ticket.owner is not None:
            tickets.add(replace(ticket, marked=True))
    cancelled = replace(world, tickets=frozenset(tickets), status=Status.CANCELLING, fold_due=True)
    acknowledged = replace(cancelled, cancel=Cancel(stage=Stage.ACKNOWLEDGED))
    return Move(label="the cancel commits and is acknowledged", after=acknowledged)

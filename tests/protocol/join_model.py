"""The shards of an activation end at the same time, and exactly one of them must go on with the join.

The worker of a shard may die between two statements, and a lost answer makes it send its statement again; a shard
that has not been marked as done is started again by somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from tests.protocol.exploration import Move


class Joining(Enum):
    """How a shard learns that it is the last one."""

    COUNTER = "one statement deletes the shard's ticket and counts down on the locked parent"
    COUNTER_APART = "one statement marks the shard, a second one counts down"
    COUNTER_UNFENCED = "the statement that counts down does not ask whether the shard's ticket still lives"
    COUNT = "one statement marks the shard and counts the unfinished ones, as its snapshot shows them"


class Phase(Enum):
    """How far a shard is."""

    WORKING = "working"
    LOOKED = "marked, but not yet committed"
    MARKED = "marked and committed, but not yet counted down"
    DOWN = "its worker is dead"
    ASKING = "its worker does not know whether it committed"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One shard: its worker's phase, its mark in the database, and whether its snapshot showed it to be the last."""

    phase: Phase = Phase.WORKING
    marked: bool = False
    last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Both shards, the parent's counter, how often the join was begun, and the faults still to come."""

    shards: tuple[Shard, Shard] = (Shard(), Shard())
    left: int = 2
    joins: int = 0
    kills: int = 1
    lost_answers: int = 1


def changed(world: World, index: int, shard: Shard) -> World:
    """Return the world with one shard changed."""
    first, second = world.shards
    return replace(world, shards=(shard, second) if index == 0 else (first, shard))


def counted_down(world: World) -> World:
    """Return the world after `left_ = left_ - 1`, whose row lock makes it one at a time."""
    return replace(world, left=world.left - 1, joins=world.joins + (world.left == 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinModel:
    """Two shards, one kill, one lost answer."""

    joining: Joining = Joining.COUNTER

    def initial(self) -> World:
        """Both shards are at work."""
        return World()

    def moves(self, world: World) -> Iterator[Move[World]]:
        """List what the workers of the shards and the caretaker can do next."""
        for index, shard in enumerate(world.shards):
            yield from self._shard(world, index)
            if shard.phase in (Phase.WORKING, Phase.MARKED) and world.kills:
                dead = changed(replace(world, kills=world.kills - 1), index, replace(shard, phase=Phase.DOWN))
                yield Move(label=f"the worker of shard {index} IS KILLED", after=dead, fault=True)

    def _shard(self, world: World, index: int) -> Iterator[Move[World]]:
        shard, other = world.shards[index], world.shards[1 - index]
        match shard.phase:
            case Phase.WORKING if self.joining is Joining.COUNT:
                looked = changed(world, index, replace(shard, phase=Phase.LOOKED, last=other.marked))
                yield Move(label=f"shard {index} writes its mark and counts the others", after=looked)
            case Phase.WORKING:
                yield from self._end(world, index)
            case Phase.LOOKED:
                joined = replace(world, joins=world.joins + shard.last)
                committed = changed(joined, index, Shard(phase=Phase.DONE, marked=True))
                yield Move(label=f"shard {index} commits", after=committed)
            case Phase.MARKED:
                done = changed(counted_down(world), index, replace(shard, phase=Phase.DONE))
                yield Move(label=f"shard {index} counts down", after=done)
            case Phase.DOWN if not shard.marked:
                yield Move(label=f"shard {index} is taken over", after=changed(world, index, Shard()))
            case Phase.ASKING:
                unfenced = self.joining is Joining.COUNTER_UNFENCED
                after = counted_down(world) if unfenced else world
                label = f"shard {index} sends again and {'counts down once more' if unfenced else 'is refused'}"
                yield Move(label=label, after=changed(after, index, replace(shard, phase=Phase.DONE)))
            case Phase.DOWN | Phase.DONE:
                return
            case _:
                assert_never(shard.phase)

    def _end(self, world: World, index: int) -> Iterator[Move[World]]:
        apart = self.joining is Joining.COUNTER_APART
        after = world if apart else counted_down(world)
        phase = Phase.MARKED if apart else Phase.DONE
        label = f"shard {index} is marked" if apart else f"shard {index} is marked and counts down"
        yield Move(label=label, after=changed(after, index, Shard(phase=phase, marked=True)))
        if world.lost_answers and not apart:
            lost = replace(after, lost_answers=world.lost_answers - 1)
            asking = changed(lost, index, Shard(phase=Phase.ASKING, marked=True))
            yield Move(label=f"{label}, THE ANSWER IS LOST", after=asking, fault=True)

    def violation(self, world: World) -> str | None:
        """Name a join that was begun twice, or too early."""
        if world.joins > 1:
            return "the join was begun twice"
        if world.joins and not all(shard.marked for shard in world.shards):
            return "the join was begun before every shard had ended"
        return None

    def unsettled(self, world: World) -> str | None:
        """Name a join that nobody begins."""
        return None if world.joins == 1 else "every shard has ended, and nobody begins the join"

"""A child run ends while its parent waits for it.

The parent sleeps until somebody tells it: no thread watches the child. The process that ends the child may die at
any moment; it is taken over only as long as the child is unfinished, for a finished run has no ticket.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from tests.protocol.exploration import Move


class Telling(Enum):
    """When the parent's inbox gets the news."""

    IN_THE_ENDING_STATEMENT = "the statement that ends the child also writes the parent's inbox"
    AFTER_THE_COMMIT = "the process commits the end of the child, then writes the parent's inbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is committed of child and parent, and the process that drives the child."""

    child_ended: bool = False
    inbox: bool = False
    parent_awake: bool = False
    alive: bool = True
    must_tell: bool = False
    kills: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildModel:
    """One child, one parent, one kill."""

    telling: Telling = Telling.IN_THE_ENDING_STATEMENT

    def initial(self) -> World:
        """The child is about to end."""
        return World()

    def moves(self, world: World) -> Iterator[Move[World]]:
        """List what the child's process, the parent's fold and the caretaker can do next."""
        if world.alive and not world.child_ended:
            told = self.telling is Telling.IN_THE_ENDING_STATEMENT
            ended = replace(world, child_ended=True, inbox=told, must_tell=not told)
            yield Move(label="the end of the child is committed", after=ended)
        if world.alive and world.must_tell:
            yield Move(label="the parent's inbox is written", after=replace(world, inbox=True, must_tell=False))
        if world.alive and world.kills:
            dead = replace(world, alive=False, must_tell=False, kills=world.kills - 1)
            yield Move(label="the process of the child IS KILLED", after=dead, fault=True)
        if not world.alive and not world.child_ended:
            yield Move(label="the child is taken over", after=replace(world, alive=True))
        if world.inbox:
            yield Move(label="the parent folds its inbox", after=replace(world, inbox=False, parent_awake=True))

    def violation(self, world: World) -> str | None:
        """Name a parent that goes on before its child has ended."""
        return "the parent woke before the child ended" if world.parent_awake and not world.child_ended else None

    def unsettled(self, world: World) -> str | None:
        """Name a parent that nobody will wake."""
        return None if world.parent_awake else "the parent waits for ever on a child that has ended"

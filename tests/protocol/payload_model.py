"""Writers share payloads by content while the garbage collector deletes what nobody refers to.

The database knows rows (under which name a payload is stored, and how it stands); the object store knows objects.
Nothing spans both. A writer looks for the payload, uploads it if need be, and commits a reference later. A touch
keeps a row from being doomed for longer than any writer needs, so here it holds for the whole story.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from tests.protocol.exploration import Move


class Sharing(Enum):
    """How writers and collector keep out of each other's way."""

    TOUCHED_NAMED_BY_UPLOAD = "a writer touches the row it finds; every upload has a name of its own"
    TOUCHED_NAMED_BY_DIGEST = (
        "a writer touches the row it finds and saves a doomed one; an object is named by its content"
    )
    UNTOUCHED = "a writer that finds a row leaves it as it is"


class Stage(Enum):
    """How far a writer is."""

    LOOKING = "looking"
    REFERRING = "about to commit its reference"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the payload's digest; a doomed row is out of the unique index."""

    name: int = 0
    touched: bool = False
    doomed: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """A writer and the name that it will refer to."""

    stage: Stage = Stage.LOOKING
    name: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Rows and objects as committed, the references, and two writers of the same content."""

    rows: tuple[Row, ...] = (Row(),)
    objects: frozenset[int] = frozenset({0})
    references: frozenset[int] = frozenset()
    writers: tuple[Writer, Writer] = (Writer(), Writer())


def changed(world: World, index: int, row: Row) -> World:
    """Return the world with one row changed."""
    return replace(world, rows=(*world.rows[:index], row, *world.rows[index + 1 :]))


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadModel:
    """An old payload that nobody refers to any more, two writers that store it again, one collector."""

    sharing: Sharing = Sharing.TOUCHED_NAMED_BY_UPLOAD

    def initial(self) -> World:
        """The payload is stored and ripe for collection."""
        return World()

    def moves(self, world: World) -> Iterator[Move[World]]:
        """List what the writers and the collector can do next."""
        for index, writer in enumerate(world.writers):
            match writer.stage:
                case Stage.LOOKING:
                    yield self._look(world, index)
                case Stage.REFERRING:
                    referred = replace(world, references=world.references | {writer.name})
                    after = self._with_writer(referred, index, Writer(stage=Stage.DONE, name=writer.name))
                    yield Move(label=f"writer {index} commits its reference to object {writer.name}", after=after)
                case Stage.DONE:
                    continue
                case _:
                    assert_never(writer.stage)
        for index in range(len(world.rows)):
            yield from self._collect(world, index)

    def _with_writer(self, world: World, index: int, writer: Writer) -> World:
        first, second = world.writers
        return replace(world, writers=(writer, second) if index == 0 else (first, writer))

    def _look(self, world: World, index: int) -> Move[World]:
        saves_doomed = self.sharing is not Sharing.TOUCHED_NAMED_BY_UPLOAD
        for number, row in enumerate(world.rows):
            if row.deleted or (row.doomed and not saves_doomed):
                continue
            touches = self.sharing is not Sharing.UNTOUCHED
            found = changed(world, number, replace(row, touched=True, doomed=False)) if touches else world
            after = self._with_writer(found, index, Writer(stage=Stage.REFERRING, name=row.name))
            label = f"writer {index} finds the row of object {row.name}" + (" and touches it" if touches else "")
            return Move(label=label, after=after)
        by_upload = self.sharing is Sharing.TOUCHED_NAMED_BY_UPLOAD
        name = len(world.rows) if by_upload else 0
        stored = replace(world, rows=(*world.rows, Row(name=name, touched=True)), objects=world.objects | {name})
        after = self._with_writer(stored, index, Writer(stage=Stage.REFERRING, name=name))
        return Move(label=f"writer {index} uploads object {name}", after=after)

    def _collect(self, world: World, index: int) -> Iterator[Move[World]]:
        row = world.rows[index]
        if not (row.doomed or row.touched or row.name in world.references):
            doomed = changed(world, index, replace(row, doomed=True))
            yield Move(label=f"the collector dooms the row of object {row.name}", after=doomed)
        if not row.doomed:
            return
        object_first = self.sharing is Sharing.TOUCHED_NAMED_BY_UPLOAD
        if row.deleted or (object_first and row.name in world.objects):
            buried = changed(world, index, replace(row, doomed=False, touched=True)) if row.deleted else world
            after = replace(buried, objects=world.objects - {row.name})
            yield Move(label=f"the collector deletes object {row.name}", after=after)
        else:
            deleted = changed(world, index, replace(row, deleted=True, doomed=not object_first, touched=object_first))
            yield Move(label=f"the collector deletes the doomed row of object {row.name}", after=deleted)

    def violation(self, world: World) -> str | None:
        """Name a reference to an object that was deleted."""
        dangling = world.references - world.objects
        return f"a committed reference points to the deleted object {min(dangling)}" if dangling else None

    def unsettled(self, world: World) -> str | None:
        """Name an object that neither a row nor a reference knows."""
        known = {row.name for row in world.rows if not row.deleted} | world.references
        return "an object is stored that nobody can find" if world.objects - known else None

"""Children, and those who wait for them, doing one thing wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from codemation.core.errors import UnwantedChild
from codemation.core.ids import RunId
from codemation.core.ports import Commit, NewRun, OpenWait, Reopening, RunRow, nothing
from codemation.host.memory.children import MemoryChildren
from codemation.host.memory.journal import MemoryJournal
from codemation.host.memory.pruning import MemoryPruning
from codemation.host.memory.tables import Ticket
from codemation.testing.conformance import ChildrenContract
from tests.testing.defect import Defect, defects


class _EndsTellNobody(MemoryJournal):
    """The parent would be told by another statement, after the commit."""

    def _step(self, commit: Commit) -> bool:
        return super()._step(replace(commit, tells=False))


class _StartsTellNobody(MemoryJournal):
    """Nobody thinks of the child whose first revision is its last."""

    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        before = {run: list(letters) for run, letters in self._tables.letters.items()}
        started = super().start(run, meanwhile)
        self._tables.letters = before
        return started


class _StartsTheUnwanted(MemoryJournal):
    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        try:
            return super().start(run, meanwhile)
        except UnwantedChild:
            return super().start(replace(run, id=RunId(f"{run.id[:-1]}f"), parent=None), meanwhile)


class _StartsForTheStopped(MemoryJournal):
    """Whether the wait is marked is not looked at."""

    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        ticket = self._tables.tickets.get(run.parent.ticket) if run.parent else None
        if ticket is None:
            return super().start(run, meanwhile)
        stop, ticket.stop = ticket.stop, False
        try:
            return super().start(run, meanwhile)
        finally:
            ticket.stop = stop


class _ReopensForTheOldWait(MemoryJournal):
    def reopen(self, reopening: Reopening) -> bool:
        known = self._tables.parents.get(reopening.run)
        return super().reopen(replace(reopening, wait=reopening.wait or (known.ticket if known else None)))


class _WantsWhatIsThere(MemoryChildren):
    def _works(self, ticket: Ticket) -> bool:
        return False


class _ForgetsTheOver(MemoryChildren):
    """A wait whose child is over counts as served."""

    def _works(self, ticket: Ticket) -> bool:
        return RunId(str(ticket.detail.get("child"))) in self._tables.runs


class _WantsThoseOfOthers(MemoryChildren):
    def wanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[OpenWait, ...]:
        return super().wanted(None, limit)


class _StopsNobody(MemoryChildren):
    def unwanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[RunId, ...]:
        return ()


class _StopsEverybody(MemoryChildren):
    def unwanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[RunId, ...]:
        return tuple(child for child, parent in self._tables.parents.items() if run in (None, parent.run))[:limit]


class _YoungestFirst(MemoryChildren):
    def of(self, run: RunId) -> tuple[RunRow, ...]:
        return tuple(reversed(super().of(run)))


class _PrunesChildrenFirst(MemoryPruning):
    def _over(self) -> list[RunRow]:
        return self._past()


def _all() -> list[Defect]:
    journal = defects(
        ChildrenContract,
        "journal",
        ends_tell_nobody=_EndsTellNobody,
        starts_tell_nobody=_StartsTellNobody,
        starts_the_unwanted=_StartsTheUnwanted,
        starts_for_the_stopped=_StartsForTheStopped,
        reopens_for_the_old_wait=_ReopensForTheOldWait,
    )
    children = defects(
        ChildrenContract,
        "children",
        wants_what_is_there=_WantsWhatIsThere,
        forgets_the_over=_ForgetsTheOver,
        wants_those_of_others=_WantsThoseOfOthers,
        stops_nobody=_StopsNobody,
        stops_everybody=_StopsEverybody,
        youngest_first=_YoungestFirst,
    )
    pruning = defects(ChildrenContract, "pruning", prunes_children_first=_PrunesChildrenFirst)
    return [*journal, *children, *pruning]


CHILD_DEFECTS = _all()

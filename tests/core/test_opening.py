"""A run that a process keeps is brought up to date, or read anew when the database tells another story."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codemation.core.errors import StoreUnavailable, UnreadableRun
from codemation.core.ids import NodeId
from codemation.core.ports import Holding
from codemation.host.memory.journal import MemoryJournal
from tests.core.engine_world import Database, begun, give
from tests.core.simulation.faults import Fault
from tests.core.test_definition import defined, node

CHAIN = defined(node("a", "start"), node("b", "a"))


def test_an_answer_is_waited_for_as_long_as_the_patience_lasts() -> None:
    database = Database()
    engine = database.engine()
    run, _ = begun(engine, CHAIN)
    database.faults = {"checkpoints.load": [Fault.ASK_LOST, Fault.ANSWER_LOST]}
    assert engine.open(run.id).id == run.id
    assert database.waits == [1, 2]
    database.faults = {"checkpoints.load": [Fault.ASK_LOST] * 6}
    with pytest.raises(StoreUnavailable):
        engine.open(run.id)


def test_an_earlier_revision_is_folding_less() -> None:
    database = Database()
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    give(engine, run, claim)
    row, entries = database.stores.journal.load(run.id)
    earlier, first = engine.opener.folded(row, [], upto=0)
    assert (earlier.revision, first) == (0, CHAIN)
    assert len(entries) == 2


def test_a_run_is_read_anew_when_the_database_has_fallen_back_and_gone_on_from_there() -> None:
    database = Database()
    engine, other = database.engine(), database.engine()
    run, claim = begun(engine, CHAIN)
    behind = other.open(run.id)
    after = give(engine, run, claim).next
    assert after is not None
    journal = database.stores.journal
    assert isinstance(journal, MemoryJournal)
    tables = journal._tables
    entry, _ = tables.journal[run.id].pop()  # a server that had not received the last revision takes its place
    tables.runs[run.id] = behind.row
    tables.tickets[claim.holding.ticket].fence = claim.holding.fence
    tables.tickets[claim.holding.ticket].activation = claim.activation
    give(engine, behind, claim, b"another story")
    _, entries = journal.load(run.id)
    assert entries[1].head != entry.head
    held = Holding(ticket=claim.holding.ticket, worker=engine.worker, fence=0)
    engine.opener.look(run, held)
    assert run.snapshot == behind.snapshot
    assert run.head == behind.head
    assert run.snapshot.output(NodeId("a"), "main").size == len(b"another story")


def test_a_journal_that_means_nothing_here_is_refused_with_the_run_and_the_revision() -> None:
    database = Database()
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    behind = database.engine().open(run.id)
    give(engine, run, claim)
    journal = database.stores.journal
    assert isinstance(journal, MemoryJournal)
    entry, output = journal._tables.journal[run.id][-1]
    journal._tables.journal[run.id][-1] = (replace(entry, delta=b'[["teleport"]]'), output)
    for read in (
        lambda: engine.open(run.id),
        lambda: engine.opener.look(behind, Holding(ticket=claim.holding.ticket, worker=engine.worker, fence=0)),
    ):
        with pytest.raises(UnreadableRun, match=f"revision 2 of run {run.id} cannot be read: .*teleport") as refused:
            read()
        assert "newer release" in refused.value.way_out

"""A run that is long is not read from its beginning again, and stands where it would stand."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from codemation.core import checkpoint as checkpoints
from codemation.core import opening
from codemation.core.checkpoint import decode_snapshot, encode_snapshot
from codemation.core.ids import Head, RunId
from codemation.core.knowledge import COMPARED
from codemation.core.opening import OpenRun
from codemation.core.ports import Checkpoint
from tests.core.engine_world import Database, begun, failed, give
from tests.core.simulation.faults import Fault
from tests.core.test_definition import defined, node

CHAIN = defined(node("a", "start"), *(node(f"n{at}", "a" if at == 0 else f"n{at - 1}") for at in range(6)))


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(opening, "LEAST", 1)
    return Database()


def walked(database: Database, steps: int = 4) -> OpenRun:
    """A run that has gone so far."""
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    for _ in range(steps):
        after = give(engine, run, claim).next
        assert after is not None
        claim = after
    return run


def kept(database: Database, run: RunId) -> Checkpoint | None:
    return database.stores.checkpoints.load(run)[run][1]


def test_all_that_snapshots_are_compared_by_is_kept() -> None:
    assert tuple(field.name for field in fields(checkpoints._State)) == COMPARED


def test_a_run_is_opened_from_its_last_checkpoint(database: Database) -> None:
    run = walked(database)
    checkpoint = kept(database, run.id)
    assert checkpoint is not None
    assert 1 < checkpoint.revision <= run.snapshot.revision
    opened = database.engine().open(run.id)
    assert (opened.snapshot, opened.head) == (run.snapshot, run.head)
    assert opened.marked == len(checkpoint.state)
    assert opened.snapshot.output(CHAIN.nodes[1].id, "main") == run.snapshot.output(CHAIN.nodes[1].id, "main")


def test_a_checkpoint_comes_when_the_journal_has_grown_by_what_the_last_one_holds(database: Database) -> None:
    run = walked(database, 6)
    _, entries = database.stores.journal.load(run.id)
    checkpoint = kept(database, run.id)
    assert checkpoint is not None
    assert sum(len(entry.delta) for entry in entries) >= run.passed
    assert run.passed < run.marked


def test_no_run_that_is_short_has_one() -> None:
    database = Database()
    assert kept(database, walked(database).id) is None


@pytest.mark.parametrize(
    "state",
    [b"", b"[]", b"{}", b"not json", b'{"spelling":2,"head":1,"state":{}}', b'{"spelling":1,"head":1,"state":{}}'],
)
def test_one_that_cannot_be_read_is_told_of_and_left_aside(database: Database, state: bytes) -> None:
    run = walked(database)
    database.stores.checkpoints.keep(run.id, Checkpoint(revision=run.snapshot.revision, state=state))
    opened = database.engine().open(run.id)
    assert (opened.snapshot, opened.head) == (run.snapshot, run.head)
    (told,) = database.told
    assert told.startswith(f"the checkpoint of run {run.id} at revision 5 is left aside: ")


@pytest.mark.parametrize("revision", [5, 6])
def test_one_that_does_not_belong_to_the_journal_is_not_believed(database: Database, revision: int) -> None:
    run = walked(database)
    alien = Checkpoint(revision=revision, state=encode_snapshot(run.snapshot, Head(-7)))
    database.stores.checkpoints.keep(run.id, alien)
    assert database.engine().open(run.id).snapshot == run.snapshot
    assert database.told == [f"the checkpoint of run {run.id} at revision {revision} is not of its journal"]


def test_a_run_that_moved_is_opened_on_the_plan_that_it_moved_to(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    engine.deliver(run, claim, failed(claim))
    edited = replace(CHAIN, nodes=tuple(replace(one, code=f"{one.code}!") for one in CHAIN.nodes))
    after = engine.resume(run, definition=edited).next
    assert after is not None
    run.marked = 1
    give(engine, run, after)
    opened = database.engine().open(run.id)
    assert kept(database, run.id) == Checkpoint(revision=4, state=encode_snapshot(run.snapshot, run.head))
    assert (opened.snapshot, opened.definition.digest) == (run.snapshot, edited.digest)


def test_a_database_that_does_not_take_one_stops_nobody(database: Database) -> None:
    database.faults["checkpoints.keep"] = [Fault.ASK_LOST] * 50
    run = walked(database)
    assert kept(database, run.id) is None
    assert "has no checkpoint at revision" in database.told[0]
    assert database.engine().open(run.id).snapshot == run.snapshot


def test_what_is_written_is_read_as_it_was(database: Database) -> None:
    run = walked(database)
    data = encode_snapshot(run.snapshot, Head(5))
    stood = decode_snapshot(data)
    assert stood.head == 5
    assert stood.snapshot(CHAIN.plan, lambda digest: CHAIN.plan) == run.snapshot
    assert json.loads(data)["spelling"] == 1

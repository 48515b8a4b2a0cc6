"""Suspended activations over engine and inbox: what is recorded, who answers, and what goes on afterwards."""

from __future__ import annotations

import json

import pytest

from codemation.core.engine import Engine
from codemation.core.ids import ActivationId, RunId, TicketId
from codemation.core.opening import OpenRun
from codemation.core.ports import Claim, SentEvent
from codemation.core.signals import Signal, Suspended
from codemation.core.states import RunStatus
from codemation.core.waits import Wait, address
from codemation.host.letters import decision_letter, read_letter
from tests.core.engine_world import Database, begun, give, start
from tests.core.simulation.faults import Fault
from tests.core.test_advance import CHAIN, FORK


@pytest.fixture
def database() -> Database:
    return Database()


def suspend(engine: Engine, run: OpenRun, claim: Claim, *waits: Wait) -> None:
    """Let the claimed activation wait."""
    signal: Signal = Suspended(activation=claim.activation, attempt=1, waits=waits)
    outcome = engine.deliver(run, claim, signal)
    assert (outcome.refusal, outcome.next, outcome.ready) == (None, None, ())


def decide(database: Database, run: RunId, key: str) -> bool:
    """Approve a wait of the first node."""
    activation = ActivationId("a/1")
    body = decision_letter(activation, key, approved=True, decision={"note": "ok"}, who="me")
    return database.stores.waits.answer(address(run, activation, key), body, TicketId(900))


def status(run: OpenRun) -> RunStatus:
    """Where a run stands by now."""
    return run.snapshot.status


def fold(engine: Engine) -> OpenRun:
    """Fold the one inbox that asks for it."""
    claim = engine.stores.tickets.claim(engine.worker, [])
    assert claim is not None
    folded = engine.fold_inbox(claim, read_letter)
    assert folded is not None
    return folded


def test_a_suspended_run_waits_and_goes_on_in_another_process_with_what_was_answered(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    suspend(engine, run, claim, Wait(key="0", kind="approval"), Wait(key="1", kind="approval", delay=60.0))
    assert status(run) is RunStatus.WAITING
    assert database.stores.runs.unattended() == ()
    assert decide(database, run.id, "0")
    assert status(fold(engine)) is RunStatus.WAITING
    assert decide(database, run.id, "1")
    other = database.engine()
    folded = fold(other)
    assert status(folded) is RunStatus.RUNNING
    (ticket,) = database.stores.runs.tickets(run.id)
    again = other.claim(folded, ticket.id)
    assert again is not None
    assert {key: (one.reply, one.who) for key, one in folded.snapshot.answers[again.activation].items()} == {
        "0": ("approved", "me"),
        "1": ("approved", "me"),
    }
    outcome = give(other, folded, again)
    assert outcome.next is not None
    assert give(other, folded, outcome.next).next is None
    assert status(folded) is RunStatus.SUCCEEDED


def test_a_branch_that_waits_lets_the_others_go_on(database: Database) -> None:
    engine = database.engine()
    run, outcome = engine.start(FORK, start())
    assert outcome.next is not None
    suspend(engine, run, outcome.next, Wait(key="", kind="timer", delay=1000.0))
    assert status(run) is RunStatus.RUNNING
    other = engine.claim(run, outcome.ready[0])
    assert other is not None
    give(engine, run, other)
    assert status(run) is RunStatus.WAITING


def test_the_answer_to_a_suspension_that_was_lost_on_the_way_is_found_in_the_journal(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    database.faults = {"journal.step": [Fault.ANSWER_LOST]}
    suspend(engine, run, claim, Wait(key="0", kind="approval"))
    assert [wait.wait for wait in database.stores.waits.open(run=run.id)] == ["0"]


def test_an_event_that_was_sent_before_wakes_whoever_begins_to_wait(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    event = SentEvent(id="e1", name="paid", key="7", body='{"amount": 3}', keep=100.0)
    database.stores.events.send(event)
    suspend(engine, run, claim, Wait(key="0", kind="event", wakes="paid:7"))
    answer = fold(engine).snapshot.answers[claim.activation]["0"]
    assert (answer.reply, answer.body, answer.who) == ("arrived", {"amount": 3}, "e1")


def test_the_end_of_a_child_is_an_answer_with_what_it_gave(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    suspend(engine, run, claim, Wait(key="0", kind="child"))
    batch = {"ref": "b:1", "count": 2, "size": 9}
    ended = {"kind": "ChildEnded", "activation": "a/1", "wait": "0", "child": "r9", "status": "failed", "reason": "no"}
    body = json.dumps({**ended, "outputs": {"main": batch}})
    assert database.stores.waits.answer(address(run.id, claim.activation, "0"), body, TicketId(901))
    answer = fold(engine).snapshot.answers[claim.activation]["0"]
    assert (answer.reply, answer.who, answer.body) == ("ended", "r9", {"status": "failed", "reason": "no"})
    assert answer.outputs["main"].count == 2


def test_a_cancel_closes_what_is_waited_for(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    suspend(engine, run, claim, Wait(key="0", kind="approval"))
    engine.cancel(run.id)
    assert not decide(database, run.id, "0")
    assert status(fold(engine)) is RunStatus.CANCELLED
    assert database.stores.runs.tickets(run.id) == ()

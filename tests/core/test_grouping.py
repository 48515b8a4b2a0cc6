"""Deliver together: what is written in one transaction, and what is left to be settled alone."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from codemation.core.delivery import Delivery
from codemation.core.engine import Engine
from codemation.core.errors import StoreUnavailable
from codemation.core.ids import MAIN, RunId
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome, Refusal
from codemation.core.ports import Claim, News
from codemation.core.signals import Event, Succeeded
from codemation.core.states import RunStatus
from tests.core.engine_world import Database, begun, start
from tests.core.simulation.faults import Fault
from tests.core.test_definition import defined, node

CHAIN = defined(node("a", "start"), node("b", "a"))
FORK = defined(node("a", "start"), node("b", "start"), node("c", "a", "b"))


@pytest.fixture
def database() -> Database:
    return Database()


def delivery(engine: Engine, run: OpenRun, claim: Claim) -> Delivery:
    """What a node gave, on its way."""
    batches, inline = engine.store_outputs(run.id, {MAIN: (b"x", 1, "items")})
    return engine.delivery(run, claim, Succeeded(activation=claim.activation, outputs=batches), inline)


def several(engine: Engine, count: int) -> list[Delivery]:
    """Deliveries of so many new runs."""
    each = [begun(engine, CHAIN, id=RunId(f"r{number}")) for number in range(count)]
    return [delivery(engine, run, claim) for run, claim in each]


def followed(outcome: Outcome | Exception | None) -> Outcome:
    """An outcome, which there must be."""
    assert isinstance(outcome, Outcome)
    return outcome


def test_runs_that_are_delivered_together_go_on_as_if_each_were_alone(database: Database) -> None:
    engine = database.engine()
    deliveries = several(engine, 3)
    database.events.clear()
    outcomes = engine.write_together(deliveries).take_up()
    assert [kind for _, kind in database.events] == ["node_succeeded", "node_due"] * 3
    following = []
    for one, outcome in zip(deliveries, outcomes, strict=True):
        claim = followed(outcome).next
        assert claim is not None
        assert (claim.activation, claim.holding.fence, claim.fresh) == ("b/1", 2, True)
        assert one.run.snapshot.revision == database.stores.journal.load(one.run.id)[0].revision == 2
        following.append(delivery(engine, one.run, claim))
    assert engine.write_together(following).take_up() == [Outcome()] * 3
    assert all(one.run.finished for one in deliveries)
    assert {row.status for row in database.stores.runs.page()} == {RunStatus.SUCCEEDED}


def test_what_the_journal_leaves_out_is_settled_alone_and_harms_no_other(database: Database) -> None:
    engine = database.engine()
    deliveries = several(engine, 3)
    database.stores.tickets.take_over([engine.worker])  # of all of them, but two are claimed again
    for one in deliveries[1:]:
        again = engine.claim(one.run, one.claim.holding.ticket)
        assert again is not None
        one.claim = again
    first, *others = engine.write_together(deliveries).take_up()
    assert first is None
    assert all(followed(one).next for one in others)
    assert engine.settle(deliveries[0]).refusal is Refusal.TAKEN_OVER


@pytest.mark.parametrize("fault", [Fault.ASK_LOST, Fault.ANSWER_LOST])
def test_when_the_answer_is_lost_each_is_looked_for_and_recorded_once(database: Database, fault: Fault) -> None:
    engine = database.engine()
    deliveries = several(engine, 2)
    database.events.clear()
    database.faults = {"journal.steps": [fault]}
    assert engine.write_together(deliveries).take_up() == [None, None]
    for one in deliveries:
        claim = engine.settle(one).next
        assert claim is not None
        assert claim.activation == "b/1"
        assert [entry.revision for entry in database.stores.journal.load(one.run.id)[1]] == [1, 2]
        assert database.stores.journal.look(one.run.id, claim.holding, 1).claim == replace(claim, fresh=False)
    assert [kind for _, kind in database.events] == ["node_succeeded", "node_due"] * 2


def test_a_run_that_another_thread_folds_is_not_waited_for(database: Database) -> None:
    engine = database.engine()
    deliveries = several(engine, 2)
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with deliveries[0].run.lock:
            held.set()
            free.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    first, second = engine.write_together(deliveries).take_up()
    free.set()
    holder.join()
    assert (first, deliveries[0].sent) == (None, None)
    assert followed(second).next is not None
    assert engine.settle(deliveries[0]).next is not None


def test_what_cannot_be_folded_is_heard_when_it_is_settled_alone(database: Database) -> None:
    engine = database.engine()
    good, broken, late = several(engine, 3)
    broken.signal = Succeeded(activation=broken.claim.activation, outputs={MAIN: "no batch"})  # type: ignore[dict-item]
    engine.deliver(late.run, late.claim, late.signal)
    outcomes = engine.write_together([good, broken, late]).take_up()
    assert followed(outcomes[0]).next is not None
    assert outcomes[1:] == [None, None]
    with pytest.raises(AttributeError):
        engine.settle(broken)
    assert engine.settle(late).refusal is Refusal.SILENCE


class Deaf(Database):
    """A database whose watcher cannot hear of one run."""

    unheard = ""

    def _heard(self, news: News, events: tuple[Event, ...]) -> None:
        if news.run == self.unheard:
            raise StoreUnavailable("nobody listens")


def test_what_goes_wrong_after_one_was_recorded_is_told_of_that_one() -> None:
    database = Deaf()
    engine = database.engine()
    deliveries = several(engine, 2)
    database.unheard = deliveries[0].run.id
    first, second = engine.write_together(deliveries).take_up()
    assert isinstance(first, StoreUnavailable)
    assert followed(second).next is not None
    assert deliveries[0].run.snapshot.revision == 2


def test_what_was_overtaken_is_folded_again(database: Database) -> None:
    engine, other = database.engine(), database.engine()
    run, outcome = engine.start(FORK, start())
    assert outcome.next is not None
    mine = delivery(engine, run, outcome.next)
    elsewhere = other.open(run.id)
    theirs = other.claim(elsewhere, outcome.ready[0])
    assert theirs is not None
    other.settle(delivery(other, elsewhere, theirs))
    assert engine.write_together([mine]).take_up() == [None]
    claim = engine.settle(mine).next
    assert claim is not None
    assert claim.activation == "c/1"


def test_a_group_says_whether_other_runs_may_be_folded_for_it(database: Database) -> None:
    engine = database.engine()
    plain, child, gone = several(engine, 3)
    done: list[bool] = []
    written = engine.write_together([plain], lambda: done.append(True))
    assert not written.concerns_others
    (outcome,) = written.take_up()
    assert done == [True]
    child.run.snapshot.parent = "parent/1"
    going_on = engine.write_together([child])
    assert not going_on.concerns_others  # it is not over
    (following,) = (followed(one).next for one in going_on.take_up())
    assert following is not None
    assert followed(outcome).next is not None
    ending = engine.write_together([delivery(engine, child.run, following)])
    assert ending.concerns_others
    assert ending.take_up() == [Outcome()]
    with gone.run.lock:
        held = threading.Thread(target=lambda: none.append(engine.write_together([gone]).concerns_others))
        none: list[bool] = []
        held.start()
        held.join()
    assert none == [False]  # nothing of it was written

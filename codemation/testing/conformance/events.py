"""The contract of events: early, in time, late and twice, each wait is given its event once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from codemation.core.errors import InputError
from codemation.core.ports import SentEvent, Stores
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.waiting import letters
from codemation.testing.conformance.world import Contract, World, states

Later = Callable[[float], None]


def sent(world: World, key: str = "7", **changes: Any) -> SentEvent:
    """An event that can be sent."""
    given = {"id": world.run_id(), "name": "paid", "key": key, "body": '{"amount": 1.5}', "keep": 1000.0, **changes}
    return SentEvent(**given)


class EventsContract(Contract):
    """An event wakes every wait that is open for it, and is kept for the next until it expires."""

    def test_an_event_wakes_every_wait_that_is_open_for_it(self, stores: Stores, world: World) -> None:
        """In whatever run; waits for another key or name stay open."""
        one = world.suspended(world.event("a/1", "0"), world.event("a/1", "1", "8"))
        two = world.suspended(world.event("b/1", "0"), world.event("b/1", "1", name="lost"))
        event = sent(world)
        assert stores.events.send(event)
        for run, activation in ((one, "a/1"), (two, "b/1")):
            (letter,) = letters(stores, run)
            at = letter.pop("at")
            assert at == pytest.approx(world.row(run).created_at.timestamp(), abs=3600)
            assert letter == {
                "kind": "EventArrived",
                "activation": activation,
                "wait": "0",
                "event": event.id,
                "payload": {"amount": 1.5},
            }
            assert states(stores.runs.tickets(run))[""] == "ready"
        assert sorted((wait.run, wait.wait) for wait in stores.waits.open()) == [(one, "1"), (two, "1")]

    def test_an_early_event_is_found_by_a_wait_that_begins_later(self, stores: Stores, world: World) -> None:
        """It was kept; who begins to wait looks for it."""
        assert stores.events.send(sent(world))
        run = world.suspended(world.event("a/1", "0"))
        assert letters(stores, run) == []
        assert stores.events.meet(run) == 1
        assert [letter["wait"] for letter in letters(stores, run)] == ["0"]
        assert stores.events.meet(run) == 0

    def test_whoever_looks_at_all_runs_finds_what_a_crash_has_left(self, stores: Stores, world: World) -> None:
        """An event and a wait that are both recorded meet, although neither sender nor waiter looked."""
        stores.events.send(sent(world))
        runs = [world.suspended(world.event("a/1", "0")) for _ in range(3)]
        assert stores.events.meet() == 3
        assert all(len(letters(stores, run)) == 1 for run in runs)

    def test_an_event_that_is_sent_twice_is_kept_once(self, stores: Stores, world: World) -> None:
        """By its id, because the answer was lost, or by the key that its sender gave it."""
        run = world.suspended(world.event("a/1", "0"))
        event = sent(world, dedup="order-7")
        assert stores.events.send(event)
        assert not stores.events.send(event)
        assert not stores.events.send(sent(world, dedup="order-7", body='{"amount": 2}'))
        assert [kept.id for kept in stores.events.kept()] == [event.id]
        assert len(letters(stores, run)) == 1

    def test_a_second_sending_delivers_what_the_first_did_not(self, stores: Stores, world: World) -> None:
        """Whoever kept the event and died before looking at the waits is made good by the next who sends it."""
        event = sent(world)
        stores.events.send(event)
        run = world.suspended(world.event("a/1", "0"))
        assert not stores.events.send(event)
        assert len(letters(stores, run)) == 1

    def test_an_event_is_not_given_to_the_next_turn_of_a_node(self, stores: Stores, world: World) -> None:
        """A loop that waits again waits for another event; other nodes and other runs are given it all the same."""
        run = world.suspended(world.event("a/1", "0"), world.event("a/1", "1"), world.event("b/1", "0"))
        first = sent(world)
        stores.events.send(first)
        assert len(letters(stores, run)) == 3
        again = world.suspended(world.event("a/1", "0"))
        assert stores.events.meet(again) == 1
        world.suspend_again(run, world.event("a/2", "0"))
        assert stores.events.meet(run) == 0
        second = sent(world)
        stores.events.send(second)
        assert letters(stores, run)[-1]["event"] == second.id

    def test_the_oldest_event_is_given_first(self, stores: Stores, world: World, later: Later) -> None:
        """Of several that are kept."""
        first, second = sent(world), sent(world)
        stores.events.send(first)
        later(1.0)
        stores.events.send(second)
        run = world.suspended(world.event("a/1", "0"))
        stores.events.meet()
        assert [letter["event"] for letter in letters(stores, run)] == [first.id]
        assert [kept.id for kept in stores.events.kept()] == [second.id, first.id]
        assert stores.events.kept(name="other") == ()
        assert len(stores.events.kept(name="paid", limit=1)) == 1

    def test_an_event_that_is_late_leaves_the_wait_to_its_time(
        self, stores: Stores, world: World, later: Later
    ) -> None:
        """Even if nobody has noticed by then that the time is over."""
        late = world.suspended(replace(world.event("a/1", "0"), delay=10.0))
        later(11.0)
        stores.events.send(sent(world))
        assert letters(stores, late) == []
        stores.tickets.fire()
        assert [letter["kind"] for letter in letters(stores, late)] == ["TimerFired"]

    def test_an_expired_event_wakes_nobody_and_is_forgotten(self, stores: Stores, world: World, later: Later) -> None:
        """Its time counts by the clock of the database."""
        stores.events.send(sent(world, keep=100.0, dedup="x"))
        assert stores.events.forget() == 0
        later(101.0)
        run = world.suspended(world.event("a/1", "0"))
        assert stores.events.meet() == 0
        assert letters(stores, run) == []
        assert stores.events.kept() == ()
        assert stores.events.forget() == 1
        assert stores.events.send(sent(world, dedup="x"))

    def test_an_event_that_is_not_json_is_refused(self, stores: Stores, world: World) -> None:
        """It is the sender's error, and nothing is kept."""
        with pytest.raises(InputError):
            stores.events.send(sent(world, body="{yes"))
        assert stores.events.kept() == ()

    def test_a_name_or_key_may_hold_anything(self, stores: Stores, world: World) -> None:
        """Colons, quotes, and what a database cannot hold."""
        key = 'a:b,"c"{\\}\0\udc80'
        run = world.suspended(world.event("a/1", "0", key))
        stores.events.send(sent(world, key))
        assert len(letters(stores, run)) == 1

    def test_nobody_answers_an_event_by_hand(self, stores: Stores, world: World) -> None:
        """A wait for an event has the address of the event, which several may share."""
        run = world.suspended(world.event("a/1", "0"))
        assert not stores.waits.answer(stores.waits.open()[0].wait_key or "", "{}", world.tickets("x")[0].id)
        assert letters(stores, run) == []

    def test_senders_and_waiters_who_race_all_meet(self, stores: Stores, world: World) -> None:
        """Each event that is sent while somebody begins to wait for it is given to him, by one of the two."""
        claims = [world.held("a/1") for _ in range(6)]
        events = [sent(world, str(number)) for number in range(6)]
        commits = [
            world.commit(claim, waits=(world.event("a/1", "0", str(number)),)) for number, claim in enumerate(claims)
        ]

        def wait(number: int) -> None:
            assert stores.journal.step(commits[number])
            stores.events.meet(claims[number].run)

        together(*(partial(stores.events.send, event) for event in events), *(partial(wait, n) for n in range(6)))
        assert [len(letters(stores, claim.run)) for claim in claims] == [1] * 6

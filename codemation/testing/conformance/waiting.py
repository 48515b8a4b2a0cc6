"""The contract of waits: what the world is asked is answered once, and the answer lies where somebody folds it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from codemation.core.errors import InputError
from codemation.core.ids import RunId, TicketId
from codemation.core.ports import Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World, states

Later = Callable[[float], None]


def letters(stores: Stores, run: RunId) -> list[dict[str, Any]]:
    """What lies in the inbox of a run."""
    return [json.loads(letter.body) for letter in stores.inbox.pending(run)]


class WaitsContract(Contract):
    """A wait is a ticket that nobody claims; whoever answers it takes it and leaves a letter."""

    def test_a_suspended_activation_leaves_its_waits_and_no_work(self, stores: Stores, world: World) -> None:
        """The ticket of the work is gone, each wait has one of its own, and nobody can claim it."""
        run = world.suspended(world.wait("a/1", "0"), world.wait("a/1", "1", kind="timer", delay=60.0))
        rows = stores.runs.tickets(run)
        assert sorted((row.activation, row.wait, row.kind, row.state) for row in rows) == [
            ("a/1", "0", "approval", "waiting"),
            ("a/1", "1", "timer", "waiting"),
        ]
        assert stores.tickets.claim(world.worker(), [world.lane()]) is None
        assert stores.runs.unattended() == ()

    def test_a_refused_suspension_leaves_nothing(self, stores: Stores, world: World) -> None:
        """A holder that was taken over records no wait."""
        claim = world.held("a/1")
        stores.tickets.hand_back([claim.holding])
        before = world.truth(claim.run)
        assert not stores.journal.step(world.commit(claim, waits=(world.wait("a/1", "0"),)))
        assert world.truth(claim.run) == before
        assert stores.waits.open() == ()

    def test_open_waits_are_read_as_they_were_recorded(self, stores: Stores, world: World) -> None:
        """Kind, address and what people are shown come back; what ends first comes first, of any run or of one."""
        detail = {"title": 'né \0 \udc80 "quoted" {curly}', "to": ["sales", "me"]}
        one = world.suspended(world.wait("a/1", "0", detail=detail), world.wait("a/1", "1", delay=600.0))
        other = world.suspended(world.wait("b/1", "", kind="timer", delay=60.0))
        waits = stores.waits.open()
        assert [(wait.run, wait.wait, wait.kind) for wait in waits] == [
            (other, "", "timer"),
            (one, "1", "approval"),
            (one, "0", "approval"),
        ]
        shown = waits[2]
        assert (shown.activation, shown.workflow, shown.due_at) == ("a/1", world.flow.workflow, None)
        assert shown.detail["to"] == ["sales", "me"]
        assert '"quoted" {curly}' in shown.detail["title"]
        assert waits[0].wait_key is None
        assert [wait.wait for wait in stores.waits.open(run=one)] == ["1", "0"]
        assert [wait.run for wait in stores.waits.open(kind="timer")] == [other]
        assert len(stores.waits.open(limit=2)) == 2

    def test_an_answer_takes_the_wait_and_asks_for_a_fold(self, stores: Stores, world: World) -> None:
        """After it there is the letter, a fold ticket, and no wait; nothing of any other wait has changed."""
        run = world.suspended(world.wait("a/1", "0"), world.wait("a/1", "1"))
        assert world.answer(run, "a/1", "0", '{"say": "né \\u0000"}')
        assert [wait.wait for wait in stores.waits.open(run=run)] == ["1"]
        assert letters(stores, run) == [{"say": "né \0"}]
        assert states(stores.runs.tickets(run)) == {"a/1": "waiting", "": "ready"}
        (letter,) = stores.inbox.pending(run)
        assert letter.at == pytest.approx(world.row(run).created_at.timestamp(), abs=3600)
        world.step(world.claim_fold(run), consumed=(letter.id,))
        assert states(stores.runs.tickets(run)) == {"a/1": "waiting"}

    def test_a_wait_is_answered_once(self, stores: Stores, world: World) -> None:
        """The second answer is not taken, whether or not the first was folded by then."""
        run = world.suspended(world.wait("a/1", "0"), world.wait("a/1", "1"))
        assert world.answer(run, "a/1", "0")
        assert not world.answer(run, "a/1", "0")
        world.step(world.claim_fold(run), consumed=tuple(letter.id for letter in stores.inbox.pending(run)))
        assert not world.answer(run, "a/1", "0")
        assert letters(stores, run) == []
        assert not world.answer(run, "a/1", "7")
        assert not world.answer(world.run_id(), "a/1", "0")

    def test_of_many_who_answer_at_once_one_does(self, stores: Stores, world: World) -> None:
        """Two people who decide in the same moment do not both."""
        run = world.suspended(world.wait("a/1", "0"))
        key = stores.waits.open()[0].wait_key or ""
        folds = [TicketId(world.number()) for _ in range(5)]
        given = together(*(partial(stores.waits.answer, key, "{}", fold) for fold in folds))
        assert given.count(True) == 1
        assert letters(stores, run) == [{}]

    def test_an_answer_that_is_not_json_is_refused(self, stores: Stores, world: World) -> None:
        """It is the sender's error, and the wait stays open."""
        run = world.suspended(world.wait("a/1", "0"))
        with pytest.raises(InputError):
            world.answer(run, "a/1", "0", "{yes")
        assert len(stores.waits.open()) == 1
        with pytest.raises(InputError):
            world.answer(run, "a/1", "7", "{yes")

    def test_a_time_that_is_over_fires_once(self, stores: Stores, world: World, later: Later) -> None:
        """Firing takes the wait and leaves the letter that says so; the next firing has nothing to do."""
        run = world.suspended(world.wait("a/1", "0", delay=100.0), world.wait("a/1", "1", delay=300.0))
        assert stores.tickets.fire() == pytest.approx(100.0, abs=60.0)
        assert letters(stores, run) == []
        later(101.0)
        assert stores.tickets.fire() == pytest.approx(199.0, abs=60.0)
        stores.tickets.fire()
        assert letters(stores, run) == [{"kind": "TimerFired", "activation": "a/1", "wait": "0"}]
        assert [wait.wait for wait in stores.waits.open()] == ["1"]
        world.claim_fold(run)

    def test_a_time_of_the_clock_is_waited_for(self, stores: Stores, world: World, later: Later) -> None:
        """An end that is named by date, past or to come, counts by the clock of the database."""
        now = world.row(world.start("x/1")).created_at.timestamp()
        run = world.suspended(
            world.wait("a/1", "past", kind="timer", until=now - 1000.0),
            world.wait("a/1", "soon", kind="timer", until=now + 1000.0),
        )
        stores.tickets.fire()
        assert [letter["wait"] for letter in letters(stores, run)] == ["past"]
        later(2000.0)
        stores.tickets.fire()
        assert [letter["wait"] for letter in letters(stores, run)] == ["past", "soon"]

    def test_of_two_times_the_later_counts(self, stores: Stores, world: World, later: Later) -> None:
        """A wait that is for a while and until a date, as of items that want either, is over when both are."""
        now = world.row(world.start("x/1")).created_at.timestamp()
        run = world.suspended(
            world.wait("a/1", "a while", kind="timer", delay=600.0, until=now - 60.0),
            world.wait("a/1", "a date", kind="timer", delay=60.0, until=now + 600.0),
        )
        later(300.0)
        stores.tickets.fire()
        assert letters(stores, run) == []
        later(301.0)
        stores.tickets.fire()
        assert sorted(letter["wait"] for letter in letters(stores, run)) == ["a date", "a while"]

    def test_an_answer_after_the_time_is_too_late(self, stores: Stores, world: World, later: Later) -> None:
        """Also before anybody has fired: the time decides, not who was awake."""
        run = world.suspended(world.wait("a/1", "0", delay=100.0))
        later(101.0)
        assert not world.answer(run, "a/1", "0")
        stores.tickets.fire()
        assert [letter["kind"] for letter in letters(stores, run)] == ["TimerFired"]

    def test_a_wait_of_a_cancelled_run_is_closed(self, stores: Stores, world: World, later: Later) -> None:
        """Nobody answers it, no time fires it, nothing lists it, and the fold that ends the run takes it along."""
        run = world.suspended(world.wait("a/1", "0", delay=100.0), world.wait("a/1", "1"))
        world.cancel(run)
        later(101.0)
        stores.tickets.fire()
        assert not world.answer(run, "a/1", "1")
        assert stores.waits.open() == ()
        assert letters(stores, run) == []
        world.step(world.claim_fold(run), cancelling=True, status=RunStatus.CANCELLED)
        assert stores.runs.tickets(run) == ()

    def test_the_end_of_a_run_takes_its_waits_along(self, stores: Stores, world: World) -> None:
        """A run that has failed beside them asks nobody any more."""
        run = world.suspended(world.wait("a/1", "0"))
        world.post(run)
        world.step(world.claim_fold(run), status=RunStatus.FAILED)
        assert stores.waits.open() == ()
        assert not world.answer(run, "a/1", "0")
        assert stores.runs.tickets(run) == ()

    def test_a_fold_that_began_before_an_answer_does_not_lose_it(self, stores: Stores, world: World) -> None:
        """An answer that comes between the reading and the writing of a fold is folded after it."""
        run = world.suspended(world.wait("a/1", "0"), world.wait("a/1", "1"))
        world.answer(run, "a/1", "0", '{"n": 0}')
        folder = world.claim_fold(run)
        early = stores.inbox.pending(run)
        commit = world.commit(folder, consumed=tuple(letter.id for letter in early))
        world.answer(run, "a/1", "1", '{"n": 1}')
        written = stores.journal.step(commit)
        assert letters(stores, run) == ([{"n": 1}] if written else [{"n": 0}, {"n": 1}])
        world.claim_fold(run)

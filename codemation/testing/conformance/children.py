"""The contract of children: runs that other runs wait for are started once, tell of their end, and end with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from codemation.core.errors import UnwantedChild
from codemation.core.ids import RunId, TicketId
from codemation.core.ports import Claim, Deadline, Holding, NewRun, Parent, Reopening, Stores, WaitTicket
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World, states

Later = Callable[[float], None]
AGES = {"succeeded": 100.0, "failed": 100.0}


def letters(stores: Stores, run: RunId) -> list[dict[str, Any]]:
    """What lies in the inbox of a run."""
    return [json.loads(letter.body) for letter in stores.inbox.pending(run)]


class Family:
    """A run that waits for children, none of which has been started."""

    def __init__(self, world: World, *keys: str, **changes: Any) -> None:
        self.world = world
        claim = world.held("call/1", **changes)
        self.children = {key: world.run_id() for key in keys or ("",)}
        self.waits = {key: self._wait(key, child) for key, child in self.children.items()}
        world.step(claim, waits=tuple(self.waits.values()), status=RunStatus.WAITING)
        self.run = claim.run

    def _wait(self, key: str, child: RunId) -> WaitTicket:
        detail = {"child": child}
        return self.world.wait("call/1", key, kind="child", wait_key=f"{child}/{key}", detail=detail)

    def parent(self, key: str = "") -> Parent:
        """The wait that a child is started for."""
        return Parent(run=self.run, ticket=self.waits[key].id)

    def new(self, key: str = "", *names: str, **changes: Any) -> NewRun:
        """A child that can be started."""
        given = {"id": self.children[key], "parent": self.parent(key), **changes}
        return self.world.new_run(*(names or ("a/1",)), **given)

    def held(self, key: str = "", **changes: Any) -> Claim:
        """A claim on the first ticket of a child that was started."""
        worker = self.world.worker()
        run = self.new(key, claimed_by=worker, **changes)
        assert self.world.stores.journal.start(run) == run.id
        holding = Holding(ticket=run.tickets[0].id, worker=worker, fence=1)
        return Claim(holding=holding, run=run.id, activation=run.tickets[0].activation)

    def end(self, claim: Claim, status: RunStatus = RunStatus.SUCCEEDED, **changes: Any) -> None:
        """Let a child end, which must succeed."""
        self.world.step(claim, status=status, tells=True, **changes)


class ChildStartsContract(Contract):
    """A child is started once, and only for somebody who waits for it."""

    def test_a_child_is_started_once(self, stores: Stores, world: World) -> None:
        """Sent twice it is recorded once; whoever starts it under another head is told that somebody else has."""
        family = Family(world)
        run = family.new(deadline=Deadline(ticket=TicketId(world.number()), seconds=60.0))
        assert stores.journal.start(run) == run.id
        assert stores.journal.start(run) == run.id
        with pytest.raises(UnwantedChild):
            stores.journal.start(family.new())
        assert len(stores.runs.tickets(run.id)) == 2
        assert len(stores.children.of(family.run)) == 1

    def test_of_many_who_start_a_child_one_does(self, stores: Stores, world: World) -> None:
        """All of them may have found that it is wanted."""
        family = Family(world)
        runs = [family.new() for _ in range(4)]

        def start(run: NewRun) -> bool:
            try:
                return stores.journal.start(run) == run.id
            except UnwantedChild:
                return False

        assert sorted(together(*(partial(start, run) for run in runs))) == [False, False, False, True]
        assert len(stores.runs.tickets(family.children[""])) == 1

    def test_a_child_that_nobody_waits_for_is_not_started(self, stores: Stores, world: World) -> None:
        """Its wait was answered, its parent was asked to stop, or there never was such a wait."""
        answered, stopped, other = Family(world), Family(world), Family(world)
        assert stores.waits.answer(answered.waits[""].wait_key or "", "{}", TicketId(world.number()))
        world.cancel(stopped.run)
        strange = Parent(run=answered.run, ticket=other.waits[""].id)
        for run in (answered.new(), stopped.new(), other.new(parent=strange)):
            with pytest.raises(UnwantedChild):
                stores.journal.start(run)
            assert stores.children.of(run.parent.run if run.parent else run.id) == ()
        assert [one.run for one in stores.children.wanted()] == [other.run]


class ChildrenContract(ChildStartsContract):
    """The wait is there before its child, and the end of the child answers it in the same moment."""

    def test_a_child_is_wanted_until_it_is_there(self, stores: Stores, world: World) -> None:
        """With all that its wait says; started, it is among the children of its parent, oldest first."""
        family = Family(world, "0", "1")
        other = Family(world)
        wanted = stores.children.wanted(family.run)
        assert sorted((one.wait, one.kind, one.detail["child"]) for one in wanted) == [
            ("0", "child", family.children["0"]),
            ("1", "child", family.children["1"]),
        ]
        assert len(stores.children.wanted()) == 3
        assert len(stores.children.wanted(limit=1)) == 1
        for key in ("0", "1"):
            assert stores.journal.start(family.new(key)) == family.children[key]
        assert stores.children.wanted(family.run) == ()
        assert [one.run for one in stores.children.wanted()] == [other.run]
        rows = stores.children.of(family.run)
        assert [(row.id, row.parent) for row in rows] == [(child, family.run) for child in family.children.values()]
        assert stores.children.of(other.run) == ()
        assert world.row(family.run).parent is None
        assert world.row(family.children["0"]).parent == family.run
        assert {row.parent for row in stores.runs.page() if row.id in family.children.values()} == {family.run}

    def test_the_end_of_a_child_answers_the_wait_for_it(self, stores: Stores, world: World) -> None:
        """The wait is taken, the letter says how it ended, and a fold is asked for; other waits stay open."""
        family = Family(world, "0", "1")
        family.end(family.held("0"), RunStatus.FAILED, reason='"a" failed')
        assert letters(stores, family.run) == [
            {
                "kind": "ChildEnded",
                "activation": "call/1",
                "wait": "0",
                "child": family.children["0"],
                "status": "failed",
                "reason": '"a" failed',
            }
        ]
        assert states(stores.runs.tickets(family.run)) == {"call/1": "waiting", "": "ready"}
        family.end(family.held("1"))
        assert [(one["wait"], one["status"], one["reason"]) for one in letters(stores, family.run)] == [
            ("0", "failed", '"a" failed'),
            ("1", "succeeded", ""),
        ]
        assert stores.waits.open() == ()
        assert stores.runs.unattended() == ()

    def test_a_refused_end_tells_nobody(self, stores: Stores, world: World) -> None:
        """A holder that was taken over answers nothing."""
        family = Family(world)
        claim = family.held()
        stores.tickets.hand_back([claim.holding])
        before = world.truth(family.run)
        assert not stores.journal.step(world.commit(claim, status=RunStatus.SUCCEEDED, tells=True))
        assert world.truth(family.run) == before
        assert len(stores.waits.open()) == 1

    def test_the_end_of_a_child_in_a_group_is_told_as_well(self, stores: Stores, world: World) -> None:
        """Beside the step of another run, and that of its own parent's."""
        family, other = Family(world), world.held("b/1")
        end = world.commit(family.held(), status=RunStatus.SUCCEEDED, tells=True)
        steps = [world.commit(other, status=RunStatus.SUCCEEDED), end]
        assert stores.journal.steps(steps) == {one.new_head for one in steps}
        assert [one["status"] for one in letters(stores, family.run)] == ["succeeded"]

    def test_a_child_that_ends_with_its_start_is_told_of(self, stores: Stores, world: World) -> None:
        """There is nothing to do in it, so its first revision is its last."""
        family = Family(world)
        run = replace(family.new(), tickets=(), status=RunStatus.SUCCEEDED)
        assert stores.journal.start(run) == run.id
        assert [one["status"] for one in letters(stores, family.run)] == ["succeeded"]
        assert stores.children.wanted() == ()
        assert stores.waits.open() == ()

    def test_a_child_ends_by_its_fold_as_well(self, stores: Stores, world: World) -> None:
        """One that was cancelled by somebody, while its parent waits for it."""
        family = Family(world)
        stores.journal.start(family.new())
        world.cancel(family.children[""])
        fold = world.claim_fold(family.children[""])
        family.end(fold, RunStatus.CANCELLED, cancelling=True, reason="enough")
        assert [(one["status"], one["reason"]) for one in letters(stores, family.run)] == [("cancelled", "enough")]

    def test_a_child_is_unwanted_when_nobody_waits_for_it_any_more(self, stores: Stores, world: World) -> None:
        """After a cancel of its parent, or when that went on anew; not once it is over or was asked to stop."""
        family, other = Family(world, "0", "1", "2"), Family(world)
        for one, key in ((family, "0"), (family, "1"), (other, "")):
            stores.journal.start(one.new(key))
        family.end(family.held("2"))
        assert stores.children.unwanted() == ()
        world.cancel(family.run)
        left = [family.children["0"], family.children["1"]]
        assert list(stores.children.unwanted()) == list(stores.children.unwanted(family.run)) == left
        assert stores.children.unwanted(other.run) == ()
        assert len(stores.children.unwanted(limit=1)) == 1
        world.cancel(family.children["0"])
        assert list(stores.children.unwanted()) == left[1:]

    def test_the_end_of_an_unwanted_child_is_told_to_nobody(self, stores: Stores, world: World) -> None:
        """Its parent has been asked to stop, or is over."""
        family = Family(world)
        claim = family.held()
        world.cancel(family.run)
        family.end(claim)
        assert letters(stores, family.run) == []
        late = Family(world)
        claim = late.held()
        world.cancel(late.run)
        world.step(world.claim_fold(late.run), status=RunStatus.CANCELLED, cancelling=True)
        late.end(claim)
        assert letters(stores, late.run) == []
        assert world.row(claim.run).status is RunStatus.SUCCEEDED

    def test_a_wait_whose_child_is_over_is_wanted_again(self, stores: Stores, world: World) -> None:
        """Whoever looks finds it, and can answer: what ended a child without a word, a restored copy say, is mended."""
        family = Family(world)
        claim = family.held()
        world.step(claim, status=RunStatus.SUCCEEDED)
        assert [one.detail["child"] for one in stores.children.wanted()] == [claim.run]
        assert [one.run for one in stores.runs.unattended()] == [family.run]

    def test_a_child_that_goes_on_anew_answers_the_wait_that_it_goes_on_for(self, stores: Stores, world: World) -> None:
        """Without one it is on its own: nobody is told, and nobody stops it."""
        family = Family(world)
        family.end(family.held(), RunStatus.FAILED)
        child = family.children[""]
        self._reopen(world, child, None)
        assert stores.children.unwanted() == ()
        family.end(world.take(child, "b/1"), RunStatus.FAILED)
        assert len(letters(stores, family.run)) == 1
        again = world.wait("call/1", "", kind="child", wait_key="again", detail={"child": child})
        world.suspend_again(family.run, again)
        assert [one.ticket for one in stores.children.wanted()] == [again.id]
        self._reopen(world, child, again.id)
        assert stores.children.wanted() == ()
        family.end(world.take(child, "b/1"))
        assert [one["status"] for one in letters(stores, family.run)] == ["failed", "succeeded"]

    def _reopen(self, world: World, child: RunId, wait: TicketId | None) -> None:
        row = world.row(child)
        reopening = Reopening(
            run=child,
            revision=row.revision,
            head=row.head,
            new_head=world.head(),
            delta=world.delta("b/1"),
            digest=row.digest,
            tickets=world.tickets("b/1"),
            wait=wait,
        )
        assert world.stores.journal.reopen(reopening)

    def test_children_that_end_at_once_are_all_told_of(self, stores: Stores, world: World) -> None:
        """Each finds the inbox of the parent that they share, while that is being written to."""
        keys = [str(number) for number in range(6)]
        family = Family(world, *keys)
        claims = [family.held(key) for key in keys]
        together(*(partial(family.end, claim) for claim in claims))
        assert sorted(one["wait"] for one in letters(stores, family.run)) == keys

    def test_children_end_while_their_parent_is_being_cancelled(self, stores: Stores, world: World) -> None:
        """Each of them before or after: none is refused for it, and nobody waits for another in a circle."""
        keys = [str(number) for number in range(4)]
        family = Family(world, *keys)
        claims = [family.held(key) for key in keys]
        together(partial(world.cancel, family.run), *(partial(family.end, claim) for claim in claims))
        assert {world.row(claim.run).status for claim in claims} == {RunStatus.SUCCEEDED}
        assert world.row(family.run).stop
        assert stores.children.unwanted() == ()

    def test_a_child_is_kept_for_as_long_as_its_parent(self, stores: Stores, world: World, later: Later) -> None:
        """Its own time may be over: what it gave is part of what became of the parent."""
        family = Family(world, retention=AGES)
        family.end(family.held(retention=AGES))
        later(200.0)
        assert (stores.pruning.outdated(), stores.pruning.prune()) == ((), 0)
        world.step(world.claim_fold(family.run), status=RunStatus.SUCCEEDED)
        later(200.0)
        assert [one.runs for one in stores.pruning.outdated()] == [2]
        assert [stores.pruning.prune(), stores.pruning.prune(), stores.pruning.prune()] == [1, 1, 0]
        assert stores.children.of(family.run) == ()

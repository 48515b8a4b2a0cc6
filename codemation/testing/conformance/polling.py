"""The contracts of sources, and of what other runs owe."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from codemation.core.ports import Parent, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.town import FLOW, LEASE, Town, arm, listener, source
from codemation.testing.conformance.world import Contract, World

Later = Callable[[float], None]


class PollsContract(Contract):
    """Sources that are asked now and then."""

    def test_a_source_is_asked_by_one_of_all(self, stores: Stores, world: World) -> None:
        """Also when all of them come at once."""
        town = Town(stores, world)
        town.arm(source(), arm())
        workers = [world.worker() for _ in range(4)]
        claims = together(*(partial(stores.polls.claim, one, ["flow/poll", "flow/every"], LEASE) for one in workers))
        (claim,) = [one for one in claims if one is not None]
        assert (claim.trigger, claim.workflow, claim.kind, claim.state) == ("flow/poll", FLOW, "poll", None)
        assert (claim.revision, claim.tries, claim.config) == (0, 0, {"every": 60.0})
        assert stores.polls.claim(town.worker, [], LEASE) is None

    def test_state_and_items_are_recorded_as_one(self, stores: Stores, world: World, later: Later) -> None:
        """It is asked again when its time has come, with the state that it had."""
        town = Town(stores, world)
        claim = town.asked()
        assert town.save(claim, "ab", state='{"n": 2}') == 2
        trigger = town.trigger("flow/poll")
        assert trigger.passed_at is not None
        assert trigger.owed == 2
        assert [one.key for one in town.claim("flow/poll")] == ["a", "b"]
        assert town.ask() is None
        later(61.0)
        again = town.ask()
        assert again is not None
        assert (json.loads(again.state or ""), again.revision) == ({"n": 2}, 1)
        assert stores.polls.save(again, None, [], 60.0) == 0
        later(61.0)
        third = town.ask()
        assert third is not None
        assert json.loads(third.state or "") == {"n": 2}

    def test_a_key_starts_one_run(self, stores: Stores, world: World, later: Later) -> None:
        """In one go, in the next, and when the run is long over."""
        town = Town(stores, world)
        claim = town.asked()
        assert town.save(claim, "aab") == 2
        for firing in town.claim("flow/poll"):
            town.start(firing)
        later(61.0)
        again = town.ask()
        assert again is not None
        assert town.save(again, "abc") == 1

    def test_a_claim_is_good_for_one_recording_after_the_other(self, stores: Stores, world: World) -> None:
        """Whoever sends one twice, or has not heard of the last, records nothing."""
        town = Town(stores, world)
        claim = town.asked()
        assert town.save(claim, "a", wait=None) == 1
        assert town.save(claim, "b", wait=None) is None
        next_ = replace(claim, revision=claim.revision + 1)
        assert town.save(next_, "b") == 1
        assert town.save(replace(claim, revision=claim.revision + 2), "c") is None
        assert not stores.polls.fail(next_, "too late", 1.0)
        assert town.trigger("flow/poll").owed == 2

    def test_who_was_overtaken_records_nothing(self, stores: Stores, world: World, later: Later) -> None:
        """Neither items nor state nor failure."""
        town = Town(stores, world)
        claim = town.asked()
        later(LEASE + 1.0)
        other = town.ask(worker=world.worker())
        assert other is not None
        assert town.save(claim, "a") is None
        assert not stores.polls.fail(claim, "late", 1.0)
        assert town.trigger("flow/poll").error == ""
        assert town.save(other, "b") == 1

    def test_a_claim_goes_on_as_long_as_something_is_recorded(self, stores: Stores, world: World, later: Later) -> None:
        """And no longer."""
        town = Town(stores, world)
        claim = town.asked()
        later(LEASE * 0.6)
        assert town.save(claim, "a", wait=None) == 1
        later(LEASE * 0.6)
        assert town.ask(worker=world.worker()) is None

    def test_what_the_dead_were_asking_is_due_at_once(self, stores: Stores, world: World) -> None:
        """Whoever lives keeps his."""
        town = Town(stores, world)
        town.arm(source())
        dead = world.worker()
        claim = town.ask(worker=dead)
        assert claim is not None
        assert town.ask() is None
        assert (stores.duties.beat(town.worker, {}, did={}, triggers=["flow/poll"]).poll or 0.0) > 0.0
        stores.workers.bury([dead])
        assert (stores.duties.beat(town.worker, {}, did={}, triggers=["flow/poll"]).poll or 0.0) < -60.0
        assert town.ask() is not None
        assert town.save(claim, "a") is None

    def test_a_failure_is_said_and_the_source_asked_again(self, stores: Stores, world: World, later: Later) -> None:
        """What went well takes the word back."""
        town = Town(stores, world)
        claim = town.asked()
        assert stores.polls.fail(claim, "no answer", 100.0)
        assert town.trigger("flow/poll").error == "no answer"
        assert town.ask() is None
        later(101.0)
        again = town.ask()
        assert again is not None
        assert (again.tries, again.revision) == (1, 0)
        assert town.save(again, "a") == 1
        assert town.trigger("flow/poll").error == ""

    def test_a_key_is_forgotten_behind_the_watermark_alone(self, stores: Stores, world: World, later: Later) -> None:
        """Long after it was last given, as long as the source was read to its end since; else never."""
        town = Town(stores, world)
        age = 10 * 86_400.0
        claim = town.asked()
        assert town.save(claim, ["old", "kept"]) == 2
        later(2 * age)
        assert stores.polls.forget(age) == 0
        second = town.ask()
        assert second is not None
        assert town.save(second, ["kept"], wait=None) == 0
        assert stores.polls.forget(age) == 0
        assert town.save(replace(second, revision=second.revision + 1), []) == 0
        assert stores.polls.forget(age) == 1
        later(61.0)
        third = town.ask()
        assert third is not None
        for firing in town.claim("flow/poll"):
            town.start(firing)
        assert town.save(third, ["old", "kept"]) == 1


class FeedsContract(Contract):
    """What other runs owe by ending and by writing: in the very step, and once."""

    def test_a_run_that_ends_owes_a_run_to_those_who_listen(self, stores: Stores, world: World) -> None:
        """To its outcome, by name; with where it stood then."""
        town = Town(stores, world)
        flow = world.flow.workflow
        town.arm(
            listener("well", "finished", flow, "succeeded"),
            listener("any", "finished", flow, "any"),
            listener("ill", "finished", flow, "failed"),
            listener("other", "finished", "other", "any"),
            listener("data", "dataset", flow),
        )
        claim = world.held("a/1")
        world.step(claim, status=RunStatus.SUCCEEDED, announces=True)
        owed = town.claim("well", "any", "ill", "other", "data")
        assert {one.trigger for one in owed} == {"well", "any"}
        assert {one.item and one.item.replace(" ", "") for one in owed} == {f'{{"run":"{claim.run}","revision":2}}'}
        assert {(one.key, one.chain, one.serial) for one in owed} == {(f"{claim.run}:2", 1, False)}

    def test_a_step_that_is_refused_or_says_nothing_owes_nothing(self, stores: Stores, world: World) -> None:
        """As in a session."""
        town = Town(stores, world)
        town.arm(listener("any", "finished", world.flow.workflow, "any"), listener("data", "dataset", "numbers"))
        claim = world.held("a/1")
        late = replace(world.commit(claim, status=RunStatus.FAILED, announces=True, written=("numbers",)), revision=7)
        assert not stores.journal.step(late)
        world.step(claim, status=RunStatus.FAILED)
        assert town.claim("any", "data") == ()

    def test_what_was_written_owes_a_run_before_its_run_is_over(self, stores: Stores, world: World) -> None:
        """To each who listens to one of the names."""
        town = Town(stores, world)
        town.arm(listener("data", "dataset", "numbers"), listener("else", "dataset", "letters"))
        claim = world.held("a/1")
        world.step(claim, written=("numbers", "words"), more=world.tickets("b/1"))
        (firing,) = town.claim("data", "else")
        assert (firing.trigger, firing.key) == ("data", f"{claim.run}:2")

    def test_what_is_disarmed_hears_nothing(self, stores: Stores, world: World) -> None:
        """What it was owed before stays."""
        town = Town(stores, world)
        town.arm(listener("any", "finished", world.flow.workflow, "any"))
        world.step(world.held("a/1"), status=RunStatus.SUCCEEDED, announces=True)
        stores.armory.disarm(FLOW, "")
        world.step(world.held("a/1"), status=RunStatus.SUCCEEDED, announces=True)
        assert len(town.claim("any")) == 1

    def test_a_run_ends_once(self, stores: Stores, world: World) -> None:
        """What is written after its end is not another one; a run that goes on anew ends anew."""
        town = Town(stores, world)
        town.arm(listener("any", "finished", world.flow.workflow, "any"))
        run = world.start("a/1", "b/1")
        first, second = world.take(run, "a/1"), world.take(run, "b/1")
        world.step(first, status=RunStatus.FAILED, announces=True)
        world.step(second, status=RunStatus.FAILED, announces=True)
        assert [one.key for one in town.claim("any")] == [f"{run}:2"]

    def test_ends_that_are_written_together_are_heard_of_one_by_one(self, stores: Stores, world: World) -> None:
        """A group of ends is what as many ends are."""
        town = Town(stores, world)
        town.arm(listener("any", "finished", world.flow.workflow, "any"), listener("data", "dataset", "numbers"))
        claims = [world.held("a/1") for _ in range(3)]
        commits = [world.commit(claim, status=RunStatus.SUCCEEDED, announces=True) for claim in claims[:2]]
        silent = world.commit(claims[2], status=RunStatus.SUCCEEDED, written=("numbers",))
        assert len(stores.journal.steps([*commits, silent])) == 3
        assert {one.key for one in town.claim("any")} == {f"{claim.run}:2" for claim in claims[:2]}
        assert {one.key for one in town.claim("data")} == {f"{claims[2].run}:2"}

    def test_a_run_that_ends_as_it_begins_is_heard_of(self, stores: Stores, world: World) -> None:
        """Unless it is a session."""
        town = Town(stores, world)
        town.arm(listener("any", "finished", world.flow.workflow, "any"))
        run = stores.journal.start(world.new_run(status=RunStatus.SUCCEEDED))
        stores.journal.start(world.new_run(status=RunStatus.SUCCEEDED, announces=False))
        assert [one.key for one in town.claim("any")] == [f"{run}:1"]

    def test_a_chain_of_runs_is_counted_down_to_children(self, stores: Stores, world: World) -> None:
        """So that runs which start one another do not do so for ever."""
        town = Town(stores, world)
        town.arm(listener("any", "finished", world.flow.workflow, "any"))
        origin = {"trigger": "any", "key": "k", "chain": 4}
        claim = world.held("a/1", origin=origin)
        assert world.row(claim.run).origin == origin
        wait = world.wait("a/1", "c", "child")
        world.step(claim, waits=(replace(wait, wait_key="address"),), status=RunStatus.WAITING)
        child = world.new_run(parent=Parent(run=claim.run, ticket=wait.id), status=RunStatus.SUCCEEDED)
        stores.journal.start(child)
        (firing,) = town.claim("any")
        assert (firing.key, firing.chain) == (f"{child.id}:1", 5)

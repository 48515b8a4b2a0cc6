"""What a start does."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest

from codemation.core.concurrency import Turnstile
from codemation.core.errors import HostError, InputError, UnknownRun
from codemation.core.ports import Drop, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World, states


class StartContract(Contract):
    """Runs begin once, whoever asks for them and however often."""

    def test_a_start_records_the_run_its_first_revision_and_its_tickets(self, stores: Stores, world: World) -> None:
        """A start records the run, its first revision and its tickets."""
        run = world.new_run("a/1", "b/1", priority=3, params='{"month": 2}')
        assert stores.journal.start(run) == run.id
        row, (entry,) = stores.journal.load(run.id)
        assert (row.id, row.workflow, row.digest, row.priority) == (run.id, run.workflow, run.digest, 3)
        assert (row.status, row.reason, row.revision, row.head) == (RunStatus.RUNNING, "", 1, run.head)
        assert (row.stop, row.finished_at, json.loads(row.params)) == (False, None, {"month": 2})
        assert (entry.revision, entry.head, entry.delta) == (1, run.head, run.delta)
        assert states(stores.runs.tickets(run.id)) == {"a/1": "ready", "b/1": "ready"}

    def test_something_else_is_done_meanwhile_at_most_once(self, stores: Stores, world: World) -> None:
        """Whether the run is recorded does not depend on it, nor does it ever know."""
        run, done = world.new_run("a/1", key="k", input_digest=b"1"), list[str]()
        assert stores.journal.start(run, lambda: done.append("recorded")) == run.id
        again = world.new_run("a/1", key="k", input_digest=b"1")
        assert stores.journal.start(again, lambda: done.append("known")) == run.id
        with pytest.raises(InputError):
            stores.journal.start(world.new_run("a/1", key="k", input_digest=b"2"), lambda: done.append("refused"))
        assert len(done) == len(set(done))

    def test_a_start_that_is_sent_twice_records_one_run(self, stores: Stores, world: World) -> None:
        """Whoever lost the answer sends the same start again, and nothing more happens."""
        run = world.new_run("a/1", "b/1", claimed_by=world.worker())
        stores.journal.start(run)
        before = world.truth(run.id)
        assert stores.journal.start(run) == run.id
        assert world.truth(run.id) == before

    def test_a_start_that_is_sent_again_late_does_not_set_the_run_back(self, stores: Stores, world: World) -> None:
        """The same start, sent again when the run has gone on, leaves the run where it is."""
        run = world.new_run("a/1")
        stores.journal.start(run)
        world.step(world.claim(world.worker()), then=Drop(), more=world.tickets("b/1"))
        before = world.truth(run.id)
        assert stores.journal.start(run) == run.id
        assert world.truth(run.id) == before

    def test_another_run_under_a_used_id_is_refused(self, stores: Stores, world: World) -> None:
        """A start whose id belongs to another run is an error, and that run stays as it is."""
        run = world.new_run("a/1")
        stores.journal.start(run)
        before = world.truth(run.id)
        with pytest.raises(HostError, match=run.id):
            stores.journal.start(world.new_run("b/1", id=run.id))
        assert world.truth(run.id) == before

    def test_the_first_ticket_is_held_by_whoever_starts_the_run(self, stores: Stores, world: World) -> None:
        """With `claimed_by`, the first ticket is that worker's at fence 1, and the others are ready."""
        worker = world.worker()
        run = world.new_run("a/1", "b/1", claimed_by=worker)
        stores.journal.start(run)
        held = {ticket.activation: (ticket.state, ticket.worker) for ticket in stores.runs.tickets(run.id)}
        assert held == {"a/1": ("running", worker), "b/1": ("ready", None)}
        other = world.claim(world.worker())
        claim = replace(other, activation=run.tickets[0].activation)
        claim = replace(claim, holding=replace(other.holding, ticket=run.tickets[0].id, worker=worker, fence=1))
        assert stores.journal.look(run.id, claim.holding, 0).claim == claim
        world.step(claim)

    def test_a_run_may_be_over_at_once(self, stores: Stores, world: World) -> None:
        """A first revision that ends the run leaves a finished run without tickets."""
        run = world.start(status=RunStatus.SUCCEEDED, reason="nothing to do")
        row = world.row(run)
        assert (row.status, row.reason, row.finished_at is None) == (RunStatus.SUCCEEDED, "nothing to do", False)
        assert stores.runs.tickets(run) == ()

    def test_tickets_have_their_own_priority_or_that_of_the_run(self, stores: Stores, world: World) -> None:
        """A ticket without a priority has its run's."""
        tickets = (*world.tickets("own/1", priority=7), *world.tickets("runs/1"))
        world.start(tickets=tickets, priority=5)
        worker = world.worker()
        claims = [world.claim(worker), world.claim(worker)]
        assert {claim.activation: claim.priority for claim in claims} == {"own/1": 7, "runs/1": 5}

    def test_a_run_says_who_has_started_it_and_under_which_key(self, stores: Stores, world: World) -> None:
        """Both come back wherever the run is read, before a turnstile too; where nobody says it there is neither."""
        gate, who = Turnstile(name="flow", runs=1), "cli ada@desk"
        runs = [world.start("a/1", who=who, key="k"), world.start("a/1", who=who, key="q", turnstile=gate)]
        silent = world.start("a/1")
        for run, key in zip(runs, ("k", "q"), strict=True):
            assert (world.row(run).who, world.row(run).key) == ("cli ada@desk", key)
        assert (world.row(silent).who, world.row(silent).key) == ("", None)
        assert {row.id: (row.who, row.key) for row in stores.runs.page()} == {
            runs[0]: ("cli ada@desk", "k"),
            runs[1]: ("cli ada@desk", "q"),
            silent: ("", None),
        }
        (placed,) = stores.turnstiles.at("flow")
        assert (placed.who, placed.key) == ("cli ada@desk", "q")

    def test_params_come_back_as_they_were(self, stores: Stores, world: World) -> None:
        """Params are JSON, of any depth and in any script."""
        params = {"né": ["a", 1, 2.5, None, True, {"深": "\U0001f600"}], "big": 10**15}
        run = world.start("a/1", params=json.dumps(params))
        assert json.loads(world.row(run).params) == params

    def test_params_that_are_not_json_are_refused(self, stores: Stores, world: World) -> None:
        """Params that are not JSON are the starter's error, and nothing is recorded."""
        run = world.new_run("a/1", params="{month: 2")
        with pytest.raises(InputError):
            stores.journal.start(run)
        assert stores.runs.page() == ()

    def test_a_run_of_a_definition_that_is_not_stored_is_refused(self, stores: Stores, world: World) -> None:
        """Nobody could fold a run whose definition is missing, so it does not start."""
        with pytest.raises(HostError):
            stores.journal.start(world.new_run("a/1", digest="ab" * 32))
        assert stores.runs.page() == ()


class KeyContract(Contract):
    """A key starts one run."""

    def test_a_used_key_gives_the_run_that_it_started(self, stores: Stores, world: World) -> None:
        """The second start with a key gives the first one's run, and records nothing."""
        first = world.start("a/1", key="k", input_digest=b"1")
        second = world.new_run("a/1", key="k", input_digest=b"1")
        assert stores.journal.start(second) == first
        with pytest.raises(UnknownRun):
            stores.journal.load(second.id)
        assert len(stores.runs.tickets(first)) == 1

    def test_a_start_with_a_key_that_is_sent_twice_records_one_run(self, stores: Stores, world: World) -> None:
        """Whoever lost the answer to a start with a key gets their own run."""
        run = world.new_run("a/1", key="k", input_digest=b"1")
        stores.journal.start(run)
        before = world.truth(run.id)
        assert stores.journal.start(run) == run.id
        assert world.truth(run.id) == before

    def test_a_key_with_another_input_is_refused(self, stores: Stores, world: World) -> None:
        """The same key with another input is an error that names the key, and nothing is recorded."""
        first = world.start("a/1", key="k-17", input_digest=b"1")
        with pytest.raises(InputError, match="k-17"):
            stores.journal.start(world.new_run("a/1", key="k-17", input_digest=b"2"))
        assert [row.id for row in stores.runs.page()] == [first]
        assert stores.journal.start(world.new_run("a/1", key="k-17", input_digest=b"1")) == first

    def test_keys_of_different_workflows_are_different(self, stores: Stores, world: World) -> None:
        """A key means something within its workflow."""
        other = world.definition("other")
        first = world.start("a/1", key="k")
        second = world.start("a/1", key="k", workflow=other.workflow, digest=other.digest)
        assert first != second
        assert {row.id for row in stores.runs.page()} == {first, second}

    def test_a_key_outlives_its_run(self, stores: Stores, world: World) -> None:
        """A finished run is still what its key started."""
        claim = world.held("a/1", key="k")
        world.step(claim, status=RunStatus.SUCCEEDED)
        assert stores.journal.start(world.new_run("a/1", key="k")) == claim.run

    def test_many_starts_with_one_key_at_once_make_one_run(self, stores: Stores, world: World) -> None:
        """Of starters that race with one key, one wins, and everybody gets its run."""
        runs = [world.new_run("a/1", key="k", input_digest=b"1") for _ in range(6)]
        given = together(*(partial(stores.journal.start, run) for run in runs))
        assert len(set(given)) == 1
        assert [row.id for row in stores.runs.page()] == given[:1]
        assert len(stores.runs.tickets(given[0])) == 1

    def test_of_racing_starts_with_different_inputs_one_input_wins(self, stores: Stores, world: World) -> None:
        """Of starters that race with one key and different inputs, one starts a run and the others are told."""
        runs = [world.new_run("a/1", key="k", input_digest=b"%d" % number) for number in range(6)]

        def try_to_start(number: int) -> bool:
            try:
                return stores.journal.start(runs[number]) == runs[number].id
            except InputError:
                return False

        given = together(*(partial(try_to_start, number) for number in range(6)))
        assert given.count(True) == 1
        assert [row.id for row in stores.runs.page()] == [runs[given.index(True)].id]

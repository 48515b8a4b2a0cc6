"""What a group of steps does: to each of its runs what a step alone does, and nothing to the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from codemation.core.ids import ActivationId, Head
from codemation.core.ports import Claim, Commit, Drop, GoOn, Leave, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World, gone_on, states

B = ActivationId("b/1")


class GroupContract(Contract):
    """Revisions of several runs are written together, each of them whole or not at all."""

    def test_each_run_of_a_group_is_a_revision_further(self, stores: Stores, world: World) -> None:
        """Revision, head and delta are those of each commit, and each ticket goes on at its next fence."""
        claims = [world.held(f"a/{number}") for number in range(5)]
        commits = [world.commit(claim, then=GoOn(activation=B), output=claim.run.encode()) for claim in claims]
        assert stores.journal.steps(commits) == {commit.new_head for commit in commits}
        for claim, commit in zip(claims, commits, strict=True):
            row, (_, entry) = stores.journal.load(claim.run)
            assert (row.revision, row.head, row.status) == (2, commit.new_head, RunStatus.RUNNING)
            assert (entry.revision, entry.head, entry.delta) == (2, commit.new_head, commit.delta)
            assert stores.journal.look(claim.run, claim.holding, 1).claim == gone_on(claim, "b/1")
        assert stores.journal.steps(commits) == frozenset()

    def test_a_group_of_none_writes_nothing(self, stores: Stores) -> None:
        """There may be nothing to write."""
        assert stores.journal.steps([]) == frozenset()

    def test_something_else_is_done_meanwhile_at_most_once(self, stores: Stores, world: World) -> None:
        """It may ask the stores, and whether the steps stand does not depend on it."""
        commits, done = [world.commit(world.held()) for _ in range(3)], list[int]()
        expected = {commit.new_head for commit in commits}
        assert stores.journal.steps(commits, lambda: done.append(len(stores.workers.living()))) == expected
        assert len(done) <= 1

    def test_a_group_of_one_is_a_step(self, stores: Stores, world: World) -> None:
        """One commit alone is a group as well."""
        commit = world.commit(world.held(), then=GoOn(activation=B))
        assert stores.journal.steps([commit]) == {commit.new_head}
        assert stores.journal.steps([commit]) == frozenset()

    def test_what_becomes_of_each_ticket_is_its_own_affair(self, stores: Stores, world: World) -> None:
        """Of the same group one ticket goes on, one is done with, one is left, and one ends its run."""
        on, done, left, over = (world.held("a/1", "z/1") for _ in range(4))
        for claim in (on, done, over):
            world.save(claim)
        commits = [
            world.commit(on, then=GoOn(activation=B)),
            world.commit(done, then=Drop()),
            world.commit(left, then=Leave(activation=B)),
            world.commit(over, status=RunStatus.FAILED, reason='"a" {failed}, \\ it says'),
        ]
        assert stores.journal.steps(commits) == {commit.new_head for commit in commits}
        expected = [
            {"b/1": "running", "z/1": "ready"},
            {"z/1": "ready"},
            {"b/1": "ready", "z/1": "ready"},
            {},
        ]
        assert [states(stores.runs.tickets(claim.run)) for claim in (on, done, left, over)] == expected
        row = world.row(over.run)
        assert (row.status, row.reason) == (RunStatus.FAILED, '"a" {failed}, \\ it says')
        assert row.finished_at is not None
        assert all(not stores.tickets.progress(one.holding.ticket, one.activation) for one in (on, done, over))
        assert world.row(on.run).finished_at is None

    def test_the_end_takes_along_what_belongs_to_its_run_alone(self, stores: Stores, world: World) -> None:
        """Letters and tickets of the run that ends go; those of the others of the group stay."""
        over, on = (world.held("a/1", "z/1") for _ in range(2))
        for claim in (over, on):
            world.post(claim.run)
        held = world.take(over.run, "z/1")
        world.save(held)
        commits = [world.commit(over, status=RunStatus.SUCCEEDED), world.commit(on, then=GoOn(activation=B))]
        assert len(stores.journal.steps(commits)) == 2
        assert [ticket.id for ticket in stores.runs.tickets(over.run)] == [held.holding.ticket]
        assert len(stores.tickets.progress(held.holding.ticket, held.activation)) == 1
        assert stores.inbox.pending(over.run) == ()
        assert len(stores.inbox.pending(on.run)) == 1
        assert states(stores.runs.tickets(on.run)) == {"b/1": "running", "z/1": "ready", "": "ready"}

    def test_a_group_brings_more_tickets(self, stores: Stores, world: World) -> None:
        """Other activations that became due belong to the run of their commit, in queues that may be new."""
        claims = [world.held("a/1", priority=priority) for priority in (2, 3)]
        commits = [
            world.commit(claims[0], more=(*world.tickets("b/1"), *world.tickets("c/1", queue="slow", priority=8))),
            world.commit(claims[1], more=world.tickets("d/1", queue='a "new" one')),
        ]
        assert len(stores.journal.steps(commits)) == 2
        found = [
            world.take(claims[0].run, "b/1"),
            world.take(claims[0].run, "c/1", queue="slow"),
            world.take(claims[1].run, "d/1", queue='a "new" one'),
        ]
        assert [(one.activation, one.priority, one.starts) for one in found] == [
            ("b/1", 2, 1),
            ("c/1", 8, 1),
            ("d/1", 3, 1),
        ]

    def test_a_fold_may_come_along(self, stores: Stores, world: World) -> None:
        """What answers letters, and what ends a run that was asked to stop, is written as well."""
        claim, letters, stopping = world.held(), world.start("a/1"), world.start("a/1")
        world.post(letters)
        world.cancel(stopping)
        fold, end = world.claim_fold(letters), world.claim_fold(stopping)
        commits = [
            world.commit(claim, then=GoOn(activation=B)),
            world.commit(fold, consumed=(stores.inbox.pending(letters)[0].id,)),
            world.commit(end, status=RunStatus.CANCELLED, cancelling=True),
        ]
        assert stores.journal.steps(commits) == {commit.new_head for commit in commits}
        assert stores.inbox.pending(letters) == ()
        assert world.row(stopping).status is RunStatus.CANCELLED

    def test_of_several_commits_for_one_run_the_first_is_written(self, stores: Stores, world: World) -> None:
        """A run is a revision further, not two, and what is left out has left no trace."""
        run = world.start("a/1", "c/1")
        first, second = (world.take(run, name) for name in ("a/1", "c/1"))
        commits = [world.commit(first, then=GoOn(activation=B)), world.commit(second)]
        commits.append(replace(commits[1], revision=2, head=commits[0].new_head))
        assert stores.journal.steps(commits) == {commits[0].new_head}
        assert world.row(run).revision == 2
        assert states(stores.runs.tickets(run)) == {"b/1": "running", "c/1": "running"}

    def test_what_is_refused_leaves_no_trace_and_the_others_stand(self, stores: Stores, world: World) -> None:
        """Whatever refuses a step refuses it in a group, and nobody else."""
        for spoiled in self._spoiled(world):
            good = world.commit(world.held("a/1", "c/1"), then=GoOn(activation=B))
            ending = world.commit(world.held(), status=RunStatus.SUCCEEDED)
            before = world.truth(spoiled.run)
            assert stores.journal.steps([good, spoiled, ending]) == {good.new_head, ending.new_head}
            assert world.truth(spoiled.run) == before

    def _spoiled(self, world: World) -> list[Commit]:
        """Commits that a step would refuse, each for another reason, with everything that they could change."""
        stores = world.stores

        def claim() -> Claim:
            claim = world.held("a/1", "c/1")
            world.save(claim)
            world.post(claim.run)
            return claim

        def after(spoil: Callable[[Claim], object]) -> Commit:
            mine = claim()
            commit = world.commit(mine)
            spoil(mine)
            return commit

        other = claim().holding
        mine = [claim() for _ in range(6)]
        holdings = [one.holding for one in mine]
        commits = [
            world.commit(mine[0], head=world.head()),
            world.commit(mine[1], revision=2),
            world.commit(mine[2], holding=replace(holdings[2], fence=2)),
            world.commit(mine[3], holding=replace(holdings[3], worker=world.worker())),
            world.commit(mine[4], holding=other),
            after(lambda one: stores.tickets.hand_back([one.holding])),
            after(lambda one: stores.tickets.take_over([one.holding.worker])),
            after(lambda one: world.step(one, then=GoOn(activation=B))),
        ]
        world.cancel(mine[5].run)
        commits.append(world.commit(mine[5]))
        over, late = (world.take(world.start("a/1"), "a/1") for _ in range(2))
        world.step(over, status=RunStatus.FAILED)
        commits += [world.commit(over), world.commit(late, holding=replace(late.holding, ticket=over.holding.ticket))]
        return [replace(one, more=world.tickets("m/1"), then=GoOn(activation=B)) for one in commits]


class GroupRaceContract(Contract):
    """Groups race one another as steps do."""

    def test_of_groups_that_share_runs_each_run_is_written_by_one(self, stores: Stores, world: World) -> None:
        """Groups may leave a run to one another, and never write it twice."""
        claims = [world.held("a/1") for _ in range(12)]
        groups = [[world.commit(claim, then=GoOn(activation=B)) for claim in claims] for _ in range(4)]
        written: list[frozenset[Head]] = together(*(partial(stores.journal.steps, group) for group in groups))
        stand = [head for heads in written for head in heads]
        for number, claim in enumerate(claims):
            row = world.row(claim.run)
            heads = {group[number].new_head for group in groups} & set(stand)
            assert (row.revision, [row.head]) == ((2, list(heads)) if heads else (1, [claim_head(world, claim)]))
            again = world.commit(gone_on(claim, "b/1") if heads else claim, then=Drop())
            assert stores.journal.steps([again]) == {again.new_head}


def claim_head(world: World, claim: Claim) -> Head:
    """The head with which the run of a claim began."""
    _, entries = world.stores.journal.load(claim.run)
    return entries[0].head

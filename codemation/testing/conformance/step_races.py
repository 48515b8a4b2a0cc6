"""What steps do to one another."""

from __future__ import annotations

from functools import partial

from codemation.core.ids import ActivationId, WorkerId
from codemation.core.ports import Claim, Commit, Drop, GoOn, Stores
from codemation.testing.conformance.crowd import patiently, together
from codemation.testing.conformance.world import Contract, World, states

B = ActivationId("b/1")


class StepRaceContract(Contract):
    """Writers who race write one after the other, or not at all."""

    def _writers(self, world: World, count: int) -> list[Claim]:
        run = world.start(*(f"a/{number}" for number in range(count)))
        claims = [world.claim(world.worker()) for _ in range(count)]
        assert {claim.run for claim in claims} == {run}
        return claims

    def test_of_writers_who_know_the_same_revision_one_wins(self, stores: Stores, world: World) -> None:
        """Several holders of tickets of one run write for one revision: one stands, the others wrote nothing."""
        claims = self._writers(world, 6)
        commits = [world.commit(claim, then=Drop()) for claim in claims]
        written = together(*(partial(stores.journal.step, commit) for commit in commits))
        assert written.count(True) == 1
        row, entries = stores.journal.load(claims[0].run)
        assert (row.revision, len(entries)) == (2, 2)
        assert row.head == commits[written.index(True)].new_head
        assert len(stores.runs.tickets(row.id)) == 5

    def test_one_commit_sent_by_many_is_written_once(self, stores: Stores, world: World) -> None:
        """A commit that is sent again, even at the same time, stands once."""
        commit = world.commit(world.held(), then=GoOn(activation=B))
        written = together(*(partial(stores.journal.step, commit) for _ in range(4)))
        assert written.count(True) == 1
        assert world.row(commit.run).revision == 2

    def test_branches_join_once(self, stores: Stores, world: World) -> None:
        """Each branch looks and writes until it stands; the one that finds itself the last makes the join due."""
        claims = self._writers(world, 4)
        tries = {claim.holding.worker: [world.head() for _ in range(50)] for claim in claims}
        joins = {claim.holding.worker: world.tickets("join/1") for claim in claims}

        def report(claim: Claim, worker: WorkerId) -> bool:
            for number in patiently():
                look = stores.journal.look(claim.run, claim.holding, 0)
                last = len(look.tail) == len(claims)
                commit = Commit(
                    run=claim.run,
                    holding=claim.holding,
                    revision=look.run.revision,
                    head=look.run.head,
                    new_head=tries[worker][number % 50],
                    delta=world.delta(claim.activation),
                    more=joins[worker] if last else (),
                )
                if stores.journal.step(commit):
                    return last
            return False

        given = together(*(partial(report, claim, claim.holding.worker) for claim in claims))
        assert given.count(True) == 1
        assert states(stores.runs.tickets(claims[0].run)) == {"join/1": "ready"}
        _, entries = stores.journal.load(claims[0].run)
        assert [entry.revision for entry in entries] == [1, 2, 3, 4, 5]

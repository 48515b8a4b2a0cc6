"""Where runs stood: kept beside the journal, found with what came after, and gone with the run."""

from __future__ import annotations

from codemation.core.ids import ActivationId, RunId
from codemation.core.ports import Checkpoint, GoOn, Stores
from codemation.testing.conformance.world import Contract, World, gone_on


class CheckpointsContract(Contract):
    """Where runs stood."""

    def _of(self, world: World, steps: int) -> RunId:
        """A run with so many revisions."""
        claim = world.held()
        for number in range(1, steps):
            world.step(claim, then=GoOn(activation=ActivationId(f"n{number}/1")))
            claim = gone_on(claim, f"n{number}/1")
        return claim.run

    def test_without_one_the_whole_journal_comes(self, stores: Stores, world: World) -> None:
        """As when it is loaded."""
        run = self._of(world, 3)
        row, entries = stores.journal.load(run)
        assert stores.checkpoints.load(run) == {run: (row, None, entries)}

    def test_the_latest_comes_with_what_came_after_and_its_own_revision(self, stores: Stores, world: World) -> None:
        """Whatever order they were kept in."""
        run, other = self._of(world, 5), self._of(world, 2)
        for revision in (2, 4, 3):
            stores.checkpoints.keep(run, Checkpoint(revision=revision, state=b"at %d" % revision))
        row, checkpoint, entries = stores.checkpoints.load(run)[run]
        assert checkpoint == Checkpoint(revision=4, state=b"at 4")
        assert (row, entries) == (world.row(run), stores.journal.load(run)[1][3:])
        assert stores.checkpoints.load(other)[other][1] is None

    def test_of_several_runs_each_comes_with_its_own(self, stores: Stores, world: World) -> None:
        """In one question, in whichever order they are named; what is no run is left out."""
        with_one, without, unasked = self._of(world, 4), self._of(world, 2), self._of(world, 3)
        for run in (with_one, unasked):
            stores.checkpoints.keep(run, Checkpoint(revision=2, state=run.encode()))
        found = stores.checkpoints.load(without, world.run_id(), with_one, RunId("no id"))
        assert found == {run: stores.checkpoints.load(run)[run] for run in (with_one, without)}
        assert [entry.revision for entry in found[with_one][2]] == [2, 3, 4]
        assert [entry.revision for entry in found[without][2]] == [1, 2]
        assert stores.checkpoints.load() == {}

    def test_the_journal_loses_nothing_by_it(self, stores: Stores, world: World) -> None:
        """It is loaded as before."""
        run = self._of(world, 3)
        before = stores.journal.load(run)
        stores.checkpoints.keep(run, Checkpoint(revision=3, state=b"\0" * 10_000))
        assert stores.journal.load(run) == before

    def test_one_that_is_kept_again_stays_as_it_was(self, stores: Stores, world: World) -> None:
        """The first one counts."""
        run = self._of(world, 2)
        for state in (b"first", b"second"):
            stores.checkpoints.keep(run, Checkpoint(revision=2, state=state))
        assert stores.checkpoints.load(run)[run][1] == Checkpoint(revision=2, state=b"first")

    def test_an_unknown_run_has_none(self, stores: Stores, world: World) -> None:
        """Keeping one is no error, for the run may have been pruned in this moment."""
        missing = world.run_id()
        stores.checkpoints.keep(missing, Checkpoint(revision=1, state=b""))
        assert stores.checkpoints.load(missing) == stores.checkpoints.load(RunId("no id")) == {}

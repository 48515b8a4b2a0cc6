"""The contract of the run list."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from codemation.core.ids import ActivationId, RunId
from codemation.core.ports import GoOn, Leave, Stores, Within
from codemation.core.states import RunStatus
from codemation.testing.conformance.children import Family
from codemation.testing.conformance.world import Contract, World, gone_on

Later = Callable[[float], None]


class PageContract(Contract):
    """People list runs, the youngest first."""

    def _ids(self, stores: Stores, before: RunId | None = None, limit: int = 3) -> list[RunId]:
        return [row.id for row in stores.runs.page(before=before, limit=limit)]

    def test_the_youngest_come_first(self, stores: Stores, world: World, later: Later) -> None:
        """Runs are listed as they are in the journal, the last one started first."""
        assert stores.runs.page() == ()
        runs = []
        for _ in range(3):
            runs.append(world.start("a/1"))
            later(1.0)
        page = stores.runs.page()
        assert [row.id for row in page] == runs[::-1]
        assert page[0] == world.row(runs[-1])

    def test_pages_follow_one_another_while_runs_are_added(self, stores: Stores, world: World, later: Later) -> None:
        """Somebody who turns pages sees each run once, however many are started and ended meanwhile."""
        runs = []
        for number in range(8):
            runs.append(world.start("a/1"))
            later(number % 2)  # some are equally old
        seen: list[RunId] = []
        while page := self._ids(stores, seen[-1] if seen else None):
            seen += page
            world.start("a/1")
            later(1.0)
            world.step(world.held(), status=RunStatus.SUCCEEDED)
        assert len(seen) == len(set(seen)) == 8
        assert set(seen) == set(runs)

    def test_a_page_has_a_length(self, stores: Stores, world: World) -> None:
        """A page is no longer than asked for."""
        for _ in range(4):
            world.start("a/1")
        assert [len(self._ids(stores, limit=limit)) for limit in (0, 1, 3, 4, 9)] == [0, 1, 3, 4, 4]

    def test_a_page_may_be_of_a_time(self, stores: Stores, world: World, later: Later) -> None:
        """Runs that were started at the first moment or after it, and before the second."""
        runs = []
        for _ in range(4):
            runs.append(world.start("a/1"))
            later(1.0)
        began = [world.row(run).created_at for run in runs]
        page = stores.runs.page
        assert [row.id for row in page(within=Within(since=began[1], until=began[3]))] == [runs[2], runs[1]]
        assert [row.id for row in page(within=Within(since=began[3]))] == [runs[3]]
        assert [row.id for row in page(within=Within(until=began[3]), before=runs[2])] == [runs[1], runs[0]]
        assert page(within=Within(until=began[0])) == ()

    def test_a_page_may_be_of_ids_that_look_alike(self, stores: Stores, world: World) -> None:
        """Runs whose ids begin or end so, whatever their text would mean as a pattern."""
        run, other = world.start("a/1"), world.start("a/1")

        def like(text: str) -> list[RunId]:
            return [row.id for row in stores.runs.page(within=Within(like=text))]

        assert like(run) == [run]
        assert run in like(run[-4:])
        assert other in like(other[:4])
        assert like(run[9:-4]) == like("%") == like("_") == []

    def test_a_page_leaves_children_out_and_counts_them(self, stores: Stores, world: World) -> None:
        """Each page says how many children lie between its runs, and at its end how many are older than the last."""
        oldest = Family(world, "a", "b")
        for key in "ab":
            stores.journal.start(oldest.new(key, who=f"run {oldest.run}"))
        younger = [Family(world, "c"), Family(world)]
        stores.journal.start(younger[0].new("c"))
        roots = [younger[1].run, younger[0].run, oldest.run]
        page, hidden = partial(stores.runs.page, within=Within(children=False)), stores.runs.hidden
        assert [row.id for row in page()] == roots
        assert {row.parent for row in stores.runs.page()} == {None, oldest.run, younger[0].run}
        assert [row.who for row in stores.children.of(oldest.run)] == [f"run {oldest.run}"] * 2
        first, second = page(limit=1), page(limit=1, before=roots[0])
        assert (first[0].id, second[0].id) == (roots[0], roots[1])
        spans = [(None, roots[0]), (roots[0], roots[1]), (roots[1], roots[2]), (roots[2], None), (None, None)]
        assert sum(hidden(between=span) for span in spans[:-1]) == hidden() == hidden(between=spans[-1]) == 3
        assert hidden(most=2) == 2
        assert hidden(workflow="nothing") == hidden(statuses=[RunStatus.FAILED]) == 0

    def test_a_page_may_be_of_one_workflow(self, stores: Stores, world: World) -> None:
        """Only runs of the workflow that was asked for are listed."""
        other = world.definition("other")
        world.start("a/1")
        run = world.start("a/1", workflow=other.workflow, digest=other.digest)
        assert [row.id for row in stores.runs.page(workflow="other")] == [run]
        assert stores.runs.page(workflow="nothing") == ()

    def test_a_page_may_be_of_some_statuses(self, stores: Stores, world: World) -> None:
        """Only runs in one of the statuses that were asked for are listed."""
        claims = {status: world.held() for status in (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.WAITING)}
        for status, claim in claims.items():
            world.step(claim, status=status, then=Leave(activation=claim.activation, delay=9.0))
        running = world.start("a/1")
        for asked, expected in (
            ([RunStatus.RUNNING], {running}),
            ([RunStatus.FAILED], {claims[RunStatus.FAILED].run}),
            (
                [RunStatus.WAITING, RunStatus.SUCCEEDED],
                {claims[s].run for s in (RunStatus.WAITING, RunStatus.SUCCEEDED)},
            ),
            ([RunStatus.CANCELLED], set()),
        ):
            assert {row.id for row in stores.runs.page(statuses=asked)} == expected
        assert len(stores.runs.page()) == 4

    def test_a_filter_and_a_place_go_together(self, stores: Stores, world: World, later: Later) -> None:
        """A page of one workflow may begin after a run of another."""
        other = world.definition("other")
        first = world.start("a/1")
        later(1.0)
        between = world.start("a/1", workflow=other.workflow, digest=other.digest)
        later(1.0)
        world.start("a/1")
        assert [row.id for row in stores.runs.page(workflow="flow", before=between)] == [first]


class FindContract(Contract):
    """People name a run by a piece of its id."""

    def test_a_run_is_found_by_either_end_of_its_id(self, stores: Stores, world: World) -> None:
        """The whole id, its beginning and its end find the run, and pieces from between do not."""
        run, _ = world.start("a/1"), world.start("a/1")
        assert stores.runs.find(run) == (run,)
        assert stores.runs.find(run[:8]) == (run,)
        assert stores.runs.find(run[-8:]) == (run,)
        assert stores.runs.find(run[2:-2]) == ()
        assert stores.runs.find("zzz") == ()

    def test_nothing_in_a_piece_has_a_meaning(self, stores: Stores, world: World) -> None:
        """What is a pattern elsewhere is looked for as it stands."""
        run = world.start("a/1")
        for piece in ("%", "_", f"{run[:3]}%", f"{run[:3]}_", "\\", ".*", "'"):
            assert stores.runs.find(piece) == ()

    def test_at_most_ten_are_found_the_youngest_first(self, stores: Stores, world: World, later: Later) -> None:
        """A piece that many runs have gives the ten youngest of them."""
        runs = []
        for _ in range(12):
            runs.append(world.start("a/1"))
            later(1.0)
        assert stores.runs.find("0000") == tuple(runs[:1:-1])


class LiveContract(Contract):
    """People see what is being done, and what nobody does."""

    def test_tickets_tell_what_is_being_done_and_by_whom(self, stores: Stores, world: World) -> None:
        """Each live ticket is listed with its activation, state, worker, time and losses."""
        claim = world.held("held/1", "ready/1", "waiting/1", "lost/1")
        stores.tickets.postpone(world.take(claim.run, "waiting/1").holding, 60.0)
        lost = world.take(claim.run, "lost/1").holding.worker
        stores.tickets.take_over([lost])
        rows = {row.activation: row for row in stores.runs.tickets(claim.run)}
        found = {name: (row.state, row.worker, row.lost) for name, row in rows.items()}
        assert found == {
            "held/1": ("running", claim.holding.worker, 0),
            "ready/1": ("ready", None, 0),
            "waiting/1": ("waiting", None, 0),
            "lost/1": ("ready", None, 1),
        }
        assert {row.run for row in rows.values()} == {claim.run}
        waiting = rows[ActivationId("waiting/1")].due_at
        assert waiting is not None
        assert (waiting - world.row(claim.run).created_at).total_seconds() >= 59.0

    def test_a_run_without_tickets_has_none(self, stores: Stores, world: World) -> None:
        """Neither a run that is over nor one that is not there has anything going on."""
        claim = world.held()
        world.step(claim, status=RunStatus.SUCCEEDED)
        assert stores.runs.tickets(claim.run) == ()
        assert stores.runs.tickets(world.run_id()) == ()

    def test_healthy_runs_are_attended(self, stores: Stores, world: World) -> None:
        """Runs that are worked on, ready for a worker that serves them, waiting for a time or over are attended."""
        claim = world.held("a/1", "ready/1", "waiting/1")
        stores.tickets.postpone(world.take(claim.run, "waiting/1").holding, 60.0)
        world.step(claim, then=GoOn(activation=ActivationId("b/1")))
        world.step(world.held(), status=RunStatus.FAILED)
        posted, cancelled = world.start("a/1"), world.start("a/1")
        world.post(posted)
        world.cancel(cancelled)
        assert stores.runs.unattended() == ()
        world.step(gone_on(claim, "b/1"))
        assert stores.runs.unattended() == ()

    def _unattended(self, stores: Stores, run: RunId) -> str:
        """Why the one unattended run is unattended."""
        (found,) = stores.runs.unattended()
        assert (found.run, found.workflow) == (run, "flow")
        assert found.why
        return found.why

    def test_a_run_without_a_ticket_is_unattended(self, stores: Stores, world: World) -> None:
        """Nobody goes on with an unfinished run that has lost its last ticket."""
        claim = world.held()
        world.step(claim)
        assert "ticket" in self._unattended(stores, claim.run)

    def test_a_run_whose_worker_is_dead_is_unattended_until_it_is_taken_over(
        self, stores: Stores, world: World
    ) -> None:
        """A ticket that the dead hold is found, and a take-over puts it right."""
        claim = world.held()
        world.worker()
        stores.workers.bury([claim.holding.worker])
        assert str(claim.holding.worker) in self._unattended(stores, claim.run)
        stores.tickets.take_over([claim.holding.worker])
        assert stores.runs.unattended() == ()

    def test_a_run_whose_worker_was_never_entered_is_unattended(self, stores: Stores, world: World) -> None:
        """Nobody would notice the death of a worker that is not entered."""
        run = world.start("a/1", claimed_by=world.number())
        self._unattended(stores, run)

    def test_work_that_nobody_serves_is_unattended(self, stores: Stores, world: World) -> None:
        """A ready ticket needs a living worker that serves its lane."""
        run = world.new_run(tickets=world.tickets("a/1", queue="slow"))
        stores.journal.start(run)
        self._unattended(stores, run.id)
        worker = world.worker()
        assert stores.tickets.claim(worker, [world.lane()]) is None
        assert "slow" in self._unattended(stores, run.id)
        stores.tickets.hand_back([world.claim(worker, queue="slow").holding])
        assert stores.runs.unattended() == ()
        stores.workers.bury([worker])
        assert "slow" in self._unattended(stores, run.id)

    def test_a_ticket_whose_time_has_long_come_is_unattended(self, stores: Stores, world: World, later: Later) -> None:
        """When nobody fires what is due, somebody is told; a moment's delay is nothing to speak of."""
        claim = world.held()
        stores.tickets.postpone(claim.holding, 10.0)
        later(12.0)
        assert stores.runs.unattended() == ()
        later(3600.0)
        self._unattended(stores, claim.run)
        stores.tickets.fire()
        assert stores.runs.unattended() == ()


class RunListContract(PageContract, FindContract, LiveContract):
    """What every run list must do."""

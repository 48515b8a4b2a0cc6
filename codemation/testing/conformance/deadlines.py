"""A run is told when its time is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from codemation.core.ids import START, activation_id
from codemation.core.ports import Deadline, Drop, Reopening, Stores
from codemation.core.states import RunStatus
from codemation.core.waits import DEADLINE
from codemation.testing.conformance.world import Contract, World

Later = Callable[[float], None]


class DeadlineContract(Contract):
    """The deadline of a run is a wait of the run as a whole."""

    def test_a_run_whose_time_is_over_gets_a_letter_that_says_so(
        self, stores: Stores, world: World, later: Later
    ) -> None:
        """Not before its time, and once."""
        new = replace(world.new_run("a/1"), deadline=Deadline(ticket=world.tickets("x/1")[0].id, seconds=60.0))
        run = stores.journal.start(new)
        stores.tickets.fire()
        assert stores.inbox.pending(run) == ()
        later(61.0)
        for _ in range(2):
            stores.tickets.fire()
        (letter,) = stores.inbox.pending(run)
        assert f'"{activation_id(START)}"' in letter.body
        assert f'"{DEADLINE}"' in letter.body

    def test_a_deadline_is_no_wait_that_anybody_could_answer(self, stores: Stores, world: World) -> None:
        """It is not listed among what is waited for, and a run that has nothing else is stuck."""
        new = replace(world.new_run(), deadline=Deadline(ticket=world.tickets("x/1")[0].id, seconds=60.0))
        run = stores.journal.start(new)
        assert stores.waits.open(run=run) == ()
        assert [one.why for one in stores.runs.unattended() if one.run == run] == ["it has no ticket"]

    def test_the_deadline_goes_with_the_end_of_the_run_and_comes_back_with_it(
        self, stores: Stores, world: World, later: Later
    ) -> None:
        """A finished run has no tickets; one that goes on anew has its whole time again."""
        deadline = Deadline(ticket=world.tickets("x/1")[0].id, seconds=60.0)
        run = stores.journal.start(replace(world.new_run("a/1"), deadline=deadline))
        world.step(world.take(run, "a/1"), then=Drop(), status=RunStatus.FAILED)
        assert stores.runs.tickets(run) == ()
        row, _ = stores.journal.load(run)
        again = Reopening(
            run=run,
            revision=row.revision,
            head=row.head,
            new_head=world.head(),
            delta=world.delta("again/1"),
            digest=row.digest,
            tickets=world.tickets("a/1"),
            deadline=replace(deadline, ticket=world.tickets("x/1")[0].id),
        )
        later(61.0)
        assert stores.journal.reopen(again)
        stores.tickets.fire()
        assert stores.inbox.pending(run) == ()
        later(61.0)
        stores.tickets.fire()
        assert len(stores.inbox.pending(run)) == 1

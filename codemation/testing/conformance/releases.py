"""How tickets come back: handed back, put off, taken over."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from codemation.core.ids import ActivationId, WorkerId
from codemation.core.ports import Chunk, Claim, GoOn, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World, gone_on, states

Later = Callable[[float], None]
LONG = 24 * 3600.0
"""Seconds after which everything that waits for a time has come."""


class HandBackContract(Contract):
    """A ticket that is handed back is as if nobody had claimed it."""

    def test_what_is_handed_back_can_be_claimed_at_once(self, stores: Stores, world: World) -> None:
        """A ticket that was handed back is ready, its claim is not counted, and its journal says nothing of it."""
        claim = world.held("a/1")
        assert stores.tickets.hand_back([claim.holding]) == 1
        (ticket,) = stores.runs.tickets(claim.run)
        assert (ticket.state, ticket.worker, ticket.lost) == ("ready", None, 0)
        assert world.claim(world.worker()).starts == 1
        assert world.row(claim.run).revision == 1

    def test_only_the_holder_hands_back(self, stores: Stores, world: World) -> None:
        """A holding that is no longer good gives nothing back, whoever has the ticket now."""
        claim = world.held("a/1")
        assert stores.tickets.hand_back([claim.holding]) == 1
        assert stores.tickets.hand_back([claim.holding]) == 0
        again = world.claim(world.worker())
        assert stores.tickets.hand_back([claim.holding]) == 0
        world.step(again)

    def test_several_are_handed_back_at_once(self, stores: Stores, world: World) -> None:
        """Of many holdings those that are good are handed back, each once, and counted."""
        good = [world.held(f"a/{number}") for number in range(3)]
        gone = world.held("gone/1")
        world.step(gone)
        holdings = [claim.holding for claim in (*good, gone)]
        assert stores.tickets.hand_back(holdings) == 3
        assert stores.tickets.hand_back([]) == 0
        worker = world.worker()
        assert [world.claim(worker).starts for _ in good] == [1, 1, 1]

    def test_a_holding_that_is_named_twice_is_handed_back_once(self, stores: Stores, world: World) -> None:
        """The same holding twice in one call is one claim uncounted, not two."""
        claim = world.held("a/1")
        stores.tickets.take_over([claim.holding.worker])
        again = world.claim(world.worker())
        stores.tickets.hand_back([again.holding, again.holding])
        assert world.claim(world.worker()).starts == 2

    def test_a_hand_back_is_no_loss(self, stores: Stores, world: World) -> None:
        """However often a ticket was handed back, the first death of a holder is the first."""
        world.start("a/1")
        for _ in range(4):
            stores.tickets.hand_back([world.claim(world.worker()).holding])
        claim = world.claim(world.worker())
        assert stores.tickets.take_over([claim.holding.worker]).poisoned == ()
        assert world.claim(world.worker()).starts == 2

    def test_the_fold_of_a_stopping_run_is_handed_back(self, stores: Stores, world: World) -> None:
        """A fold ticket is never done with by handing it back: nobody else would end the run."""
        run = world.start("a/1")
        world.cancel(run)
        stores.tickets.hand_back([world.claim_fold(run).holding])
        world.claim_fold(run)

    def test_progress_outlives_a_hand_back_and_a_take_over(self, stores: Stores, world: World) -> None:
        """Whoever goes on finds the items that are finished."""
        claim = world.held("a/1")
        world.save(claim)
        stores.tickets.hand_back([claim.holding])
        again = world.claim(world.worker())
        world.save(again, 1)
        stores.tickets.take_over([again.holding.worker])
        assert len(stores.tickets.progress(claim.holding.ticket, claim.activation)) == 2


class TakeOverContract(Contract):
    """What the dead held goes on, but not for ever."""

    def _lose(self, world: World, claim: Claim, times: int, later: Later) -> None:
        """Let the holders of a claim's ticket die, so many of them."""
        worker = claim.holding.worker
        for _ in range(times):
            world.stores.tickets.take_over([worker])
            later(LONG)
            world.stores.tickets.fire()
            worker = world.worker()
            claim = world.claim(worker, claim.holding.ticket)
        world.stores.tickets.hand_back([claim.holding])

    def test_the_first_loss_is_ready_at_once(self, stores: Stores, world: World) -> None:
        """What a dead worker held can be claimed at once, and the claim counts the one that ended in a death."""
        claim = world.held("a/1")
        taken = stores.tickets.take_over([claim.holding.worker])
        assert (taken.released, taken.stopped, taken.poisoned) == (1, (), ())
        (ticket,) = stores.runs.tickets(claim.run)
        assert (ticket.state, ticket.worker, ticket.lost) == ("ready", None, 1)
        assert world.claim(world.worker()).starts == 2

    def test_the_second_loss_has_to_wait(self, stores: Stores, world: World, later: Later) -> None:
        """A node that may have killed two workers is not begun at once a third time."""
        claim = world.held("a/1")
        self._lose(world, claim, 1, later)
        again = world.claim(world.worker())
        assert stores.tickets.take_over([again.holding.worker]).released == 1
        (ticket,) = stores.runs.tickets(claim.run)
        assert (ticket.state, ticket.worker, ticket.lost) == ("waiting", None, 2)
        assert stores.tickets.claim(world.worker(), [world.lane()]) is None
        later(LONG)
        stores.tickets.fire()
        world.claim(world.worker())

    def test_after_too_many_losses_the_activation_is_given_up(self, stores: Stores, world: World, later: Later) -> None:
        """A poisoned activation has no ticket any more; a letter says so, and somebody will fold it."""
        claim = world.held("a/1", "b/1")
        self._lose(world, claim, 2, later)
        again = world.take(claim.run, "a/1")
        taken = stores.tickets.take_over([again.holding.worker])
        assert (taken.released, taken.stopped, taken.poisoned) == (0, (), ((claim.run, "a/1", 3),))
        assert states(stores.runs.tickets(claim.run)) == {"b/1": "ready", "": "ready"}
        (letter,) = stores.inbox.pending(claim.run)
        assert json.loads(letter.body) == {"kind": "Lost", "activation": "a/1", "times": 3}
        world.step(world.claim_fold(claim.run), consumed=(letter.id,))
        assert stores.inbox.pending(claim.run) == ()

    def test_how_many_are_too_many_is_the_askers_choice(self, stores: Stores, world: World) -> None:
        """With `poison_after=1` the first loss is the last, whatever the activation is called."""
        name = 'says "a\\b"/1'
        claim = world.held(name)
        taken = stores.tickets.take_over([claim.holding.worker], poison_after=1)
        assert taken.poisoned == ((claim.run, name, 1),)
        (letter,) = stores.inbox.pending(claim.run)
        assert json.loads(letter.body)["activation"] == name

    def test_several_activations_of_one_run_may_be_given_up_at_once(self, stores: Stores, world: World) -> None:
        """Each activation has a letter of its own, and the run one fold ticket."""
        claim = world.held("a/1", "b/1")
        world.take(claim.run, "b/1", claim.holding.worker)
        taken = stores.tickets.take_over([claim.holding.worker], poison_after=1)
        assert sorted(activation for _, activation, _ in taken.poisoned) == ["a/1", "b/1"]
        bodies = [json.loads(letter.body) for letter in stores.inbox.pending(claim.run)]
        assert sorted(body["activation"] for body in bodies) == ["a/1", "b/1"]
        world.claim_fold(claim.run)

    def test_the_fold_after_a_loss_is_another_ticket(self, stores: Stores, world: World) -> None:
        """Whoever held what was given up holds nothing any more, also when it is the one that claims the fold."""
        claim = world.held("a/1")
        worker = claim.holding.worker
        stores.tickets.take_over([worker], poison_after=1)
        folder = world.claim_fold(claim.run, worker)
        assert folder.holding.ticket != claim.holding.ticket
        assert stores.tickets.hand_back([claim.holding]) == 0
        assert not stores.journal.step(world.commit(claim))
        world.step(folder, consumed=tuple(letter.id for letter in stores.inbox.pending(claim.run)))

    def test_what_is_given_back_after_the_end_asks_for_nothing(self, stores: Stores, world: World) -> None:
        """A holder that comes back, or dies, when its run was stopped and is over leaves a run without tickets."""
        claim = world.held("a/1", "b/1")
        other = world.take(claim.run, "b/1")
        world.cancel(claim.run)
        world.step(world.claim_fold(claim.run), cancelling=True, status=RunStatus.CANCELLED)
        before = world.row(claim.run)
        stores.tickets.hand_back([claim.holding])
        stores.tickets.take_over([other.holding.worker])
        assert stores.runs.tickets(claim.run) == ()
        assert world.row(claim.run) == before

    def test_what_comes_back_of_a_run_that_is_over_is_done_with(self, stores: Stores, world: World) -> None:
        """A run may end under those who work for it: what they hold is nobody's work any more, when it comes back."""
        claim = world.held("a/1", "b/1", "c/1", "d/1")
        back, late, lost = (world.take(claim.run, name) for name in ("b/1", "c/1", "d/1"))
        world.save(back)
        world.step(claim, status=RunStatus.FAILED)
        before = world.row(claim.run)
        assert stores.tickets.hand_back([back.holding]) == 1
        assert stores.tickets.postpone(late.holding, 0.2)
        assert stores.tickets.take_over([lost.holding.worker]).released == 0
        assert stores.runs.tickets(claim.run) == ()
        assert stores.tickets.progress(back.holding.ticket, back.activation) == ()
        assert world.row(claim.run) == before

    def test_a_step_forgets_the_losses(self, stores: Stores, world: World, later: Later) -> None:
        """Losses are counted for an activation, not for the ticket that walks from one to the next."""
        claim = world.held("a/1")
        self._lose(world, claim, 2, later)
        again = world.claim(world.worker())
        world.step(again, then=GoOn(activation=ActivationId("b/1")))
        taken = stores.tickets.take_over([again.holding.worker])
        assert (taken.released, taken.poisoned) == (1, ())
        world.claim(world.worker())

    def test_a_late_holder_can_do_nothing_any_more(self, stores: Stores, world: World) -> None:
        """Whoever was taken over records no progress, puts nothing off and hands nothing back."""
        claim = world.held("a/1")
        stores.tickets.take_over([claim.holding.worker])
        again = world.claim(world.worker())
        before = world.truth(claim.run)
        chunk = Chunk(number=0, items=(0,), data=b"late")
        assert not stores.tickets.save_progress(claim.holding, claim.activation, chunk)
        assert not stores.tickets.postpone(claim.holding, 60.0)
        assert stores.tickets.hand_back([claim.holding]) == 0
        assert world.truth(claim.run) == before
        world.step(again)

    def test_the_living_keep_what_they_hold(self, stores: Stores, world: World) -> None:
        """A take-over touches the tickets of those who are named, all of them, and finds nothing a second time."""
        dead = world.held("a/1", "b/1")
        world.take(dead.run, "b/1", dead.holding.worker)
        other, living = world.held("c/1"), world.held("d/1")
        names = [dead.holding.worker, other.holding.worker]
        assert stores.tickets.take_over(names).released == 3
        assert stores.tickets.take_over(names).released == 0
        assert stores.tickets.take_over([]).released == 0
        world.step(living)

    def test_what_has_to_stop_is_done_with(self, stores: Stores, world: World) -> None:
        """A take-over after a cancel begins nothing anew: the ticket goes, and its run is named."""
        claim = world.held("a/1", "b/1")
        world.take(claim.run, "b/1", claim.holding.worker)
        world.cancel(claim.run)
        taken = stores.tickets.take_over([claim.holding.worker])
        assert (taken.released, taken.stopped, taken.poisoned) == (0, (claim.run,), ())
        assert states(stores.runs.tickets(claim.run)) == {"": "ready"}
        world.step(world.claim_fold(claim.run), cancelling=True, status=RunStatus.CANCELLED)

    def test_a_fold_is_never_given_up(self, stores: Stores, world: World, later: Later) -> None:
        """However many die while they fold, there is a fold ticket: nobody else would answer the letters."""
        run = world.start("a/1")
        world.post(run)
        for _ in range(5):
            folder = world.claim_fold(run)
            assert stores.tickets.take_over([folder.holding.worker]).poisoned == ()
            later(LONG)
            stores.tickets.fire()
        (letter,) = stores.inbox.pending(run)
        world.step(world.claim_fold(run), consumed=(letter.id,))

    def test_of_several_who_take_over_one_does(self, stores: Stores, world: World) -> None:
        """Observers who find the same death at the same moment count it once."""
        claims = [world.held(f"a/{number}") for number in range(4)]
        names = [claim.holding.worker for claim in claims]
        taken = together(*(partial(stores.tickets.take_over, names) for _ in range(4)))
        left = stores.tickets.take_over(names).released
        assert sum(one.released for one in taken) + left == 4
        assert [stores.runs.tickets(claim.run)[0].lost for claim in claims] == [1, 1, 1, 1]

    def test_a_take_over_and_a_late_step_are_one_after_the_other(self, stores: Stores, world: World) -> None:
        """Either the result was recorded before the take-over, or it is refused: never both, never neither."""
        for _ in range(8):
            claim = world.held("a/1")
            dead = [claim.holding.worker]
            commit = world.commit(claim, then=GoOn(activation=ActivationId("b/1")))
            written, _ = together(partial(stores.journal.step, commit), partial(self._taken_over, stores, dead))
            stores.tickets.take_over(dead)  # one that met the step under way leaves the ticket to the next
            expected = gone_on(claim, "b/1") if written else claim
            assert world.row(claim.run).revision == (2 if written else 1)
            assert world.take(claim.run, expected.activation).holding.fence == expected.holding.fence + 1

    def _taken_over(self, stores: Stores, dead: list[WorkerId]) -> bool:
        return bool(stores.tickets.take_over(dead).released)

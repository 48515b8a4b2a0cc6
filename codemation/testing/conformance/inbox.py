"""The contract of the inbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Lock

import pytest

from codemation.core.errors import InputError, UnknownRun
from codemation.core.ids import Head, RunId, TicketId, WorkerId
from codemation.core.ports import Commit, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import patiently, together
from codemation.testing.conformance.world import Contract, World, states

Later = Callable[[float], None]


class InboxContract(Contract):
    """A letter is answered once, and never lies where nobody will answer it."""

    def test_a_letter_lies_there_until_it_is_folded(self, stores: Stores, world: World) -> None:
        """Letters are read oldest first, as they were sent, and reading takes none away."""
        run = world.start("a/1")
        bodies = ['{"a":  1}', '{"text": "né \\u0000 \\ud83d\\ude00"}', "[]"]
        assert all(world.post(run, f"k{number}", body) for number, body in enumerate(bodies))
        letters = stores.inbox.pending(run)
        assert [letter.key for letter in letters] == ["k0", "k1", "k2"]
        assert [json.loads(letter.body) for letter in letters] == [json.loads(body) for body in bodies]
        assert [letter.id for letter in letters] == sorted({letter.id for letter in letters})
        assert stores.inbox.pending(run) == letters

    def test_a_letter_asks_for_one_fold(self, stores: Stores, world: World) -> None:
        """However many letters there are, the run has one fold ticket, and its work goes on."""
        run, other = world.start("a/1"), world.start("b/1")
        for key in ("one", "two", "three"):
            world.post(run, key)
        assert states(stores.runs.tickets(run)) == {"a/1": "ready", "": "ready"}
        assert states(stores.runs.tickets(other)) == {"b/1": "ready"}
        assert stores.inbox.pending(other) == ()

    def test_a_letter_that_is_sent_twice_lies_there_once(self, stores: Stores, world: World) -> None:
        """A second letter with the key of one that is unanswered is not taken, whatever it says."""
        run, other = world.start("a/1"), world.start("b/1")
        assert world.post(run, "k", '{"say": 1}')
        assert not world.post(run, "k", '{"say": 2}')
        assert [json.loads(letter.body) for letter in stores.inbox.pending(run)] == [{"say": 1}]
        assert world.post(other, "k")

    def test_a_key_may_come_again_when_its_letter_was_answered(self, stores: Stores, world: World) -> None:
        """What was answered is forgotten; whether it comes too late, the fold decides."""
        run = world.start("a/1")
        world.post(run, "k")
        (letter,) = stores.inbox.pending(run)
        world.step(world.claim_fold(run), consumed=(letter.id,))
        assert world.post(run, "k")
        (again,) = stores.inbox.pending(run)
        assert again.id > letter.id
        world.claim_fold(run)

    def test_a_fold_that_answers_everything_is_done_with(self, stores: Stores, world: World) -> None:
        """When every letter is answered, the run has no fold ticket any more."""
        run = world.start("a/1")
        world.post(run, "one")
        world.post(run, "two")
        letters = stores.inbox.pending(run)
        world.step(world.claim_fold(run), consumed=tuple(letter.id for letter in letters))
        assert states(stores.runs.tickets(run)) == {"a/1": "ready"}

    def test_a_fold_that_leaves_a_letter_is_asked_for_again(self, stores: Stores, world: World) -> None:
        """A fold that answers some letters alone is not done with."""
        run = world.start("a/1")
        world.post(run, "one")
        world.post(run, "two")
        one, two = stores.inbox.pending(run)
        world.step(world.claim_fold(run), consumed=(one.id,))
        assert stores.inbox.pending(run) == (two,)
        world.step(world.claim_fold(run), consumed=(two.id,))

    def test_a_letter_between_reading_and_writing_is_not_left_behind(self, stores: Stores, world: World) -> None:
        """A letter that comes while others are folded is folded after them: its folder is refused, or asked again."""
        run = world.start("a/1")
        world.post(run, "early")
        folder = world.claim_fold(run)
        early = stores.inbox.pending(run)
        commit = world.commit(folder, consumed=tuple(letter.id for letter in early))
        world.post(run, "late")
        written = stores.journal.step(commit)
        left = stores.inbox.pending(run)
        assert [letter.key for letter in left] == (["late"] if written else ["early", "late"])
        world.step(world.claim_fold(run), consumed=tuple(letter.id for letter in left))
        assert stores.inbox.pending(run) == ()

    def test_a_letter_after_the_claim_is_no_reason_to_fold_twice(self, stores: Stores, world: World) -> None:
        """Whether or not a letter between claim and reading costs the folder its claim, all are answered once."""
        run = world.start("a/1")
        world.post(run, "one")
        folder = world.claim_fold(run)
        world.post(run, "two")
        letters = stores.inbox.pending(run)
        consumed = tuple(letter.id for letter in letters)
        if not stores.journal.step(world.commit(folder, consumed=consumed)):
            world.step(world.claim_fold(run), consumed=consumed)
        assert stores.inbox.pending(run) == ()
        assert states(stores.runs.tickets(run)) == {"a/1": "ready"}

    def test_a_letter_wakes_a_fold_that_waits(self, stores: Stores, world: World) -> None:
        """A fold that was put off is ready as soon as there is something new to fold."""
        run = world.start("a/1")
        world.post(run, "one")
        stores.tickets.postpone(world.claim_fold(run).holding, 3600.0)
        world.post(run, "two")
        world.claim_fold(run)

    def test_a_letter_to_a_finished_run_is_not_taken(self, stores: Stores, world: World) -> None:
        """Nobody would answer it, so it is not left there, and no ticket either."""
        claim = world.held()
        world.step(claim, status=RunStatus.SUCCEEDED)
        assert not world.post(claim.run)
        assert stores.inbox.pending(claim.run) == ()
        assert stores.runs.tickets(claim.run) == ()

    def test_a_letter_to_nobody_says_so(self, stores: Stores, world: World) -> None:
        """A letter to a run that is not there is an error that names the run, and leaves nothing."""
        run = world.run_id()
        with pytest.raises(UnknownRun, match=run):
            world.post(run)
        assert stores.inbox.pending(run) == ()
        assert stores.tickets.claim(world.worker(), []) is None

    def test_a_letter_that_is_not_json_is_refused(self, stores: Stores, world: World) -> None:
        """A body that nobody could read is the sender's error, and leaves nothing."""
        run = world.start("a/1")
        before = world.truth(run)
        with pytest.raises(InputError):
            world.post(run, body="{yes")
        assert world.truth(run) == before

    def test_senders_and_folders_who_race_leave_nothing_behind(self, stores: Stores, world: World) -> None:
        """Letters that are sent while others are folded are each answered once, and in the end none is left."""
        run = world.start("a/1")
        post = _Office(world, run, letters=12)
        senders = [partial(post.send, number, post.folds[number]) for number in range(12)]
        workers = [world.worker() for _ in range(2)]
        together(*senders, *(partial(post.fold, worker) for worker in workers))
        assert sorted(post.answered) == sorted(f"k{number}" for number in range(12))
        assert stores.inbox.pending(run) == ()
        assert states(stores.runs.tickets(run)) == {"a/1": "ready"}

    def test_of_many_who_send_the_same_letter_one_does(self, stores: Stores, world: World) -> None:
        """A decision that is sent twice at the same moment lies there once."""
        run = world.start("a/1")
        folds = [TicketId(world.number()) for _ in range(5)]
        given = together(*(partial(stores.inbox.post, run, "k", "{}", fold) for fold in folds))
        assert given.count(True) == 1
        assert len(stores.inbox.pending(run)) == 1
        world.claim_fold(run)


class _Office:
    """Letters that are sent and answered at the same time."""

    def __init__(self, world: World, run: RunId, letters: int) -> None:
        self._stores = world.stores
        self._run = run
        self._letters = letters
        self._lock = Lock()
        self._heads = iter([world.head() for _ in range(5000)])
        self._delta = world.delta()
        self.folds = [TicketId(world.number()) for _ in range(letters)]
        self.answered: list[str] = []

    def send(self, number: int, fold: TicketId) -> None:
        """Send one letter."""
        assert self._stores.inbox.post(self._run, f"k{number}", "{}", fold)

    def fold(self, worker: WorkerId) -> None:
        """Answer letters until all are answered."""
        for _ in patiently():
            with self._lock:
                if len(self.answered) >= self._letters:
                    return
            claim = self._stores.tickets.claim(worker, [])
            if claim is None:
                continue
            letters = self._stores.inbox.pending(self._run)
            look = self._stores.journal.look(self._run, claim.holding, 0)
            commit = Commit(
                run=self._run,
                holding=claim.holding,
                revision=look.run.revision,
                head=look.run.head,
                new_head=self._head(),
                delta=self._delta,
            )
            if self._stores.journal.step(replace(commit, consumed=tuple(letter.id for letter in letters))):
                with self._lock:
                    self.answered += [letter.key for letter in letters]
            else:
                self._stores.tickets.hand_back([claim.holding])

    def _head(self) -> Head:
        with self._lock:
            return next(self._heads)

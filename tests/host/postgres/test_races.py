"""The statements against one another on a real server, at random moments: each pair that a flaw was once found in."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import TypeVar

import psycopg
import pytest

from codemation.core.errors import HostError, InputError, StoreUnavailable
from codemation.core.ids import ActivationId, RunId, TicketId, WorkerId
from codemation.core.ports import Claim, Commit, Drop, GoOn, Leave, NewRun, Stores
from codemation.core.states import RunStatus
from codemation.host.postgres.answering import ask_for_fold
from codemation.host.postgres.link import Row
from codemation.host.postgres.stores import open_stores
from codemation.testing.conformance.crowd import patiently, together
from codemation.testing.conformance.world import World, gone_on
from tests.host.postgres.proxy import lossy_proxy
from tests.host.postgres.server import Server

T = TypeVar("T")
MOMENTS = random.Random(11)  # noqa: S311 - pauses, not secrets


def after_a_moment(job: Callable[[], object], longest: float = 0.004) -> Callable[[], object]:
    """The job, begun a little later by chance."""
    pause = MOMENTS.random() * longest

    def later() -> object:
        time.sleep(pause)
        return job()

    return later


def walk(world: World, claim: Claim, steps: int) -> int:
    """Go on with one ticket until a step is refused; how many stood."""
    row = world.row(claim.run)
    commit = world.commit(claim)
    for done in range(steps):
        commit = replace(
            commit,
            holding=claim.holding,
            revision=row.revision + done,
            head=commit.new_head if done else row.head,
            new_head=world.head(),
            then=GoOn(activation=ActivationId(f"n{done}/1")),
        )
        if not world.stores.journal.step(commit):
            return done
        claim = gone_on(claim, f"n{done}/1")
    return steps


def test_a_step_against_a_cancel_never_deadlocks_and_leaves_every_ticket_marked(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    cancelled = 0
    for _ in range(400):
        claim = world.held("a/1")
        fold = TicketId(world.number())

        def cancel(run: RunId = claim.run, fold: TicketId = fold) -> bool:
            for _ in range(200):
                row, _ = stores.journal.load(run)
                if stores.journal.cancel(run, row, world.head(), world.delta(), fold):
                    return True
            return False

        stood, stopped = together(lambda claim=claim: walk(world, claim, 6), after_a_moment(cancel))
        cancelled += bool(stopped)
        row, entries = stores.journal.load(claim.run)
        assert row.revision == len(entries) == 1 + int(stood) + bool(stopped)
    marks = database.execute("SELECT kind, stop, count(*) FROM tickets GROUP BY 1, 2 ORDER BY 1, 2").fetchall()
    assert marks == [(0, 1, 400), (6, 0, 400)]
    assert cancelled == 400
    stats = database.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert stats == (0,)


def test_a_claim_that_is_under_way_is_marked_by_a_cancel(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    run = world.start("a/1")
    with database.transaction():
        database.execute("UPDATE tickets SET state = 1, owner = 7, fence = fence + 1")
        waiting = threading.Thread(target=world.cancel, args=(run,))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive(), "the cancel should wait for the claim"
    waiting.join(30)
    assert database.execute("SELECT kind, state, stop FROM tickets ORDER BY kind").fetchall() == [(0, 1, 1), (6, 0, 0)]


def test_a_cancel_waits_for_no_ticket_while_it_holds_the_fold(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    """Whoever gives up tickets asks for a fold after that, as a take-over does; a cancel takes them in this order."""
    claim = world.held("a/1")
    with ThreadPoolExecutor(1) as pool:
        with database.transaction():
            database.execute("SELECT FROM tickets WHERE id = %s FOR UPDATE", [claim.holding.ticket])
            cancelled = pool.submit(world.cancel, claim.run)
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            with psycopg.connect(database.info.dsn, autocommit=True) as other:
                for _ in patiently():
                    if other.execute(waiting).fetchone() == (1,):
                        break
            database.execute("DELETE FROM tickets WHERE id = %s", [claim.holding.ticket])
            database.execute(ask_for_fold(f"SELECT 1::bigint AS id, '{claim.run}'::uuid AS run_id, 0 AS signal"))
        cancelled.result()
    world.step(world.claim_fold(claim.run), cancelling=True, status=RunStatus.CANCELLED)
    assert database.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone() == (
        0,
    )


def test_what_became_ready_before_a_cancel_is_never_claimed_after_it(stores: Stores, world: World) -> None:
    for _ in range(40):
        run, worker = world.start("a/1", "b/1", "c/1"), world.worker()

        def claim_all(worker: WorkerId = worker) -> int:
            claims = 0
            while world.stores.tickets.claim(worker, [world.lane()]) is not None:
                claims += 1
            return claims

        together(claim_all, after_a_moment(lambda run=run: world.cancel(run), 0.002))
        assert stores.tickets.claim(worker, [world.lane()]) is None or stores.runs.tickets(run)
        assert all(ticket.state == "running" for ticket in stores.runs.tickets(run) if ticket.worker)


@pytest.mark.parametrize("many", [1, 3])
def test_who_meets_others_at_the_heads_of_all_lanes_gets_what_stands_behind(
    stores: Stores, world: World, database: psycopg.Connection[Row], many: int
) -> None:
    """Also where that has waited for less long than the head of the other lane, which is not to be had."""
    for name, queue in (("first/1", "default"), ("other/1", "slow"), ("behind/1", "default")):
        world.start(tickets=world.tickets(name, queue=queue))
        time.sleep(0.002)
    lanes = [world.lane(), world.lane("slow")]
    with database.transaction():
        database.execute("SELECT FROM tickets WHERE activation IN ('first/1', 'other/1') FOR UPDATE")
        claims = stores.tickets.claim_some(world.worker(), lanes, many)
    assert [claim.activation for claim in claims] == ["behind/1"]


def test_claimers_at_once_get_each_ticket_once(stores: Stores, world: World) -> None:
    names = [f"n{number}/1" for number in range(60)]
    world.start(*names)
    workers = [world.worker() for _ in range(4)]

    def claim_all(worker: WorkerId) -> list[TicketId]:
        found = []
        while (claim := stores.tickets.claim(worker, [world.lane()])) is not None:
            found.append(claim.holding.ticket)
        return found

    claimed = [ticket for mine in together(*(lambda w=worker: claim_all(w) for worker in workers)) for ticket in mine]
    assert len(claimed) == len(set(claimed)) == 60


def test_who_meets_faster_ones_takes_the_next_most_urgent_of_all_lanes(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    """What stands behind a ticket that somebody is just taking may be less urgent than the head of another lane."""
    tickets = (
        *world.tickets("high/1", priority=9),
        *world.tickets("low/1", priority=1),
        *world.tickets("middle/1", priority=5, queue="slow"),
    )
    world.start(tickets=tickets)
    worker, lanes = world.worker(), [world.lane(), world.lane("slow")]
    with database.transaction():
        database.execute("SELECT FROM tickets WHERE activation = 'high/1' FOR UPDATE")
        claims = [stores.tickets.claim(worker, lanes) for _ in tickets]
    claims.append(stores.tickets.claim(worker, lanes))
    assert [claim and claim.activation for claim in claims] == ["middle/1", "low/1", None, "high/1"]


def test_who_may_need_a_slot_and_meets_faster_ones_takes_what_stands_behind_them(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    world.start(tickets=(*world.tickets("first/1", priority=9), *world.tickets("second/1", priority=1)))
    worker = world.worker()
    with database.transaction():
        database.execute("SELECT FROM tickets WHERE activation = 'first/1' FOR UPDATE")
        claim = stores.tickets.claim(worker, [world.lane()], pools=True)
    assert claim is not None
    assert claim.activation == "second/1"


def test_a_late_step_after_a_take_over_leaves_no_trace(stores: Stores, world: World) -> None:
    claim = world.held("a/1")
    commit = world.commit(claim)
    before = world.row(claim.run)
    stores.tickets.take_over([claim.holding.worker])
    truth = world.truth(claim.run)
    assert not stores.journal.step(commit)
    assert not stores.journal.step(replace(commit, then=GoOn(activation=ActivationId("b/1"))))
    assert world.truth(claim.run) == truth
    assert world.row(claim.run) == before


def test_a_step_against_a_take_over_either_stands_or_leaves_no_trace(stores: Stores, world: World) -> None:
    outcomes = set()
    for _ in range(150):
        claim = world.held("a/1")
        commit = world.commit(claim, then=GoOn(activation=ActivationId("b/1")), delta=world.delta("b/1"))

        def take_over(claim: Claim = claim) -> int:
            return stores.tickets.take_over([claim.holding.worker]).released

        stood, released = together(lambda commit=commit: stores.journal.step(commit), after_a_moment(take_over, 0.002))
        row, entries = stores.journal.load(claim.run)
        (ticket,) = stores.runs.tickets(claim.run)
        assert row.revision == len(entries) == 1 + bool(stood)
        assert ticket.activation == ("b/1" if stood else "a/1")
        if released:
            assert (ticket.state, ticket.lost) == ("ready", 1)
        outcomes.add((bool(stood), released))
    assert (True, 1) in outcomes


def test_a_waiting_take_over_makes_the_step_behind_it_fail(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    claim = world.held("a/1")
    commit = world.commit(claim)
    stood: list[bool] = []
    with database.transaction():
        database.execute("UPDATE tickets SET state = 0, owner = NULL, lost = 1, due_at = now_()")
        late = threading.Thread(target=lambda: stood.append(stores.journal.step(commit)))
        late.start()
        late.join(0.3)
        assert late.is_alive(), "the step should wait for the lock on its ticket"
    late.join(30)
    assert stood == [False]
    assert world.row(claim.run).revision == 1


def start_by_key(url: str, run: NewRun, barrier: Barrier, answers: Queue[RunId]) -> None:
    with open_stores(url) as opened:
        barrier.wait(60)
        answers.put(opened.stores.journal.start(run))


def test_processes_that_start_by_one_key_agree_on_one_run(url: str, stores: Stores, world: World) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(3), context.Queue()
    runs = [world.new_run("a/1", key="nightly", input_digest=b"same") for _ in range(3)]
    processes = [context.Process(target=start_by_key, args=(url, run, barrier, answers)) for run in runs]
    for process in processes:
        process.start()
    found = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(30)
    (winner,) = found
    assert winner in {run.id for run in runs}
    assert [row.id for row in stores.runs.page()] == [winner]
    with pytest.raises(InputError, match="has already started run"):
        stores.journal.start(replace(runs[0], id=world.run_id(), input_digest=b"other"))


def test_a_key_is_waited_for_and_the_second_statement_finds_the_winner(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    first = world.start("a/1")
    run = world.new_run("a/1", key="k", input_digest=b"i")
    with database.transaction():
        database.execute(
            "INSERT INTO run_keys (workflow, run_key, run_id, input_digest) VALUES ('flow', 'k', %s, %s)", [first, b"i"]
        )
        answer: list[RunId] = []
        loser = threading.Thread(target=lambda: answer.append(stores.journal.start(run)))
        loser.start()
        loser.join(0.3)
        assert loser.is_alive(), "the loser should wait for the winner"
    loser.join(30)
    assert answer == [first]


def test_a_key_counts_for_as_long_as_its_run_is_there(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    first = stores.journal.start(world.new_run(key="k", input_digest=b"1"))
    database.execute("UPDATE run_keys SET expires_at = now_() - interval '1 second'")
    assert stores.journal.start(world.new_run(key="k", input_digest=b"1")) == first
    with pytest.raises(InputError, match="has already started run"):
        stores.journal.start(world.new_run(key="k", input_digest=b"2"))


def test_a_start_sent_twice_is_recorded_once(stores: Stores, world: World) -> None:
    run = world.new_run("a/1")
    keyed = world.new_run("a/1", key="k", input_digest=b"i")
    for one in (run, run, keyed, keyed):
        assert stores.journal.start(one) == one.id
    assert len(stores.runs.page()) == 2
    assert len(stores.runs.tickets(run.id)) == 1
    with pytest.raises(HostError, match="another run has the id"):
        stores.journal.start(replace(run, head=world.head()))


def test_an_answer_that_is_lost_after_the_commit_is_found_by_its_head(
    server: Server, url: str, stores: Stores, world: World
) -> None:
    claim = world.held("a/1")
    commit = world.commit(claim, then=GoOn(activation=ActivationId("b/1")))
    with lossy_proxy(server.socket) as proxy, open_stores(url.replace(str(server.folder), str(proxy.folder))) as behind:
        journal = behind.stores.journal
        journal.step(replace(commit, head=world.head()))  # refused; from now on the statement is prepared
        proxy.lose_the_next_answer()
        with pytest.raises(StoreUnavailable, match="does not answer any more"):
            journal.step(commit)
        look = journal.look(claim.run, claim.holding, 1)
        assert [entry.head for entry in look.tail] == [commit.new_head]
        assert look.claim == gone_on(claim, "b/1")
        assert not journal.step(commit), "what was written must not be written again"
    assert world.row(claim.run).revision == 2


def test_rows_that_came_before_a_commit_that_failed_are_not_believed(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    claim = world.held("a/1")
    database.execute(
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'not at the last moment'; END $$;
        CREATE CONSTRAINT TRIGGER last AFTER INSERT ON journal DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse()"""
    )
    commit = world.commit(claim, then=GoOn(activation=ActivationId("b/1")))
    with pytest.raises(HostError, match="not at the last moment"):
        stores.journal.step(commit)
    database.execute("DROP TRIGGER last ON journal")
    assert stores.journal.step(commit)


def test_a_step_whose_session_is_cut_is_whole_or_absent(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    lost = 0
    for _ in range(60):
        claim = world.held("a/1")
        commit = world.commit(claim, then=GoOn(activation=ActivationId("b/1")), more=world.tickets("c/1"))

        def cut() -> None:
            database.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'codemation'"""
            )

        def step(commit: Commit = commit) -> bool | None:
            try:
                return stores.journal.step(commit)
            except StoreUnavailable:
                return None

        stood, _ = together(step, after_a_moment(cut, 0.003))
        lost += stood is None
        look = _patiently(lambda claim=claim: stores.journal.look(claim.run, claim.holding, 1))
        landed = [entry.head for entry in look.tail] == [commit.new_head]
        tickets = {ticket.activation for ticket in _patiently(lambda claim=claim: stores.runs.tickets(claim.run))}
        assert tickets == ({"b/1", "c/1"} if landed else {"a/1"})
        assert look.run.revision == 1 + landed
        assert stood in (None, landed)
    assert lost > 0, "no answer was lost, so nothing was tried"


def _patiently(ask: Callable[[], T]) -> T:
    for _ in range(20):
        try:
            return ask()
        except StoreUnavailable:
            continue
    return ask()


def test_a_letter_that_comes_while_its_inbox_is_folded_is_folded_next(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    run = world.start("a/1")
    world.post(run, "first")
    claim = world.claim_fold(run)
    (letter,) = stores.inbox.pending(run)
    world.post(run, "second")
    world.step(claim, consumed=(letter.id,))
    again = world.claim_fold(run)
    assert again.holding.ticket == claim.holding.ticket
    assert [letter.key for letter in stores.inbox.pending(run)] == ["second"]


def test_a_letter_in_flight_while_its_fold_is_written_wakes_it_again(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    run = world.start("a/1")
    world.post(run, "first")
    claim = world.claim_fold(run)
    (letter,) = stores.inbox.pending(run)
    commit = world.commit(claim, consumed=(letter.id,))
    stood: list[bool] = []
    with database.transaction():
        database.execute("INSERT INTO signals (id, run_id, key, body) VALUES (99, %s, 'second', '{}')", [run])
        database.execute("UPDATE tickets SET signal = 99 WHERE kind = 6")
        fold = threading.Thread(target=lambda: stood.append(stores.journal.step(commit)))
        fold.start()
        fold.join(0.3)
        assert fold.is_alive(), "the fold should wait for the lock on its ticket"
    fold.join(30)
    assert stood == [True]
    assert [letter.key for letter in stores.inbox.pending(run)] == ["second"]
    world.claim_fold(run)


def test_letters_against_folds_are_never_forgotten(stores: Stores, world: World) -> None:
    for number in range(60):
        run = world.start("a/1")
        world.post(run, "first")
        claim = world.claim_fold(run)
        letters = stores.inbox.pending(run)
        commit = world.commit(claim, consumed=tuple(letter.id for letter in letters))
        stood, _ = together(
            lambda commit=commit: stores.journal.step(commit),
            after_a_moment(lambda run=run, number=number: world.post(run, f"second {number}"), 0.002),
        )
        assert stood
        world.claim_fold(run)


def test_a_fold_with_nothing_to_answer_is_done_with(stores: Stores, world: World) -> None:
    run = world.start("a/1")
    world.post(run)
    claim = world.claim_fold(run)
    (letter,) = stores.inbox.pending(run)
    world.step(claim, consumed=(letter.id,))
    assert [ticket.activation for ticket in stores.runs.tickets(run)] == ["a/1"]
    world.post(run, "again")
    claim = world.claim_fold(run)
    world.step(claim, then=Leave(activation=ActivationId(""), delay=0.0), consumed=(stores.inbox.pending(run)[0].id,))
    world.step(world.claim_fold(run))
    assert [ticket.activation for ticket in stores.runs.tickets(run)] == ["a/1"]


def test_poison_is_told_to_the_run_in_the_moment_in_which_it_is_taken_away(stores: Stores, world: World) -> None:
    claim = world.held("a/1")
    taken = stores.tickets.take_over([claim.holding.worker], poison_after=1)
    assert taken.poisoned == ((claim.run, "a/1", 1),)
    assert [letter.body for letter in stores.inbox.pending(claim.run)] == [
        '{"kind" : "Lost", "activation" : "a/1", "times" : 1}'
    ]
    fold = world.claim_fold(claim.run)
    assert [ticket.id for ticket in stores.runs.tickets(claim.run)] == [fold.holding.ticket]


def test_several_poisoned_tickets_of_a_run_are_told_by_one_fold(stores: Stores, world: World) -> None:
    run, worker = world.start("a/1", "b/1"), world.worker()
    for _ in range(2):
        world.claim(worker)
    taken = stores.tickets.take_over([worker], poison_after=1)
    assert sorted(name for _, name, _ in taken.poisoned) == ["a/1", "b/1"]
    assert len(stores.inbox.pending(run)) == 2
    world.claim_fold(run)


def test_the_last_who_holds_something_of_a_stopping_run_asks_for_its_end(stores: Stores, world: World) -> None:
    claim = world.held("a/1")
    world.cancel(claim.run)
    fold = world.claim_fold(claim.run)
    assert stores.tickets.postpone(fold.holding, 3600.0)
    assert stores.tickets.stopping(claim.holding.worker) == (claim.run,)
    assert stores.tickets.hand_back([claim.holding]) == 1
    world.step(world.claim_fold(claim.run), status=RunStatus.CANCELLED, reason="stopped", cancelling=True)
    row = world.row(claim.run)
    assert (row.status, row.reason, row.stop) == (RunStatus.CANCELLED, "stopped", False)
    assert stores.runs.tickets(claim.run) == ()


def test_a_fold_ticket_is_never_gone_on_with_as_if_it_were_work(stores: Stores, world: World) -> None:
    run = world.start("a/1")
    world.post(run)
    claim = world.claim_fold(run)
    truth = world.truth(run)
    assert not stores.journal.step(world.commit(claim, then=GoOn(activation=ActivationId("b/1"))))
    assert world.truth(run) == truth


def test_a_run_that_ends_takes_along_what_nobody_is_at_work_on(stores: Stores, world: World) -> None:
    claim = world.held("a/1", "b/1")
    held = world.claim(world.worker())
    world.post(claim.run)
    world.step(claim, status=RunStatus.FAILED, reason='"a" failed', then=Drop())
    assert [ticket.id for ticket in stores.runs.tickets(claim.run)] == [held.holding.ticket]
    assert stores.inbox.pending(claim.run) == ()
    assert not world.post(claim.run, "too late")


def test_whoever_comes_back_after_the_end_of_a_run_asks_for_no_fold(stores: Stores, world: World) -> None:
    """A grace may be over before everybody has come back; what they held goes, and wakes nobody."""
    claims = [world.held("a/1") for _ in range(3)]
    for claim in claims:
        world.cancel(claim.run)
        world.step(world.claim_fold(claim.run), status=RunStatus.CANCELLED, cancelling=True)
    handed, taken, given_up = claims
    assert stores.tickets.hand_back([handed.holding]) == 1
    assert stores.tickets.take_over([taken.holding.worker]).stopped == (taken.run,)
    stores.tickets.take_over([given_up.holding.worker], poison_after=1)
    assert [stores.runs.tickets(claim.run) for claim in claims] == [(), (), ()]
    assert [stores.inbox.pending(claim.run) for claim in claims] == [(), (), ()]

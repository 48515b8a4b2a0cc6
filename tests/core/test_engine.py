"""Start, deliver, fold, cancel and resume, and what a lost answer or a faster process makes of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codemation.core.definition import Definition, Policy
from codemation.core.engine import INLINE_LIMIT
from codemation.core.errors import InputError, RunError, StoreUnavailable, UnknownRun
from codemation.core.ids import MAIN, NodeId, RunId, TicketId
from codemation.core.outcome import Refusal
from codemation.core.ports import Claim, Lane
from codemation.core.signals import Succeeded
from codemation.core.states import RunStatus
from codemation.host.letters import read_letter
from tests.core.engine_world import Database, begun, failed, give, start
from tests.core.simulation.faults import Fault
from tests.core.test_definition import defined, node

CHAIN = defined(node("a", "start"), node("b", "a"))
FORK = defined(node("a", "start"), node("b", "start"), node("c", "a", "b"))


@pytest.fixture
def database() -> Database:
    return Database()


def queued(definition: Definition, name: str, queue: str) -> Definition:
    """The workflow with one node in another queue."""
    nodes = [replace(one, policy=Policy(queue=queue)) if one.id == name else one for one in definition.nodes]
    return replace(definition, nodes=tuple(nodes))


def claimed(database: Database, definition: Definition) -> Claim | None:
    """What another worker may claim now."""
    engine = database.engine()
    return database.stores.tickets.claim(engine.worker, [Lane(queue="default", digest=definition.digest)])


def test_a_chain_is_walked_on_one_ticket_and_told_to_those_who_watch(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    after = give(engine, run, claim).next
    assert after is not None
    assert (after.holding.ticket, after.activation, after.fresh) == (claim.holding.ticket, "b/1", True)
    assert give(engine, run, after).next is None
    assert run.finished
    assert database.stores.runs.tickets(run.id) == ()
    assert run.params == database.stores.journal.load(run.id)[0].params
    kinds = [kind for _, kind in database.events]
    assert kinds == ["run_started", "node_due", "node_succeeded", "node_due", "node_succeeded", "run_succeeded"]


def test_a_run_that_is_not_claimed_may_be_claimed_by_anybody(database: Database) -> None:
    _, outcome = database.engine().start(FORK, start(claim=False))
    assert (outcome.next, len(outcome.ready)) == (None, 2)
    assert claimed(database, FORK) is not None


def test_a_run_with_nothing_to_do_ends_with_its_start(database: Database) -> None:
    run, outcome = database.engine().start(CHAIN, start(input=(b"", 0, "items")))
    assert (run.snapshot.status, outcome.next, outcome.ready) == (RunStatus.SUCCEEDED, None, ())
    assert database.stores.journal.load(run.id)[0].status is RunStatus.SUCCEEDED


@pytest.mark.parametrize("fault", [Fault.ASK_LOST, Fault.ANSWER_LOST])
def test_a_start_whose_answer_is_lost_is_recorded_once(database: Database, fault: Fault) -> None:
    database.faults = {"journal.start": [fault]}
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    assert give(engine, run, claim).next is not None
    assert [row.id for row in database.stores.runs.page()] == [run.id]


def test_one_key_starts_one_run_and_another_input_is_refused(database: Database) -> None:
    engine = database.engine()
    first, _ = begun(engine, CHAIN, key="k")
    again, outcome = engine.start(CHAIN, start(2, key="k"))
    assert (again.id, outcome.next, outcome.ready) == (first.id, None, ())
    with pytest.raises(InputError, match='the key "k" has already started run r1'):
        engine.start(CHAIN, start(3, key="k", params='{"x": 1}'))


def test_a_key_whose_run_was_pruned_starts_nothing_and_says_so(database: Database) -> None:
    engine = database.engine()
    engine.start(replace(CHAIN, retention={"succeeded": 0.0}), start(input=(b"", 0, "items"), key="k"))
    assert database.stores.pruning.prune() == 1
    with pytest.raises(RunError, match='the key "k" has started run r1 already, which was pruned since'):
        engine.start(CHAIN, start(2, input=(b"", 0, "items"), key="k"))
    assert database.stores.runs.page() == ()


def test_the_priority_of_a_run_is_its_own_or_its_workflows(database: Database) -> None:
    engine = database.engine()
    definition = replace(CHAIN, priority=3)
    assert engine.start(definition, start(1))[0].row.priority == 3
    assert engine.start(definition, start(2, priority=0))[0].row.priority == 0


def test_small_outputs_share_the_room_in_the_journal_and_large_ones_are_stored_apart(database: Database) -> None:
    engine = database.engine()
    half = b"h" * (INLINE_LIMIT // 2 + 1)
    batches, inline = engine.store_outputs(
        RunId("r"), {"a": (half, 1, "items"), "b": (half, 2, "table"), "c": (b"", 0, "items")}
    )
    assert inline == half
    assert (batches["a"].ref, batches["b"].ref[:2], batches["b"].kind) == ("", "b:", "table")
    assert engine.store_outputs(RunId("r"), {}) == ({}, None)


def test_what_lies_in_the_journal_is_read_by_its_reference(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    give(engine, run, claim, b"payload")
    batch = run.snapshot.output(NodeId("a"), MAIN)
    assert (batch.ref, database.stores.payloads.get(run.id, batch)) == ("j:2:main", b"payload")


def test_an_activation_of_another_queue_is_left_for_those_who_serve_it(database: Database) -> None:
    definition = queued(CHAIN, "b", "gpu")
    engine = database.engine()
    run, claim = begun(engine, definition)
    outcome = give(engine, run, claim)
    assert (outcome.next, len(outcome.ready)) == (None, 1)
    (row,) = database.stores.runs.tickets(run.id)
    assert (row.activation, row.state) == ("b/1", "ready")
    assert engine.claim(run, row.id) is not None


@pytest.mark.parametrize("fault", [Fault.ASK_LOST, Fault.ANSWER_LOST])
def test_a_step_whose_answer_is_lost_is_recorded_once_and_gone_on_with(database: Database, fault: Fault) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    database.faults = {"journal.step": [fault, Fault.ASK_LOST]}
    after = give(engine, run, claim).next
    assert after is not None
    assert give(engine, run, after).next is None
    assert len(database.stores.journal.load(run.id)[1]) == 3


def test_a_retry_leaves_the_ticket_to_its_time(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    outcome = engine.deliver(run, claim, failed(claim, retry_in=60.0))
    assert outcome.later == (claim.holding.ticket, 60.0)
    assert run.snapshot.status is RunStatus.WAITING
    assert engine.claim(run, claim.holding.ticket) is None


def test_a_result_that_comes_late_is_silence_and_its_claim_is_free_again(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    engine.deliver(run, claim, failed(claim, retry_in=0.0))
    again = engine.claim(run, claim.holding.ticket)
    assert again is not None
    assert engine.deliver(run, again, failed(again, attempt=1)).refusal is Refusal.SILENCE
    (row,) = database.stores.runs.tickets(run.id)
    assert row.state == "ready"


def test_whoever_was_taken_over_is_refused(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    database.stores.workers.bury([engine.worker])
    database.stores.tickets.take_over([engine.worker])
    assert give(engine, run, claim).refusal is Refusal.TAKEN_OVER
    other = database.engine()
    opened = other.open(run.id)
    again = other.claim(opened, claim.holding.ticket)
    assert again is not None
    assert give(other, opened, again).refusal is None


def test_two_processes_on_two_branches_fold_each_others_results(database: Database) -> None:
    one, two = database.engine(), database.engine()
    run, claim = begun(one, FORK)
    opened = two.open(run.id)
    second = two.claim(opened, next(row.id for row in database.stores.runs.tickets(run.id) if row.state == "ready"))
    assert second is not None
    assert give(two, opened, second).next is None
    last = give(one, run, claim).next
    assert last is not None
    assert last.activation == "c/1"


def test_whoever_leaves_a_chain_gives_the_next_activation_to_anybody(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    batches, inline = engine.store_outputs(run.id, {MAIN: (b"x", 1, "items")})
    signal = Succeeded(activation=claim.activation, outputs=batches)
    delivery = engine.delivery(run, claim, signal, inline)
    delivery.leaves = True
    outcome = engine.settle(delivery)
    assert outcome.next is None
    (row,) = database.stores.runs.tickets(run.id)
    assert (row.state, row.activation) == ("ready", "b/1")


def test_a_run_catches_up_with_a_claim_that_was_made_beside_it(database: Database) -> None:
    one, two = database.engine(), database.engine()
    run, claim = begun(one, CHAIN)
    opened = two.open(run.id)
    after = give(one, run, claim).next
    assert after is not None
    assert two.catch_up(opened, after)
    assert not two.catch_up(opened, claim)


def test_an_activation_that_another_process_made_due_is_known_before_it_is_worked_on(database: Database) -> None:
    one, two = database.engine(), database.engine()
    run, claim = begun(one, CHAIN)
    opened = two.open(run.id)
    after = give(one, run, claim).next
    assert after is not None
    database.stores.tickets.hand_back([after.holding])
    found = two.claim(opened, after.holding.ticket)
    assert found is not None
    assert found.activation in opened.snapshot.live
    assert opened.snapshot.reported(NodeId("a"))


def test_a_claim_that_was_taken_over_before_it_could_be_looked_at_is_given_up(database: Database) -> None:
    one, two = database.engine(), database.engine()
    run, claim = begun(one, CHAIN)
    opened = two.open(run.id)
    after = give(one, run, claim).next
    assert after is not None
    database.stores.tickets.hand_back([after.holding])

    def overtaken() -> None:
        database.stores.workers.bury([two.worker])
        database.stores.tickets.take_over([two.worker])
        again = one.claim(run, after.holding.ticket)
        assert again is not None
        give(one, run, again)

    database.faults = {"journal.look": [overtaken]}
    assert two.claim(opened, after.holding.ticket) is None
    assert opened.finished


def test_a_ticket_that_is_not_there_cannot_be_claimed(database: Database) -> None:
    engine = database.engine()
    run, _ = begun(engine, CHAIN)
    assert engine.claim(run, TicketId(99)) is None


def test_a_refresh_finds_what_is_ready_and_frees_what_is_held_unknowingly(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, FORK)
    ready = next(row.id for row in database.stores.runs.tickets(run.id) if row.state == "ready")
    database.faults = {"tickets.claim": [Fault.ANSWER_LOST]}
    assert engine.claim(run, ready) is None
    assert engine.refresh(run, [claim.holding.ticket]).ready == (ready,)
    assert engine.claim(run, ready) is not None


def test_a_refresh_counts_on_nothing_that_has_gone_meanwhile(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    gone = [None, lambda: database.stores.tickets.hand_back([claim.holding])]
    database.faults = {"journal.look": gone}  # type: ignore[dict-item]
    assert engine.refresh(run).ready == ()


def test_a_cancel_ends_a_run_when_nobody_works_on_it_any_more(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, FORK)
    assert engine.cancel(run.id, who="me", reason="enough") is RunStatus.RUNNING
    assert engine.cancel(run.id) is RunStatus.RUNNING
    fold = database.stores.tickets.claim(engine.worker, [])
    assert fold is not None
    assert engine.fold_inbox(fold, read_letter) is None  # somebody is still at work, so it waits
    assert give(engine, run, claim).refusal is Refusal.STOPPING
    fold = database.stores.tickets.claim(engine.worker, [])
    assert fold is not None
    ended = engine.fold_inbox(fold, read_letter)
    assert ended is not None
    assert (ended.snapshot.status, ended.snapshot.reason) == (RunStatus.CANCELLED, "enough")
    assert database.stores.runs.tickets(run.id) == ()
    assert engine.cancel(run.id) is RunStatus.CANCELLED
    assert give(engine, run, claim).refusal is not None


def test_a_cancel_that_meets_a_faster_step_is_asked_again(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, CHAIN)
    database.faults = {"journal.cancel": [lambda: give(engine, run, claim), Fault.ANSWER_LOST]}
    assert database.engine().cancel(run.id) is RunStatus.RUNNING
    row, entries = database.stores.journal.load(run.id)
    assert (row.stop, len(entries)) == (True, 3)


def test_a_fold_that_a_cancel_overtakes_is_given_up(database: Database) -> None:
    engine = database.engine()
    run, _ = begun(engine, CHAIN)
    database.stores.inbox.post(run.id, "k", '{"kind": "Lost", "activation": "x/1", "times": 3}', TicketId(77))
    fold = database.stores.tickets.claim(engine.worker, [])
    assert fold is not None
    database.faults = {"journal.step": [lambda: database.engine().cancel(run.id)]}
    assert engine.fold_inbox(fold, read_letter) is None


def test_letters_that_have_nothing_to_say_any_more_are_folded_without_a_trace(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, FORK)
    letters = [("x/1", "k1"), ("b/1", "k2"), ("b/1", "k3")]
    for activation, key in letters:
        body = f'{{"kind": "Lost", "activation": "{activation}", "times": 3}}'
        database.stores.inbox.post(run.id, key, body, TicketId(77))
    fold = database.stores.tickets.claim(engine.worker, [])
    assert fold is not None
    folded = engine.fold_inbox(fold, read_letter)
    assert folded is not None
    assert [record.status for record in folded.snapshot.nodes.values()] == ["succeeded", "due", "failed"]
    assert database.stores.inbox.pending(run.id) == ()
    assert give(engine, run, claim).refusal is None
    assert run.snapshot.reason == '"b" failed'


def test_a_database_that_goes_away_in_a_fold_is_waited_for_and_then_given_up(database: Database) -> None:
    engine = database.engine()
    run, _ = begun(engine, CHAIN)
    database.stores.inbox.post(run.id, "k", '{"kind": "Lost", "activation": "x/1", "times": 3}', TicketId(77))
    fold = database.stores.tickets.claim(engine.worker, [])
    assert fold is not None
    database.faults = {"inbox.pending": [Fault.ASK_LOST] * 6}
    with pytest.raises(StoreUnavailable):
        engine.fold_inbox(fold, read_letter)
    assert database.waits[-6:] == [1, 2, 3, 4, 5, 6]


def broken(database: Database) -> RunId:
    """A run that has failed."""
    engine = database.engine()
    run, claim = begun(engine, FORK)
    engine.deliver(run, claim, failed(claim))
    other = engine.claim(run, next(row.id for row in database.stores.runs.tickets(run.id)))
    assert other is not None
    engine.deliver(run, other, failed(other))
    assert run.snapshot.status is RunStatus.FAILED
    return run.id


@pytest.mark.parametrize("fault", [None, Fault.ASK_LOST, Fault.ANSWER_LOST])
def test_a_resume_holds_its_first_activation_whatever_is_lost(database: Database, fault: Fault | None) -> None:
    run = broken(database)
    engine = database.engine()
    opened = engine.open(run)
    database.faults = {"journal.reopen": [fault] if fault else []}
    outcome = engine.resume(opened, who="me")
    assert outcome.next is not None
    assert len(outcome.ready) == 1
    assert give(engine, opened, outcome.next).refusal is None


def test_a_resume_whose_answer_is_lost_stands_though_others_have_gone_on(database: Database) -> None:
    run = broken(database)
    engine, other = database.engine(), database.engine()

    def gone_on() -> None:
        opened = other.open(run)
        claim = other.claim(opened, next(row.id for row in database.stores.runs.tickets(run) if row.state == "ready"))
        assert claim is not None
        give(other, opened, claim)

    database.faults = {"journal.reopen": [Fault.ANSWER_LOST, gone_on]}
    opened = engine.open(run)
    outcome = engine.resume(opened)
    assert outcome.next is not None
    last = give(engine, opened, outcome.next).next
    assert last is not None
    assert last.activation == "c/1"


def test_a_run_is_resumed_once_and_only_when_it_is_over(database: Database) -> None:
    run = broken(database)
    one, two = database.engine(), database.engine()
    first, second = one.open(run), two.open(run)
    one.resume(first)
    with pytest.raises(RunError, match="run r1 has changed meanwhile"):
        two.resume(second)
    with pytest.raises(RunError, match="is running, so there is nothing to resume"):
        one.resume(first)


def test_a_run_that_moves_to_another_definition_takes_its_watchers_along(database: Database) -> None:
    run = broken(database)
    one, two = database.engine(), database.engine()
    watching = two.open(run)
    after = defined(node("a", "start"), node("b", "start"), node("new", "a", "b"))
    opened = one.open(run)
    outcome = one.resume(opened, definition=after)
    assert outcome.next is not None
    assert (opened.definition, database.stores.journal.load(run)[0].digest) == (after, after.digest)
    two.refresh(watching)
    assert watching.definition.digest == after.digest
    assert two.open(run).definition.digest == after.digest
    assert watching.snapshot == two.open(run).snapshot
    again = two.open(run)
    assert again.snapshot.plan.nodes.keys() == after.plan.nodes.keys()


def test_an_unknown_run_is_named(database: Database) -> None:
    with pytest.raises(UnknownRun, match="no run r9"):
        database.engine().open(RunId("r9"))

"""So many runs at a time: what is written, how runs count together, and what the engine makes of a turnstile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import codemation as cm
from codemation.core.concurrency import Turnstile, turnstile
from codemation.core.definition import Definition
from codemation.core.errors import InputError, RunInTheWay
from codemation.core.expression import Computed
from codemation.core.ids import TicketId
from codemation.core.keys import LONGEST, key_of
from codemation.core.limits import Limits
from codemation.core.params import ParamRef
from codemation.core.signals import Stopped
from codemation.core.states import RunStatus
from codemation.host.letters import read_letter
from codemation.testing.conformance.world import states
from tests.core.engine_world import Database, begun, failed, give, start
from tests.core.test_definition import defined, node

ONE = Turnstile(name="flow", runs=1)
FREE = defined(node("a", "start"))
LIMITED = replace(FREE, concurrency={"runs": 1, "when_full": "queue"})


class Params(cm.Params):
    tenant: str = "eu"
    parts: tuple[int, ...] = (1,)


class Others(cm.Params):
    tenant: str = "eu"


def built(concurrency: Any, **options: Any) -> cm.Workflow[Any, ...]:
    return cm.workflow("flow", concurrency=concurrency, **options).map(lambda item: item, id="same").build()


@pytest.fixture
def database() -> Database:
    return Database()


def test_it_is_part_of_the_definition_and_of_its_digest() -> None:
    plain, limited = built(None), built(cm.Concurrency(2, "skip"))
    assert limited.definition.concurrency == {"runs": 2, "when_full": "skip"}
    assert plain.definition.concurrency == {}
    assert plain.definition.graph_digest != limited.definition.graph_digest
    assert Definition.from_json(limited.definition.to_json()) == limited.definition
    by_tenant = built(cm.Concurrency(key=Params.tenant), params=Params)
    assert by_tenant.definition.concurrency == {"runs": 1, "when_full": "queue", "key": "Params.tenant"}


@pytest.mark.parametrize(
    ("concurrency", "options", "said"),
    [
        (3, {}, "concurrency=3 says nothing"),
        (cm.Concurrency(key="tenant"), {}, "key='tenant' is nothing that runs could count by"),
        (cm.Concurrency(key=Params.tenant), {}, "key=Params.tenant is no param of the workflow"),
        (cm.Concurrency(key=Params.tenant), {"params": Others}, "key=Params.tenant is no param of the workflow"),
        (cm.Concurrency(key=cm.expr(lambda: 1)), {}, "for key= of concurrency takes no item"),
    ],
)
def test_what_is_wrong_with_it_is_said_at_build(concurrency: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(cm.AuthorError) as refused:
        built(concurrency, **options)
    assert said in str(refused.value)


def test_what_is_none_is_said_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="runs=0 is no number of runs"):
        cm.Concurrency(0)
    with pytest.raises(ValueError, match="when_full='wait' is none of"):
        cm.Concurrency(1, "wait")  # type: ignore[arg-type]


def test_a_key_is_read_once_and_asked_when_a_run_starts() -> None:
    def of(item: dict[str, Any], params: Params) -> Any:
        return item.get("customer", params.tenant)

    by_param, by_item = built(cm.Concurrency(key=Params.parts), params=Params), built(None)
    assert isinstance(by_param.key, ParamRef)
    assert by_item.key is None
    assert key_of("flow", by_param.key, Params(parts=(1, 2)), ()) == "[1, 2]"
    by_item = built(cm.Concurrency(key=cm.expr(of)), params=Params)
    assert isinstance(by_item.key, Computed)
    assert key_of("flow", by_item.key, Params(), [{"customer": 7}, {"customer": 7}]) == "7"
    assert key_of("flow", by_item.key, Params(), [{}]) == "eu"
    assert key_of("flow", by_item.key, Params(), [{"customer": "x" * LONGEST}]) == "x" * LONGEST
    for long in ("x" * (LONGEST + 1), "a\0", "a\nb"):
        assert len(key_of("flow", by_item.key, Params(), [{"customer": long}])) == 64
    with pytest.raises(InputError, match="these items have 4: 0, 1, 2, …"):
        key_of("flow", by_item.key, Params(), [{"customer": number} for number in range(4)])
    with pytest.raises(InputError, match="these items have 0\n"):
        key_of("flow", by_item.key, Params(), [])


def test_a_turnstile_is_named_by_the_workflow_and_the_key() -> None:
    said = {"runs": 2, "when_full": "skip"}
    assert turnstile("flow", {}) is None
    assert turnstile("flow", said) == Turnstile(name="flow", runs=2, refuses=True)
    assert turnstile("flow", {**said, "when_full": "queue"}, "eu") == Turnstile(name="flow/eu", runs=2)


def test_a_run_with_a_place_is_claimed_like_any_other(database: Database) -> None:
    engine = database.engine()
    run, outcome = engine.start(LIMITED, start(turnstile=ONE))
    assert (outcome.next, len(outcome.ready), run.queued, run.turnstile) == (None, 1, False, "flow")
    claim = engine.claim(run, outcome.ready[0])
    assert claim is not None
    give(engine, run, claim)
    assert (run.snapshot.status, engine.stores.turnstiles.at("flow")) == (RunStatus.SUCCEEDED, ())


def test_a_queued_run_has_nothing_to_do_until_it_is_let_in(database: Database) -> None:
    engine = database.engine()
    first, outcome = engine.start(LIMITED, start(turnstile=ONE))
    second, nothing = engine.start(LIMITED, start(2, turnstile=ONE))
    assert (second.queued, nothing.next, nothing.ready) == (True, None, ())
    claim = engine.claim(first, outcome.ready[0])
    assert claim is not None
    give(engine, first, claim)
    (ticket,) = engine.stores.runs.tickets(second.id)
    assert second.queued
    assert engine.claim(second, ticket.id) is not None
    assert not second.queued


def test_neither_a_session_nor_a_run_that_is_over_at_once_needs_a_place(database: Database) -> None:
    engine = database.engine()
    engine.start(LIMITED, start(turnstile=ONE))
    session, _ = engine.start(LIMITED, start(2, turnstile=ONE, session=True))
    assert session.turnstile is None
    over, _ = engine.start(LIMITED, start(3, turnstile=ONE, input=(b"", 0, "items")))
    assert (over.finished, over.turnstile) == (True, None)


def test_a_refusal_reaches_whoever_starts(database: Database) -> None:
    engine = database.engine()
    engine.start(LIMITED, start(turnstile=ONE))
    with pytest.raises(RunInTheWay, match="run r1"):
        engine.start(LIMITED, start(2, turnstile=replace(ONE, refuses=True)))


def test_a_queued_run_that_is_asked_to_stop_is_cancelled(database: Database) -> None:
    engine = database.engine()
    engine.start(LIMITED, start(turnstile=ONE))
    second, _ = engine.start(LIMITED, start(2, turnstile=ONE))
    engine.cancel(second.id)
    fold = engine.stores.tickets.claim(engine.worker, [])
    assert fold is not None
    engine.fold_inbox(fold, read_letter)
    assert engine.open(second.id).snapshot.status is RunStatus.CANCELLED
    assert not engine.open(second.id).queued


def test_a_letter_in_a_queued_run_is_folded_and_lets_nobody_in(database: Database) -> None:
    engine = database.engine()
    engine.start(LIMITED, start(turnstile=ONE))
    second, _ = engine.start(LIMITED, start(2, turnstile=ONE))
    engine.stores.inbox.post(second.id, "k", "{}", TicketId(999))
    fold = engine.stores.tickets.claim(engine.worker, [])
    assert fold is not None
    engine.fold_inbox(fold, lambda _: Stopped())
    assert engine.open(second.id).queued
    assert set(states(engine.stores.runs.tickets(second.id)).values()) == {"waiting"}


def test_a_resumed_run_needs_a_place_again(database: Database) -> None:
    engine = database.engine()
    run, outcome = engine.start(LIMITED, start(turnstile=ONE, limits=Limits()))
    claim = engine.claim(run, outcome.ready[0])
    assert claim is not None
    engine.deliver(run, claim, failed(claim))
    second, _ = engine.start(LIMITED, start(2, turnstile=ONE))
    assert engine.resume(run).ready == ()
    assert (run.queued, second.queued) == (True, False)
    other, held = begun(engine, FREE, id="r9")
    engine.deliver(other, held, failed(held))
    assert engine.resume(other).next is not None
    assert other.turnstile is None


def test_a_run_whose_definition_has_no_limit_any_more_goes_on_without_a_place(database: Database) -> None:
    engine = database.engine()
    run, outcome = engine.start(LIMITED, start(turnstile=ONE))
    claim = engine.claim(run, outcome.ready[0])
    assert claim is not None
    engine.deliver(run, claim, failed(claim))
    assert engine.resume(run, definition=FREE).next is not None


def test_the_time_of_a_run_begins_with_its_start_queued_or_not(database: Database) -> None:
    engine = database.engine()
    timed = replace(LIMITED, timeout=5.0)
    engine.start(timed, start(turnstile=ONE))
    second, _ = engine.start(timed, start(2, turnstile=ONE))
    rows = {row.kind: row for row in engine.stores.runs.tickets(second.id)}
    assert (rows["work"].due_at, rows["timer"].due_at is None) == (None, False)

"""A workflow that is started when a run of another one fails: what it may be, and what is noted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import codemation as cm
from codemation.core.ids import WorkflowId
from codemation.core.ports import FollowUp
from codemation.host.letters import read_letter
from tests.core.engine_world import Database, begun, failed, give
from tests.core.test_definition import defined, node

ALERT = WorkflowId("alert")
FOLLOWED = replace(defined(node("a", "start"), node("b", "start")), on_failure=ALERT)


def tell(failed: cm.FailedRun) -> str:
    return failed.run


class Wanted(cm.Params):
    channel: str


class Unwanted(cm.Params):
    channel: str = "mail"


def built(id: str, **options: Any) -> cm.Workflow[Any, ...]:
    return cm.workflow(id, **{"input": cm.FailedRun, **options}).map(tell, id="tell").build()


alert = built("shop.alert")


def test_it_is_part_of_the_definition_and_of_its_digest() -> None:
    plain, followed = built("shop.sync"), built("shop.sync", on_failure=alert)
    assert (followed.definition.on_failure, followed.on_failure) == ("shop.alert", alert)
    assert (plain.definition.on_failure, plain.on_failure) == ("", None)
    assert plain.digest != followed.digest
    assert built("shop.sync", on_failure=built("shop.any", input=None)).definition.on_failure == "shop.any"
    assert built("shop.sync", on_failure=built("shop.any", params=Unwanted)).definition.on_failure == "shop.any"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("shop.alert", "on_failure='shop.alert' is no workflow"),
        (cm.workflow("shop.ints", input=int).map(lambda one: one, id="same").build(), "works on items of int"),
        (built("shop.sync"), 'would start "shop.sync" again when it fails'),
        (built("shop.late", on_failure=built("shop.sync")), 'would start "shop.sync" again when it fails'),
        (built("shop.wants", params=Wanted), "has params that nobody gives it: channel"),
    ],
)
def test_what_is_no_error_workflow_is_said_at_build(given: Any, said: str) -> None:
    with pytest.raises(cm.AuthorError) as refused:
        built("shop.sync", on_failure=given)
    assert said in str(refused.value)


def test_the_failure_of_a_run_is_noted_once_with_the_revision_that_made_it_fail() -> None:
    database = Database()
    engine = database.engine()
    run, claim = begun(engine, FOLLOWED)
    other = engine.claim(run, engine.refresh(run, [claim.holding.ticket]).ready[0])
    assert other is not None
    engine.deliver(run, claim, failed(claim))
    assert database.stores.follow_ups.due([ALERT]) == ()
    engine.deliver(run, other, failed(other))
    noted = FollowUp(run=run.id, revision=run.snapshot.revision, workflow=ALERT)
    assert database.stores.follow_ups.due([ALERT]) == (noted,)
    database.stores.follow_ups.done(noted)
    assert database.stores.follow_ups.due([ALERT]) == ()


def test_neither_success_nor_cancel_nor_a_session_is_followed() -> None:
    database = Database()
    engine = database.engine()
    single = replace(FOLLOWED, nodes=FOLLOWED.nodes[:2], outputs={})
    run, claim = begun(engine, single)
    give(engine, run, claim)
    assert run.finished
    run, claim = begun(engine, single, id="r2", session=True)
    engine.deliver(run, claim, failed(claim))
    assert run.finished
    run, claim = begun(engine, single, id="r3")
    engine.cancel(run.id)
    engine.stores.tickets.hand_back([claim.holding])
    fold = engine.stores.tickets.claim(engine.worker, [])
    assert fold is not None
    engine.fold_inbox(fold, read_letter)
    assert engine.open(run.id).finished
    assert database.stores.follow_ups.due([ALERT]) == ()

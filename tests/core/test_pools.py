"""What needs a slot of a pool is never held from the start nor gone on with, but claimed by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codemation.core.definition import Definition, Policy
from codemation.core.engine import Engine
from codemation.core.opening import OpenRun
from codemation.core.ports import Claim
from codemation.core.states import RunStatus
from tests.core.engine_world import Database, begun, failed, give, start
from tests.core.test_definition import defined, node


def pooled(definition: Definition, *names: str) -> Definition:
    """The workflow with some of its nodes in a pool."""
    nodes = [replace(one, policy=Policy(pool="gpu")) if one.id in names else one for one in definition.nodes]
    return replace(definition, nodes=tuple(nodes))


CHAIN = defined(node("a", "start"), node("b", "a"))


@pytest.fixture
def database() -> Database:
    database = Database()
    database.stores.pools.declare({"gpu": 1})
    return database


def held(engine: Engine, run: OpenRun) -> Claim:
    (ticket,) = engine.refresh(run).ready
    claim = engine.claim(run, ticket)
    assert claim is not None
    return claim


def test_a_first_node_is_claimed_when_a_slot_is_free(database: Database) -> None:
    engine = database.engine()
    run, outcome = engine.start(pooled(CHAIN, "a"), start())
    other, waits = engine.start(pooled(CHAIN, "a"), start(2))
    assert (outcome.next, waits.next) == (None, None)
    claim = engine.claim(run, outcome.ready[0])
    assert claim is not None
    assert engine.claim(other, waits.ready[0]) is None
    after = give(engine, run, claim)
    assert (after.next, len(after.ready)) == (None, 1)
    assert engine.claim(other, waits.ready[0]) is not None
    give(engine, run, held(engine, run))
    assert run.snapshot.status is RunStatus.SUCCEEDED


def test_a_later_node_is_left_for_whoever_gets_the_slot(database: Database) -> None:
    engine = database.engine()
    run, claim = begun(engine, pooled(CHAIN, "b"))
    after = give(engine, run, claim)
    assert (after.next, len(after.ready)) == (None, 1)
    assert database.stores.pools.all() == {"gpu": (0, 1)}
    claim = held(engine, run)
    assert database.stores.pools.all() == {"gpu": (1, 1)}
    give(engine, run, claim)
    assert database.stores.pools.all() == {"gpu": (0, 1)}


def test_a_resumed_node_is_claimed_when_a_slot_is_free(database: Database) -> None:
    engine = database.engine()
    run, _ = engine.start(pooled(CHAIN, "a", "b"), start())
    claim = held(engine, run)
    engine.deliver(run, claim, failed(claim))
    outcome = engine.resume(run)
    assert (outcome.next, len(outcome.ready)) == (None, 1)
    assert engine.claim(run, outcome.ready[0]) is not None

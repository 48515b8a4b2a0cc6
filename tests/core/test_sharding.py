"""Cut an activation into parts, give it up for them, and record how they end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import codemation as cm
from codemation.core import sharding
from codemation.core.definition import Definition, Policy
from codemation.core.ids import NodeId
from codemation.core.items import Attachment
from codemation.core.outcome import Refusal
from codemation.core.payload import StoredItems, decode_items, encode_items
from codemation.core.ports import Claim, Lane
from codemation.core.sharding import Part, ShardAgain, ShardEnded, Split, is_sharded, parts
from codemation.core.signals import ErrorInfo
from tests.core.engine_world import Database, begun, give
from tests.core.test_definition import defined, node

ONE = defined(node("a", "start"))


@given(st.integers(0, 60), st.integers(0, 9), st.integers(0, 9))
def test_parts_have_every_position_once_and_in_order(count: int, shards: int, size: int) -> None:
    policy = Policy(shards=shards, shard_size=0 if shards else size)
    found = parts(range(count), policy)
    assert [at for part in found for at in range(part.start, part.stop)] == list(range(count if found else 0))
    lengths = [part.stop - part.start for part in found]
    if found and shards:
        assert (len(found), max(lengths) - min(lengths) <= 1) == (min(shards, count), True)
    if found and not shards:
        assert set(lengths[:-1]) == {size}


def test_only_what_is_left_is_cut() -> None:
    assert parts([0, 3, 4, 9], Policy(shards=2)) == (Part(start=0, stop=4), Part(start=4, stop=10))
    assert parts([7], Policy(shards=2)) == ()


def test_there_are_never_too_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "MOST", 3)
    assert [part.stop for part in parts(range(9), Policy(shard_size=1))] == [3, 6, 9]
    assert [part.stop for part in parts(range(9), Policy(shards=8))] == [3, 6, 9]


def shard(database: Database, definition: Definition = ONE) -> Claim:
    """A claim of what is ready, by a worker of its own."""
    lane = Lane(queue="default", digest=definition.digest)
    claim = database.stores.tickets.claim(database.engine().worker, [lane])
    assert claim is not None
    return claim


def test_a_split_activation_is_joined_by_whoever_ends_the_last_part() -> None:
    database = Database()
    engine = database.engine()
    run, claim = begun(engine, ONE)
    outcome = engine.settle_shards(claim, Split(parts=(Part(start=0, stop=1), Part(start=1, stop=3))))
    assert (len(outcome.ready), outcome.next, outcome.refusal) == (2, None, None)
    assert engine.refresh(run).ready == outcome.ready
    first, second = shard(database), shard(database)
    assert engine.settle_shards(first, ShardEnded(items=(0,), data=b"x")).next is None
    join = engine.settle_shards(second, ShardEnded(number=2, error=ErrorInfo(type="E", message="no"))).next
    assert join is not None
    assert join.joins
    chunks = database.stores.tickets.progress(join.holding.ticket, join.activation)
    told = [(chunk.shard, chunk.number & 0xFF, chunk.error is None) for chunk in chunks]
    assert told == [(0, 0, True), (1, 2, False)]
    assert give(engine, run, join).refusal is None
    assert run.finished


def test_a_shard_and_its_claim_say_what_part_they_are() -> None:
    database = Database()
    engine = database.engine()
    _, claim = begun(engine, ONE)
    assert claim.part == 0
    engine.settle_shards(claim, Split(parts=(Part(start=0, stop=1), Part(start=1, stop=2))))
    second = [shard(database), shard(database)][1]
    assert second.shard is not None
    assert (second.part, second.shard.number) == (1, 1)
    chunk = second.shard.given_up(3)
    assert (chunk.shard, chunk.number in second.shard.chunks, chunk.items) == (1, True, ())
    assert chunk.error is not None
    assert chunk.error["message"].startswith("shard 2 of 2: the process that worked on it died 3 times")
    assert [is_sharded(Policy(shards=2)), is_sharded(Policy(shard_size=1)), is_sharded(Policy())] == [True, True, False]


def test_a_part_that_waits_is_told_with_its_delay() -> None:
    database = Database()
    engine = database.engine()
    _, claim = begun(engine, ONE)
    engine.settle_shards(claim, Split(parts=(Part(start=0, stop=1), Part(start=1, stop=2))))
    first = shard(database)
    assert engine.settle_shards(first, ShardAgain(attempt=2, retry_in=5.0)).later == (first.holding.ticket, 5.0)


@pytest.mark.parametrize("ending", [Split(parts=()), ShardEnded(), ShardAgain(attempt=2, retry_in=1.0)])
def test_what_is_not_held_any_more_is_refused(ending: Any) -> None:
    database = Database()
    engine = database.engine()
    _, claim = begun(engine, ONE)
    late = replace(claim, holding=replace(claim.holding, fence=9))
    assert engine.settle_shards(late, ending).refusal is Refusal.TAKEN_OVER


def test_a_part_of_items_keeps_their_places_and_files() -> None:
    file = Attachment(blob="b", size=1, sha256="s")
    whole = StoredItems(values=["a", "b", "c"], scope=NodeId("n"), attachments={0: {"f": file}, 2: {"f": file}})
    part = decode_items(encode_items(whole.part(1, 3)))
    assert (list(part.values), [part.origin(0), part.origin(1)]) == (["b", "c"], [(1,), (2,)])
    assert list(part.attachments) == [1]


@cm.node(shards=2)
def twice(n: int) -> int:
    """A node in parts."""
    return 2 * n


def test_the_plan_knows_the_parts_and_other_definitions_keep_their_names() -> None:
    definition = cm.workflow("w", input=int).then(twice).build().definition
    assert definition.nodes[-1].policy.shards == 2
    assert Definition.from_json(definition.to_json()) == definition
    plain = cm.workflow("w", input=int).then(twice.options(shards=1)).build().definition
    assert plain.digest != definition.digest
    assert (
        "shards" not in str(defined(node("a", "start")).to_json()) or ONE.digest == defined(node("a", "start")).digest
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shards": 2, "shard_size": 3}, '"work" has both shards= and shard_size='),
        ({"shards": 0}, 'shards=0 of "work" is no shards'),
        ({"shard_size": -1}, 'shard_size=-1 of "work" is no shard_size'),
        ({"shards": True}, 'shards=True of "work" is no shards'),
    ],
)
def test_numbers_of_parts_that_make_no_sense_are_mistakes(options: Any, said: str) -> None:
    @cm.node(**options)
    def work(n: int) -> int:
        return n

    with pytest.raises(cm.AuthorError) as caught:
        cm.workflow("w", input=int).then(work).build()
    assert said in str(caught.value)
    assert "test_sharding.py:" in str(caught.value)


def test_what_has_no_parts_cannot_be_split() -> None:
    @cm.node(shards=2)
    def source() -> int:
        return 1

    @cm.node(shards=2)
    def total(ns: list[int]) -> int:
        return sum(ns)

    with pytest.raises(cm.AuthorError) as caught:
        cm.workflow("w", input=int, defaults={"shards": 2}).then(source).aggregate(total).build()
    told = str(caught.value)
    assert '"source" takes no data, so there is nothing that shards could have parts of' in told
    assert '"total" makes one item from all, so it cannot work on parts of them' in told
    assert "defaults= has 'shards', which only one node can have" in told

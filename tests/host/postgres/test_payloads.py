"""Payloads: wherever their size puts them, they come back as they were stored, or with an error that says so."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from codemation.core.errors import PayloadLost
from codemation.core.facts import Began, Done, Due, encode_delta
from codemation.core.ids import ActivationId
from codemation.core.items import EMPTY, Batch
from codemation.core.ports import GoOn, Stores
from codemation.host.postgres.link import Row
from codemation.host.postgres.payloads import INLINE_LIMIT
from codemation.testing.conformance.world import World

SIZES = {"empty": 0, "small": 10, "a row's limit": INLINE_LIMIT, "one more": INLINE_LIMIT + 1, "large": 3_000_001}


def some(size: int) -> bytes:
    return bytes(range(256)) * (size // 256) + b"x" * (size % 256)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_a_batch_comes_back_as_it_was_stored(stores: Stores, world: World, size: int) -> None:
    batch = stores.payloads.put(world.start("a/1"), some(size), 7, "table")
    assert (batch.count, batch.kind, batch.size) == (7, "table", size)
    assert stores.payloads.get(world.run_id(), batch) == some(size)


def test_a_large_batch_is_a_blob_and_the_same_content_is_kept_once(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    run = world.start("a/1")
    first, second = (stores.payloads.put(run, some(2_000_000), 1, "items") for _ in range(2))
    assert first.ref != second.ref
    assert database.execute("SELECT count(*), sum(bytes), bool_or(attached) FROM blobs").fetchone() == (
        1,
        2_000_000,
        False,
    )
    assert stores.payloads.get(run, first) == stores.payloads.get(run, second)


def test_what_lies_in_the_journal_is_found_by_revision_and_port(stores: Stores, world: World) -> None:
    began = Batch(ref="", count=2, size=5)
    claim = world.held("a/1", delta=encode_delta((Began(input=began),)), output=b"input")
    stored = stores.payloads.put(claim.run, b"elsewhere", 1, "items")
    outputs = {
        "yes": Batch(ref="", count=1, size=3),
        "none": EMPTY,
        "away": stored,
        "a port: with colons": Batch(ref="", count=1, size=2),
        "no": Batch(ref="", count=1, kind="table", size=4),
    }
    done = Done(activation=ActivationId("a/1"), outputs=outputs)
    world.step(
        claim,
        then=GoOn(activation=ActivationId("b/1")),
        delta=encode_delta((done, Due(activations=(ActivationId("b/1"),)))),
        output=b"yes--no--"[:3] + b"::" + b"nope",
    )

    def read(port: str, revision: int = 2, size: int | None = None) -> bytes:
        batch = began if revision == 1 else outputs[port]
        return stores.payloads.get(
            claim.run, replace(batch, ref=f"j:{revision}:{port}", size=batch.size if size is None else size)
        )

    assert read("main", 1) == b"input"
    assert (read("yes"), read("a port: with colons"), read("no")) == (b"yes", b"::", b"nope")
    assert stores.payloads.get(claim.run, stored) == b"elsewhere"
    assert stores.payloads.get(claim.run, EMPTY) == b""
    for ref, size in (
        ("j:2:never", 3),
        ("j:9:yes", 3),
        ("j:2:yes", 4),
        ("j:x:yes", 3),
        ("b:what", 3),
        ("q:1", 1),
        ("", 3),
    ):
        with pytest.raises(PayloadLost, match="of run"):
            stores.payloads.get(claim.run, Batch(ref=ref, count=1, size=size))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE batches SET inline = 'other bytes'",
        "UPDATE batches SET inline = set_byte(inline, 0, 1)",
        "DELETE FROM batches",
    ],
)
def test_a_damaged_row_is_lost_and_never_given_out(
    stores: Stores, world: World, database: psycopg.Connection[Row], damage: str
) -> None:
    run = world.start("a/1")
    batch = stores.payloads.put(run, b"some bytes", 1, "items")
    database.execute(damage.encode())
    with pytest.raises(PayloadLost, match=f"the payload {batch.ref} of run {run}"):
        stores.payloads.get(run, batch)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE blob_chunks SET data = set_byte(data, 5, 0) WHERE n = 1",
        "DELETE FROM blob_chunks WHERE n = 1",
        "DELETE FROM blob_chunks",
    ],
)
def test_a_damaged_blob_is_lost_and_never_given_out(
    stores: Stores, world: World, database: psycopg.Connection[Row], damage: str
) -> None:
    run = world.start("a/1")
    batch = stores.payloads.put(run, some(2_000_000), 1, "items")
    database.execute(damage.encode())
    with pytest.raises(PayloadLost):
        stores.payloads.get(run, batch)


def test_a_damaged_journal_is_lost_and_never_given_out(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    batch = Batch(ref="", count=1, size=5)
    run = world.start("a/1", delta=encode_delta((Began(input=batch),)), output=b"input")
    found = replace(batch, ref="j:1:main")
    assert stores.payloads.get(run, found) == b"input"
    database.execute("UPDATE journal SET output = 'shor'")
    with pytest.raises(PayloadLost, match="not what was stored"):
        stores.payloads.get(run, found)
    database.execute("UPDATE journal SET output = NULL")
    with pytest.raises(PayloadLost, match="not what was stored"):
        stores.payloads.get(run, found)

"""The contract of payloads."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from codemation.core.errors import PayloadLost
from codemation.core.facts import Began, Done, Due, encode_delta
from codemation.core.ids import ActivationId
from codemation.core.items import EMPTY, Batch
from codemation.core.ports import GoOn, Stores
from codemation.testing.conformance.world import Contract, World

A = ActivationId("a/1")


def _some(size: int) -> bytes:
    """Bytes that cannot be compressed, the same each time."""
    return random.Random(size).randbytes(size)  # noqa: S311 - nothing secret


class PayloadsContract(Contract):
    """What was stored is read back byte by byte, or said to be lost."""

    def test_a_batch_is_read_back_as_it_was_stored(self, stores: Stores, world: World) -> None:
        """A batch of any size is described by its reference and read back."""
        run = world.start("a/1")
        for size in (0, 1, 8 * 1024, 1024 * 1024 + 1, 3_000_001):
            data = _some(size)
            batch = stores.payloads.put(run, data, 17, "table")
            assert (batch.count, batch.kind, batch.size) == (17, "table", size)
            assert batch.ref.startswith("b:")
            assert stores.payloads.get(run, batch) == data

    def test_every_batch_has_a_reference_of_its_own(self, stores: Stores, world: World) -> None:
        """Batches of the same bytes are different batches."""
        run = world.start("a/1")
        one, two = (stores.payloads.put(run, b"same", 1, "items") for _ in range(2))
        assert one.ref != two.ref
        assert stores.payloads.get(run, one) == stores.payloads.get(run, two) == b"same"

    def test_a_batch_may_be_stored_before_its_run(self, stores: Stores, world: World) -> None:
        """The input of a run is stored first, so that the first revision can name it."""
        run = world.new_run("a/1")
        batch = stores.payloads.put(run.id, b"input", 1, "items")
        stores.journal.start(run)
        assert stores.payloads.get(run.id, batch) == b"input"

    def test_a_batch_outlives_the_end_of_its_run(self, stores: Stores, world: World) -> None:
        """What a finished run gave can be read."""
        claim = world.held()
        batch = stores.payloads.put(claim.run, b"result", 1, "items")
        world.step(claim)
        assert stores.payloads.get(claim.run, batch) == b"result"

    def test_the_input_lies_in_the_first_revision(self, stores: Stores, world: World) -> None:
        """A small input is read from the journal's first row."""
        given = Batch(ref="", count=2, size=5)
        delta = encode_delta((Began(input=given), Due(activations=(A,))))
        run = world.start("a/1", delta=delta, output=b"hello")
        assert stores.payloads.get(run, replace(given, ref="j:1:main")) == b"hello"

    def test_small_outputs_lie_one_after_the_other_in_their_revision(self, stores: Stores, world: World) -> None:
        """Of several ports each one's bytes are found; empty ports and those stored elsewhere take no place."""
        claim = world.held()
        large = stores.payloads.put(claim.run, b"elsewhere", 9, "items")
        outputs = {
            "zebra": Batch(ref="", count=1, size=3),
            "empty": EMPTY,
            "large": large,
            "a:b": Batch(ref="", count=2, size=4, kind="table"),
            "error": Batch(ref="", count=1, size=1),
        }
        delta = encode_delta((Done(activation=A, outputs=outputs), Due(activations=(ActivationId("b/1"),))))
        world.step(claim, then=GoOn(activation=ActivationId("b/1")), delta=delta, output=b"abcdefg!")
        found = {
            port: stores.payloads.get(claim.run, batch if batch.ref or not batch.size else _inline(2, port, batch))
            for port, batch in outputs.items()
        }
        assert found == {"zebra": b"abc", "empty": b"", "large": b"elsewhere", "a:b": b"defg", "error": b"!"}

    def test_each_revision_has_its_own_outputs(self, stores: Stores, world: World) -> None:
        """The same port of two revisions holds two things."""
        claim = world.held()
        batch = Batch(ref="", count=1, size=3)
        delta = encode_delta((Done(activation=A, outputs={"main": batch}),))
        world.step(claim, then=GoOn(activation=A), delta=delta, output=b"two")
        holding = replace(claim.holding, fence=2)
        world.step(replace(claim, holding=holding), delta=delta, output=b"thr")
        assert stores.payloads.get(claim.run, _inline(2, "main", batch)) == b"two"
        assert stores.payloads.get(claim.run, _inline(3, "main", batch)) == b"thr"

    def test_what_is_not_there_is_lost(self, stores: Stores, world: World) -> None:
        """A reference that leads nowhere is an error, however it is spelled."""
        delta = encode_delta((Began(input=Batch(ref="", count=1, size=5)),))
        run = world.start("a/1", delta=delta, output=b"hello")
        nowhere = ["j:1:other", "j:2:main", "j:0:main", "j:-1:main", "j:x:main", "j:1", "j:", "x", ""]
        nowhere += ["b:", "b:17", "b:00000000-0000-7000-8000-000000000000"]
        for ref in nowhere:
            with pytest.raises(PayloadLost):
                stores.payloads.get(run, Batch(ref=ref, count=1, size=5))
        with pytest.raises(PayloadLost):
            stores.payloads.get(world.run_id(), Batch(ref="j:1:main", count=1, size=5))

    def test_what_has_another_size_than_was_stored_is_lost(self, stores: Stores, world: World) -> None:
        """Bytes that are not as many as they should be are not given out."""
        delta = encode_delta((Began(input=Batch(ref="", count=1, size=5)),))
        run = world.start("a/1", delta=delta, output=b"hello")
        batch = stores.payloads.put(run, b"hello", 1, "items")
        for size in (0, 4, 6):
            for ref in (batch.ref, "j:1:main"):
                with pytest.raises(PayloadLost):
                    stores.payloads.get(run, Batch(ref=ref, count=1, size=size))


def _inline(revision: int, port: str, batch: Batch) -> Batch:
    return replace(batch, ref=f"j:{revision}:{port}")

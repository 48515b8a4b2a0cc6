"""The contract of recall: what nodes have given before, by digest."""

from __future__ import annotations

from codemation.core.ports import Stores
from codemation.testing.conformance.world import Contract, World


class RecallContract(Contract):
    """What was remembered last is recalled, as it was spelled."""

    def test_what_was_remembered_is_recalled(self, stores: Stores, world: World) -> None:
        """A key leads to the run and to what it gave; another key to nothing."""
        run = world.start("a/1")
        stores.recall.remember(b"key", run, '{"main": [1, 1e16]}')
        assert stores.recall.recall(b"key") == (run, '{"main": [1, 1e16]}')
        assert stores.recall.recall(b"other") is None

    def test_the_last_that_was_remembered_counts(self, stores: Stores, world: World) -> None:
        """A key is remembered anew, by another run or by the same."""
        first, second = world.start("a/1"), world.start("a/1")
        stores.recall.remember(b"key", first, "[1]")
        stores.recall.remember(b"key", second, "[2]")
        assert stores.recall.recall(b"key") == (second, "[2]")

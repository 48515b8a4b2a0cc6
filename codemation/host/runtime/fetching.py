"""Where the bytes of batches come from: this process, if it has them, or else the database."""

from __future__ import annotations

from collections.abc import Mapping

from codemation.core.ids import RunId
from codemation.core.items import Batch
from codemation.host.runtime.workbench import Workbench

SMALL = 64 * 1024
"""Bytes of a batch that is read before the node that it is for may begin."""


def at_hand(bench: Workbench, run: RunId, fresh: Mapping[str, bytes], batch: Batch) -> bytes:
    """The bytes of a small batch of a run, if this process has them, or they are among those being recorded.

    Raises:
        LookupError: it has not, or they are many.
    """
    data = fresh.get(batch.ref) or bench.recent.get(run, batch.ref)
    if data is None or len(data) > SMALL:
        raise LookupError(batch.ref)
    return data


def fetched(bench: Workbench, run: RunId, batch: Batch) -> bytes:
    """The bytes of a batch of a run, from this process if it has them."""
    data = bench.recent.get(run, batch.ref)
    if data is None:
        data = bench.engine.persist(bench.engine.stores.payloads.get, run, batch)
        bench.recent.put(run, batch.ref, data)
    return data

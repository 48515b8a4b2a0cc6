"""Batches in memory."""

from __future__ import annotations

from codemation.core.errors import PayloadLost
from codemation.core.facts import Began, Done, decode_delta
from codemation.core.ids import RunId
from codemation.core.items import Batch, BatchKind
from codemation.host.memory.tables import Tables


class MemoryPayloads:
    """Batches."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, run: RunId, data: bytes, count: int, kind: BatchKind) -> Batch:
        """Store a batch."""
        with self._tables.lock:
            self._tables.serial += 1
            ref = f"b:{self._tables.serial}"
            self._tables.batches[ref] = bytes(data)
            return Batch(ref=ref, count=count, kind=kind, size=len(data))

    def get(self, run: RunId, batch: Batch) -> bytes:
        """The stored bytes."""
        with self._tables.lock:
            data = self._inline(run, batch) if batch.ref.startswith("j:") else self._tables.batches.get(batch.ref)
        if data is None or len(data) != batch.size:
            raise PayloadLost(f"the payload {batch.ref} of run {run} is not there")
        return data

    def _inline(self, run: RunId, batch: Batch) -> bytes | None:
        _, revision, port = batch.ref.split(":", 2)
        entry, output = self._tables.journal[run][int(revision) - 1]
        at = 0
        for fact in decode_delta(entry.delta):
            outputs = (
                {"main": fact.input} if isinstance(fact, Began) else fact.outputs if isinstance(fact, Done) else {}
            )
            for name, stored in outputs.items():
                if stored.ref or not stored.size:
                    continue
                if name == port:
                    return output[at : at + stored.size]
                at += stored.size
        return None

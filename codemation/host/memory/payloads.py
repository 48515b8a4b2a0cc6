"""Batches in memory."""

from __future__ import annotations

from collections.abc import Sequence

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
            ref = f"b:{self._tables.number()}"
            self._tables.batches[ref] = bytes(data)
            self._tables.homes[ref] = run
            return Batch(ref=ref, count=count, kind=kind, size=len(data))

    def get(self, run: RunId, batch: Batch) -> bytes:
        """The stored bytes."""
        if not batch.ref and not batch.size:
            return b""
        with self._tables.lock:
            match batch.ref.split(":", 2):
                case ["j", revision, port] if revision.isdecimal():
                    data = self._inline(run, int(revision), port)
                case _:
                    data = self._tables.batches.get(batch.ref)
        if data is None:
            raise PayloadLost(f"the payload {batch.ref!r} of run {run} is not there")
        if len(data) != batch.size:
            raise PayloadLost(f"the payload {batch.ref!r} of run {run} is not what was stored")
        return data

    def borrow(self, run: RunId, home: RunId, batches: Sequence[Batch]) -> tuple[Batch, ...]:
        """Share batches with another run."""
        with self._tables.lock:
            return tuple(self._borrowed(run, home, batch) for batch in batches)

    def _borrowed(self, run: RunId, home: RunId, batch: Batch) -> Batch:
        if not batch.size and not batch.ref:
            return batch
        data = self.get(home, batch)
        if not batch.ref.startswith("b:"):
            return self.put(run, data, batch.count, batch.kind)
        self._tables.borrowed.add((batch.ref, run))
        return batch

    def _inline(self, run: RunId, revision: int, port: str) -> bytes | None:
        entries = self._tables.journal.get(run, [])
        if not 1 <= revision <= len(entries):
            return None
        entry, output = entries[revision - 1]
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

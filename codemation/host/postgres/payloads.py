"""Batches on PostgreSQL: in the journal's own row, in a row of theirs, or as a blob, by size."""

from __future__ import annotations

import io
import uuid
from collections.abc import Sequence
from hashlib import sha256

from psycopg import errors

from codemation.core.errors import PayloadLost
from codemation.core.facts import Began, Delta, Done, decode_delta
from codemation.core.ids import RunId
from codemation.core.items import Batch, BatchKind
from codemation.host.identity import id_beside
from codemation.host.postgres.blobs import PostgresBlobs
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.statements import statement

INLINE_LIMIT = 1024 * 1024
"""Bytes that are kept in the row of the batch; what is larger becomes a blob."""

_PUT = statement("""
    INSERT INTO batches (id, home_run, count, kind, bytes, digest, inline, blob)
    VALUES (:id, :run, :count, :kind, :bytes, :digest, :inline, :blob)""")
# The key to the batch locks it: whoever prunes it at this moment is waited for, and either of the two sees the other.
_BORROW = statement("INSERT INTO borrowed (batch, run_id) VALUES (:batch::uuid, :run::uuid) ON CONFLICT DO NOTHING")
_GET = statement("SELECT bytes, digest, inline, blob FROM batches WHERE id = :id")
_REVISION = statement("SELECT delta, output FROM journal WHERE run_id = :run AND revision = :revision")


class PostgresPayloads:
    """Batches too large for the journal, and reading of all."""

    def __init__(self, connections: Connections, blobs: PostgresBlobs) -> None:
        self._connections = connections
        self._blobs = blobs

    def put(self, run: RunId, data: bytes, count: int, kind: BatchKind) -> Batch:
        """Store a batch before the step that names it; durable on return."""
        digest = sha256(data).digest()
        inline = len(data) <= INLINE_LIMIT
        blob = None if inline else self._blobs.keep(io.BytesIO(data), attached=False).id
        batch = id_beside(run)
        values = {
            "id": batch,
            "run": run,
            "count": count,
            "kind": kind,
            "bytes": len(data),
            "digest": digest,
            "inline": data if inline else None,
            "blob": blob,
        }
        with self._connections.lease() as link:
            link.run(_PUT, values)
        return Batch(ref=f"b:{batch}", count=count, kind=kind, size=len(data))

    def get(self, run: RunId, batch: Batch) -> bytes:
        """The stored bytes.

        Raises:
            PayloadLost: they are not there, or not what was stored.
        """
        match batch.ref.split(":", 2):
            case ["j", revision, port] if revision.isdecimal():
                return self._from_journal(run, batch, int(revision), port)
            case ["b", stored]:
                return self._from_row(run, batch, stored)
            case [""] if not batch.size:
                return b""
            case _:
                raise PayloadLost(f"{batch.ref!r} of run {run} is no reference to a payload")

    def borrow(self, run: RunId, home: RunId, batches: Sequence[Batch]) -> tuple[Batch, ...]:
        """Have batches of another run stay there for `run` too; as `run` names them.

        Raises:
            PayloadLost: something is not there any more.
        """
        return tuple(self._borrowed(run, home, batch) for batch in batches)

    def _borrowed(self, run: RunId, home: RunId, batch: Batch) -> Batch:
        if not batch.ref and not batch.size:
            return batch
        if not batch.ref.startswith("b:"):
            return self.put(run, self.get(home, batch), batch.count, batch.kind)
        with self._connections.lease() as link:
            try:
                link.run(_BORROW, {"batch": batch.ref[2:], "run": run})
            except (errors.ForeignKeyViolation, errors.InvalidTextRepresentation) as error:
                raise PayloadLost(f"the payload {batch.ref} of run {home} is not there: it was pruned") from error
        return batch

    def _from_journal(self, run: RunId, batch: Batch, revision: int, port: str) -> bytes:
        with self._connections.lease() as link:
            row = link.one(_REVISION, {"run": run, "revision": revision})
        if row is None:
            raise PayloadLost(f"revision {revision} of run {run} is not there, and with it what {port!r} held")
        delta, output = decode_delta(row[0]), row[1] or b""
        place = _place(delta, port)
        if place is None or place.stop - place.start != batch.size or _inline_size(delta) != len(output):
            raise PayloadLost(f"what {port!r} held at revision {revision} of run {run} is not what was stored")
        return bytes(output[place])

    def _from_row(self, run: RunId, batch: Batch, stored: str) -> bytes:
        try:
            wanted = uuid.UUID(stored)
        except ValueError:
            raise PayloadLost(f"{batch.ref!r} of run {run} is no reference to a payload") from None
        with self._connections.lease() as link:
            row = link.one(_GET, {"id": wanted})
        if row is None:
            raise PayloadLost(f"the payload {batch.ref} of run {run} is not there")
        size, digest, data, blob = row
        if data is None:
            with self._blobs.open(str(blob)) as stream:
                data = stream.read()
        if len(data) != size or size != batch.size or sha256(data).digest() != digest:
            raise PayloadLost(f"the payload {batch.ref} of run {run} is not what was stored")
        return bytes(data)


def _inline_batches(delta: Delta) -> list[tuple[str, int]]:
    """Port and size of what lies in the journal's output, one after the other."""
    found: list[tuple[str, int]] = []
    for fact in delta:
        match fact:
            case Began(input=batch):
                outputs = {"main": batch}
            case Done(outputs=given):
                outputs = dict(given)
            case _:
                continue
        found += [(port, batch.size) for port, batch in outputs.items() if batch.size and not batch.ref]
    return found


def _place(delta: Delta, port: str) -> slice | None:
    at = 0
    for name, size in _inline_batches(delta):
        if name == port:
            return slice(at, at + size)
        at += size
    return None


def _inline_size(delta: Delta) -> int:
    return sum(size for _, size in _inline_batches(delta))

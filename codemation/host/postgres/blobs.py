"""Blobs by rows of PostgreSQL, their bytes in chunks there or in a directory.

The same content is stored once, found by its digest; but every upload has an id of its own, and bytes are kept and
deleted by that id. A blob that nobody uses is first doomed, which takes it out of the index of digests, and deleted an
hour later: whoever stores the same content meanwhile uploads anew, and deleting takes away what nobody can find.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from typing import BinaryIO, Protocol, runtime_checkable

from psycopg import errors

from codemation.core.errors import HostError, PayloadLost
from codemation.core.ports import StoredBlob
from codemation.host.checked_stream import blocks_of, checked_stream
from codemation.host.postgres.codes import BlobState
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.statements import statement

_WRITING, _LIVE, _DOOMED = (f"{state:d}" for state in BlobState)
_DAY = "interval '24 hours'"

_BEGIN = statement("INSERT INTO blobs (id) VALUES (:id)")
_CHUNK = statement("INSERT INTO blob_chunks (blob, n, data) VALUES (:id, :n, :data)")
# Touching the twin locks its row: whoever dooms it waits, looks again, and finds it young.
_SETTLE = statement(f"""
    WITH twin AS (
        UPDATE blobs SET touched_at = now_(), attached = attached OR :attached::int <> 0
        WHERE digest = :digest AND state = {_LIVE} RETURNING id),
    mine AS (
        UPDATE blobs SET state = {_LIVE}, digest = :digest, bytes = :bytes, attached = :attached::int <> 0,
            touched_at = now_()
        WHERE id = :id AND state + 0 = {_WRITING} AND NOT EXISTS (SELECT FROM twin) RETURNING id)
    SELECT id FROM twin UNION ALL SELECT id FROM mine""")
_ABANDON = statement(f"DELETE FROM blobs WHERE id = :id AND state + 0 = {_WRITING}")
_FIND = statement(f"SELECT digest FROM blobs WHERE id = :id AND state <> {_WRITING}")
_READ = statement("SELECT data FROM blob_chunks WHERE blob = :id AND n = :n")
_KEPT = statement(
    "SELECT 1 FROM blobs WHERE id = :id AND (bytes = 0 OR EXISTS (SELECT FROM blob_chunks WHERE blob = :id))"
)
_HAND_OVER = statement("UPDATE blob_chunks SET blob = :twin WHERE blob = :id")

# What is attached to items is named inside of payloads, where no row sees it; it is never doomed.
_DOOM = statement(f"""
    UPDATE blobs SET state = {_DOOMED}, touched_at = now_()
    WHERE touched_at < now_() - {_DAY} AND (state = {_WRITING} OR (state = {_LIVE} AND NOT attached
        AND NOT EXISTS (SELECT FROM batches WHERE batches.blob = blobs.id)))""")
_CONDEMNED = statement(f"""
    SELECT id FROM blobs WHERE state = {_DOOMED} AND touched_at < now_() - interval '1 hour'
        AND NOT EXISTS (SELECT FROM batches WHERE batches.blob = blobs.id) ORDER BY touched_at LIMIT 500""")
_DELETE = statement(f"DELETE FROM blobs WHERE id = :id AND state + 0 = {_DOOMED}")


@runtime_checkable
class Objects(Protocol):
    """Bytes by name, somewhere other than in the database."""

    def write(self, name: str, stream: BinaryIO) -> StoredBlob:
        """Store a stream; durable on return, invisible if it breaks off."""
        ...

    def read(self, name: str, digest: bytes) -> BinaryIO:
        """A readable stream that checks its digest at its end."""
        ...

    def remove(self, name: str) -> None:
        """Delete; harmless when it is not there."""
        ...

    def sweep(self) -> int:
        """Delete what was begun and is written by nobody any more; says how much."""
        ...


class PostgresBlobs:
    """Streams of any length."""

    def __init__(self, connections: Connections, objects: Objects | None = None) -> None:
        """The bytes go to `objects`, or into the database itself."""
        self._connections = connections
        self._objects = objects

    def put(self, stream: BinaryIO) -> StoredBlob:
        """Store everything that the stream has; durable on return, invisible if it breaks off."""
        return self.keep(stream, attached=True)

    def keep(self, stream: BinaryIO, *, attached: bool) -> StoredBlob:
        """Store a stream; unless it is `attached` to items, it lives as long as a batch that stands for it."""
        name = str(uuid.uuid4())
        with self._connections.lease() as link:
            link.run(_BEGIN, {"id": name})
        kept = ""
        try:
            received = self._objects.write(name, stream) if self._objects else self._write_chunks(name, stream)
            kept = self._settle(name, received, attached)
            if kept != name and not self._has(kept):
                self._hand_over(name, kept, bytes.fromhex(received.sha256))
        finally:
            if kept != name:
                self._abandon(name)
        return StoredBlob(id=kept, size=received.size, sha256=received.sha256)

    def open(self, blob: str) -> BinaryIO:
        """A readable stream; the caller closes it.

        Raises:
            PayloadLost: it is not there, or (at its end) damaged.
        """
        try:
            name = str(uuid.UUID(blob))
        except ValueError:
            raise PayloadLost(f"{blob!r} is not the id of a stored stream") from None
        with self._connections.lease() as link:
            row = link.one(_FIND, {"id": name})
        if row is None or row[0] is None:
            raise PayloadLost(f"the stored stream {name} is not there")
        if self._kept_in_rows(name):
            return checked_stream(name, self._read_chunks(name), row[0])
        if self._objects:
            return self._objects.read(name, row[0])
        raise PayloadLost(
            f"the bytes of the stored stream {name} are not in the database",
            way_out='if they were stored in a directory, say so: payloads = "directory", payload_directory = …',
        )

    def doom(self) -> int:
        """Give up what nobody has used for a day, and what nobody writes any more; says how many."""
        with self._connections.lease() as link:
            return link.run(_DOOM, {})

    def delete_doomed(self) -> int:
        """Delete what was doomed at least an hour ago, at most 500 at once; says how many."""
        with self._connections.lease() as link:
            names = [str(name) for (name,) in link.all(_CONDEMNED, {})]
        if self._objects:
            self._objects.sweep()
        for name in names:
            if self._objects:
                self._objects.remove(name)
            with self._connections.lease() as link:
                link.run(_DELETE, {"id": name})
        return len(names)

    def _write_chunks(self, name: str, stream: BinaryIO) -> StoredBlob:
        digest, size = sha256(), 0
        for n, block in enumerate(blocks_of(stream)):
            with self._connections.lease() as link:
                link.run(_CHUNK, {"id": name, "n": n, "data": block})
            digest.update(block)
            size += len(block)
        return StoredBlob(id=name, size=size, sha256=digest.hexdigest())

    def _read_chunks(self, name: str) -> Iterator[bytes]:
        n = 0
        while True:
            with self._connections.lease() as link:
                row = link.one(_READ, {"id": name, "n": n})
            if row is None:
                return
            yield row[0]
            n += 1

    def _has(self, name: str) -> bool:
        """Whether the bytes of an upload can be read here; others may have stored them elsewhere, or lost them."""
        if self._kept_in_rows(name):
            return True
        try:
            if self._objects:
                self._objects.read(name, b"").close()
        except PayloadLost:
            return False
        return self._objects is not None

    def _kept_in_rows(self, name: str) -> bool:
        with self._connections.lease() as link:
            return link.one(_KEPT, {"id": name}) is not None

    def _hand_over(self, name: str, twin: str, digest: bytes) -> None:
        """Let a twin have the bytes of an upload that nobody will find by its own name."""
        if self._objects:
            with self._objects.read(name, digest) as stream:
                self._objects.write(twin, stream)
            return
        with self._connections.lease() as link:
            link.run(_HAND_OVER, {"id": name, "twin": twin})

    def _settle(self, name: str, received: StoredBlob, attached: bool) -> str:
        """Make the upload findable, or find the one that has the same content; the id of whichever stays."""
        digest = bytes.fromhex(received.sha256)
        values = {"id": name, "digest": digest, "bytes": received.size, "attached": int(attached)}
        for _ in range(_TRIES):
            try:
                with self._connections.lease() as link:
                    row = link.one(_SETTLE, values)
            except HostError as error:
                if isinstance(error.__cause__, errors.UniqueViolation):
                    continue  # a twin has appeared in this very moment; it is found now
                raise
            if row is None:
                raise HostError(f"the stored stream {name} took longer than a day to write", way_out="store it again")
            return str(row[0])
        raise HostError(f"the stored stream {name} has met {_TRIES} twins that went away", way_out="store it again")

    def _abandon(self, name: str) -> None:
        # What cannot be cleaned up now is doomed in a day, and the error that led here says more than this one would.
        with suppress(HostError):
            if self._objects:
                self._objects.remove(name)
            with self._connections.lease() as link:
                link.run(_ABANDON, {"id": name})


_TRIES = 5

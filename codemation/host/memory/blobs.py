"""Streams in memory."""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO

from codemation.core.errors import PayloadLost
from codemation.core.ports import StoredBlob
from codemation.host.memory.tables import Tables

BLOCK = 64 * 1024
"""Bytes that are read at once."""


class MemoryBlobs:
    """Streams."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, stream: BinaryIO) -> StoredBlob:
        """Store a stream."""
        data = b"".join(iter(lambda: stream.read(BLOCK), b""))
        digest = hashlib.sha256(data).hexdigest()
        with self._tables.lock:
            self._tables.blobs[digest] = data
        return StoredBlob(id=digest, size=len(data), sha256=digest)

    def open(self, blob: str) -> BinaryIO:
        """A readable stream."""
        with self._tables.lock:
            data = self._tables.blobs.get(blob)
        if data is None:
            raise PayloadLost(f"the stored stream {blob!r} is not there")
        return io.BytesIO(data)

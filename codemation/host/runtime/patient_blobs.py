"""Files that nodes store and read: an absent database is waited for, as it is everywhere else while a run goes on."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

from codemation.core.engine import Engine
from codemation.core.errors import StoreUnavailable
from codemation.core.items import Attachment
from codemation.core.ports import StoredBlob
from codemation.host.runtime.trouble import Interrupted

_BLOCK = 1024 * 1024


class PatientBlobs:
    """The blobs of the engine's stores, asked again until the database answers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, stream: BinaryIO) -> StoredBlob:
        """Store everything that the stream has.

        Raises:
            Interrupted: the database went away, and with it what was read of a stream that cannot be read again, so
                the node is called anew.
        """
        blobs = self._engine.stores.blobs
        if not stream.seekable():
            try:
                return blobs.put(stream)
            except StoreUnavailable as error:
                raise Interrupted from error
        start = stream.tell()

        def put() -> StoredBlob:
            stream.seek(start)
            return blobs.put(stream)

        return self._engine.persist(put)

    def attach(self, stream: BinaryIO, mime: str) -> Attachment:
        """A stored stream as it stands beside an item; raises what `put` raises."""
        stored = self.put(stream)
        return Attachment(blob=stored.id, size=stored.size, sha256=stored.sha256, mime=mime, source=self)

    def open(self, blob: str) -> BinaryIO:
        """A readable stream; the caller closes it.

        Raises:
            PayloadLost: it is not there.
        """
        return cast(BinaryIO, io.BufferedReader(_Patient(self._engine, blob), _BLOCK))


class _Patient(io.RawIOBase):
    """Reads on where it was when the database is back."""

    def __init__(self, engine: Engine, blob: str) -> None:
        self._engine = engine
        self._blob = blob
        self._at = 0
        self._stream: BinaryIO | None = engine.persist(engine.stores.blobs.open, blob)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._engine.persist(self._read, len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed and self._stream is not None:
            self._stream.close()
        super().close()

    def _read(self, size: int) -> bytes:
        stream, self._stream = self._stream or self._reopened(), None  # a stream that breaks off is of no more use
        piece = stream.read(size)
        self._stream = stream
        self._at += len(piece)
        return piece

    def _reopened(self) -> BinaryIO:
        stream, left = self._engine.stores.blobs.open(self._blob), self._at
        while left and (skipped := stream.read(min(left, _BLOCK))):
            left -= len(skipped)
        return stream

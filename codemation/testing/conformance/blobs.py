"""The contract of blobs."""

from __future__ import annotations

import io
import random
from functools import partial
from hashlib import sha256
from typing import BinaryIO, cast

import pytest

from codemation.core.errors import PayloadLost
from codemation.core.ports import Stores
from codemation.testing.conformance.crowd import together

LARGE = 5_000_011
PIECE = 30_001


class _Wire(io.RawIOBase):
    """A stream that comes in pieces, as from a network, and may break off."""

    def __init__(self, data: bytes, breaks_at: int | None = None) -> None:
        self._data = memoryview(data)
        self._at = 0
        self._breaks_at = breaks_at

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Give the next piece."""
        if self._breaks_at is not None and self._at >= self._breaks_at:
            raise ConnectionResetError("the stream broke off")
        piece = self._data[self._at : self._at + min(len(buffer), PIECE)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def readall(self) -> bytes:
        """Fail: who reads everything at once cannot store a stream of any length."""
        raise AssertionError("the stream was read as a whole, not in pieces")


def _wire(data: bytes, breaks_at: int | None = None) -> BinaryIO:
    return cast("BinaryIO", _Wire(data, breaks_at))


def _some(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - nothing secret


class BlobsContract:
    """A stream is stored as a whole, once, or not at all."""

    def test_a_stream_is_read_back_as_it_was_stored(self, stores: Stores) -> None:
        """A stream of any length is read in pieces, described by its size and digest, and read back."""
        for size in (0, 1, PIECE, 65_536, LARGE):
            data = _some(size)
            stored = stores.blobs.put(_wire(data))
            assert (stored.size, stored.sha256) == (size, sha256(data).hexdigest())
            with stores.blobs.open(stored.id) as stream:
                assert stream.read() == data

    def test_a_stored_stream_can_be_read_in_pieces(self, stores: Stores) -> None:
        """A reader takes as much at a time as it wants, and several readers are in nobody's way."""
        data = _some(LARGE)
        stored = stores.blobs.put(_wire(data))
        with stores.blobs.open(stored.id) as one, stores.blobs.open(stored.id) as two:
            head = one.read(10)
            other = two.read(100_000)
            found = [head]
            while piece := one.read(1_000_000):
                found.append(piece)
        assert (b"".join(found), other) == (data, data[:100_000])

    def test_the_same_content_is_stored_once(self, stores: Stores) -> None:
        """Whoever stores the same content again gets the stream that is there; other content is another stream."""
        first = stores.blobs.put(_wire(b"same"))
        assert stores.blobs.put(_wire(b"same")) == first
        assert stores.blobs.put(_wire(b"other")).id != first.id

    def test_a_stream_that_breaks_off_leaves_nothing(self, stores: Stores) -> None:
        """What came before a stream broke off can be found by nobody, and the whole can be stored afterwards."""
        data = _some(LARGE)
        for breaks_at in (0, PIECE, 80 * PIECE):
            part = data[:breaks_at]
            with pytest.raises(ConnectionResetError):
                stores.blobs.put(_wire(data, breaks_at))
            with pytest.raises(PayloadLost):
                stores.blobs.open(sha256(part).hexdigest())
        stored = stores.blobs.put(_wire(data))
        with stores.blobs.open(stored.id) as stream:
            assert stream.read() == data

    def test_what_is_not_there_is_lost(self, stores: Stores) -> None:
        """An id that no stream has is an error that names it."""
        for name in ("00000000-0000-4000-8000-000000000000", sha256(b"").hexdigest(), "../../etc/passwd", ""):
            with pytest.raises(PayloadLost, match=name or "''"):
                stores.blobs.open(name)

    def test_many_may_store_the_same_content_at_once(self, stores: Stores) -> None:
        """Of uploads of the same content at the same moment one stays, and everybody is given that one."""
        data = _some(200_000)
        stored = together(*(partial(stores.blobs.put, _wire(data)) for _ in range(5)))
        assert len(set(stored)) == 1
        with stores.blobs.open(stored[0].id) as stream:
            assert stream.read() == data

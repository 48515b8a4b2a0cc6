"""A stream that is known by its digest: whoever reads it to the end knows that it is what was stored."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, BinaryIO, cast

from codemation.core.errors import PayloadLost

BLOCK = 512 * 1024
"""Bytes that are read, sent or hashed at once."""


class _Checked(io.RawIOBase):
    """The bytes of `blocks`, checked when the last of them has been read."""

    def __init__(self, name: str, blocks: Iterator[bytes], digest: bytes, close: Callable[[], None]) -> None:
        self._name = name
        self._blocks = blocks
        self._digest = digest
        self._close = close
        self._hash = sha256()
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as the current block reaches; 0 at the end.

        Raises:
            PayloadLost: the end has come, and it was not what was stored.
        """
        if not self._left:
            block = next(self._blocks, b"")
            if not block and self._hash.digest() != self._digest:
                raise PayloadLost(f"the stored stream {self._name} is damaged: it is not what was stored")
            self._hash.update(block)
            self._left = memoryview(block)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def close(self) -> None:
        """Let go of what it reads from."""
        if not self.closed:
            self._close()
        super().close()


def checked_stream(
    name: str, blocks: Iterator[bytes], digest: bytes, close: Callable[[], None] = lambda: None
) -> BinaryIO:
    """A readable stream of the blocks that raises `PayloadLost` at its end if their SHA-256 is not `digest`."""
    return cast(BinaryIO, io.BufferedReader(_Checked(name, blocks, digest, close), BLOCK))


def blocks_of(stream: BinaryIO) -> Iterator[bytes]:
    """What the stream has, block by block."""
    while block := stream.read(BLOCK):
        yield block

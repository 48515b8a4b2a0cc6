"""Streams as files in a directory: on a disk of this machine, or on one that several machines share.

A file is written beside the others under a name that nobody looks for, brought to the disk, and only then given its own
name: whoever finds a name finds the whole content, whatever happened. By itself the directory names contents by their
digest; with PostgreSQL the rows there rule, and every upload has a name of its own, so that deleting one can never take
away another.
"""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from codemation.core.errors import HostError, PayloadLost
from codemation.core.ports import StoredBlob
from codemation.host.checked_stream import blocks_of, checked_stream

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_STALE = 24 * 3600
"""Seconds after which nobody is writing an unfinished file any more."""


class DirectoryBlobs:
    """Blobs in the files of a directory, which is made when it is first needed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"

    def put(self, stream: BinaryIO) -> StoredBlob:
        """Store everything that the stream has; durable on return, invisible if it breaks off."""
        with self._received(stream) as (arrived, stored):
            self._publish(arrived, stored.sha256)
        return stored

    def open(self, blob: str) -> BinaryIO:
        """A readable stream; the caller closes it.

        Raises:
            PayloadLost: it is not there, or (at its end) damaged.
        """
        return self.read(blob, bytes.fromhex(blob) if _is_digest(blob) else b"")

    def write(self, name: str, stream: BinaryIO) -> StoredBlob:
        """Store a stream under a name of the caller's; durable on return, invisible if it breaks off."""
        with self._received(stream) as (arrived, stored):
            self._publish(arrived, name)
        return stored

    def read(self, name: str, digest: bytes) -> BinaryIO:
        """A readable stream of what was written under a name.

        Raises:
            PayloadLost: it is not there, or (at its end) has another digest.
        """
        try:
            file = self._found(name).open("rb")
        except FileNotFoundError:
            raise PayloadLost(f"the stored file {name} is not in {self._root}") from None
        except OSError as error:
            raise PayloadLost(f"the stored file {name} in {self._root} cannot be read: {error.strerror}") from error
        return checked_stream(name, blocks_of(file), digest, file.close)

    def remove(self, name: str) -> None:
        """Delete what was written under a name; harmless when it is not there."""
        with self._telling(f"{name} cannot be deleted"):
            self._found(name).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Delete unfinished files that nobody writes any more; says how many."""
        swept = 0
        with self._telling("unfinished files cannot be deleted"):
            for file in self._incoming.glob("*") if self._incoming.is_dir() else ():
                if time.time() - file.stat().st_mtime > _STALE:
                    file.unlink(missing_ok=True)
                    swept += 1
        return swept

    @contextmanager
    def _received(self, stream: BinaryIO) -> Iterator[tuple[Path, StoredBlob]]:
        """The stream as a file on the disk under a name that nobody looks for; gone when the block is left."""
        arrived = self._incoming / uuid.uuid4().hex
        with self._telling("a payload cannot be written"):
            self._make(self._incoming)
        try:
            with self._telling("a payload cannot be written"):
                file = os.fdopen(os.open(arrived, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)
            digest, size = sha256(), 0
            with file:
                for block in blocks_of(stream):
                    with self._telling("a payload cannot be written"):
                        _write_all(file, block)
                    digest.update(block)
                    size += len(block)
                with self._telling("a payload cannot be brought to the disk"):
                    os.fsync(file.fileno())
            yield arrived, StoredBlob(id=digest.hexdigest(), size=size, sha256=digest.hexdigest())
        finally:
            with self._telling("an unfinished file cannot be deleted"):
                arrived.unlink(missing_ok=True)

    def _publish(self, arrived: Path, name: str) -> None:
        place = self._place(name)
        with self._telling("a payload cannot be given its name"):
            self._make(place.parent)
            arrived.replace(place)
            _sync_directory(place.parent)

    def _make(self, directory: Path) -> None:
        """Make a directory and those above it; each new name is brought to the disk."""
        if directory.is_dir():
            return
        self._make(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(directory.parent)

    def _place(self, name: str) -> Path:
        if not name.isascii() or not name.replace("-", "").isalnum() or len(name) < 8:
            raise PayloadLost(f"{name!r} is not the name of a stored file")
        return self._root / name[:2] / name

    def _found(self, name: str) -> Path:
        """Where a file is: at its place, or a directory below, where release 0.1.0 has put it."""
        place = self._place(name)
        before = place.parent / name[2:4] / name
        return place if place.exists() or not before.exists() else before

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise HostError(
                    f"{what}: no space is left for {self._root}",
                    way_out="free space there; nothing was recorded that is not there, so the work can go on",
                ) from error
            raise HostError(f"{what} in {self._root}: {error.strerror or error}") from error


def _is_digest(blob: str) -> bool:
    return len(blob) == 64 and all(sign in "0123456789abcdef" for sign in blob)


def _write_all(file: BinaryIO, block: bytes) -> None:
    """Write a block to a file without a buffer, which may take less than it was given."""
    left = memoryview(block)
    while left:
        left = left[file.write(left) :]


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

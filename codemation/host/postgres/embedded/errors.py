"""Every reason for which the embedded server refuses or fails; each message says what, where, and the way out.

HostError
└── EmbeddedError
    ├── ProgramsMissing       the wheel with PostgreSQL's programs is not installed
    ├── NotAFolder            the place is not a folder, or its parent does not exist
    ├── ReadOnlyFolder        this user may not write there
    ├── NetworkFileSystem     locks and fsync cannot be trusted there
    ├── OtherOwner            the data belongs to somebody else
    ├── OtherVersion          the data was written by another major version of PostgreSQL
    ├── ClusterDamaged        the data, its password or its place is gone
    ├── CopiedProject         two projects point at the same data
    ├── DiskFull              there is no room
    ├── AccountUnavailable    root cannot hand the server to an unprivileged account
    ├── ForeignServer         somebody else's server runs on the data
    ├── ServerFailed          the server did not start, or does not answer
    ├── Busy                  another process has been starting or stopping it for too long
    └── ServerClosed          it was asked for after it was closed
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codemation.core.errors import HostError

EXTERNAL = "or set CODEMATION_DATABASE_URL to a PostgreSQL server of your own"

_NO_ROOM = ("No space left on device", "Disk quota exceeded", "File too large")


class EmbeddedError(HostError):
    """The embedded PostgreSQL server cannot be used."""


class ProgramsMissing(EmbeddedError):
    """The programs of the embedded PostgreSQL server are not installed."""


class NotAFolder(EmbeddedError):
    """The place for the embedded server is not a folder."""


class ReadOnlyFolder(EmbeddedError):
    """The folder for the embedded server cannot be written by this user."""


class NetworkFileSystem(EmbeddedError):
    """The folder for the embedded server is on a network file system."""


class OtherOwner(EmbeddedError):
    """The data of the embedded server belongs to another user."""


class OtherVersion(EmbeddedError):
    """The data was written by another major version of PostgreSQL."""


class ClusterDamaged(EmbeddedError):
    """A part of the embedded server's data is gone."""


class CopiedProject(EmbeddedError):
    """The project is a copy that points at the data of its original."""


class DiskFull(EmbeddedError):
    """There is no room for the data of the embedded server."""


class AccountUnavailable(EmbeddedError):
    """Root cannot hand the embedded server to an unprivileged account."""


class ForeignServer(EmbeddedError):
    """A server that was not started by codemation runs on the data."""


class ServerFailed(EmbeddedError):
    """The embedded server did not start, or does not answer."""


class Busy(EmbeddedError):
    """Another process has been starting or stopping the embedded server for too long."""


class ServerClosed(EmbeddedError):
    """The embedded server was closed by this process."""


def no_room(text: str) -> bool:
    """Whether a program's words say that the disk, the quota or the limit for files is reached."""
    return any(sign in text for sign in _NO_ROOM)


def disk_full(place: Path) -> DiskFull:
    """The refusal for a place without room."""
    return DiskFull(
        f"There is no room for the embedded PostgreSQL server in {place}.",
        way_out=f"Free about 100 MB there, {EXTERNAL}. Nothing was lost.",
    )


@contextmanager
def refusing(place: Path) -> Iterator[None]:
    """Turns what the operating system refuses about a place into an error that names the place and the way out."""
    try:
        yield
    except OSError as error:
        raise _refusal(error, place) from error


def _refusal(error: OSError, place: Path) -> EmbeddedError:
    reason = error.strerror or str(error)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return disk_full(place)
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return ReadOnlyFolder(
                f"The embedded PostgreSQL server needs to write in {place}, and this user cannot: {reason}.",
                way_out=f"Make the folder writable, use a project folder of your own, {EXTERNAL}.",
            )
        case errno.ENOTDIR | errno.EEXIST:
            return NotAFolder(
                f"The embedded PostgreSQL server needs a folder at {place}, and something else is there: {reason}.",
                way_out=f"Move it away, {EXTERNAL}.",
            )
        case _:
            return EmbeddedError(
                f"The embedded PostgreSQL server cannot use {place}: {reason}.",
                way_out=f"Use another project folder, {EXTERNAL}.",
            )

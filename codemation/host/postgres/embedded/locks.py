"""Locks between processes: kernel locks on files, which end with their holder, however it ends.

Four files carry them. `users.lock` is shared by everybody who uses the server; the watchdog waits to have it alone.
`start.lock` is held by whoever creates, starts or stops the server. `watchdog.lock` is held by the watchdog as long as
it lives. `server.lock` is inherited by the server and all its processes, so it is free exactly when none of them is
left: a pid file can lie after a power cut, a kernel lock cannot.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from codemation.host.postgres.embedded.errors import EXTERNAL, Busy

PATIENCE = 120.0
"""Seconds to wait for another process that starts or stops the server; the watchdog gives itself 80 to stop it."""


_descriptors: set[int] = set()


def open_lock(path: Path) -> int:
    """A descriptor of a lock file, which is made if it is missing; only a program that is given it inherits it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _descriptors.add(descriptor)
    return descriptor


def close_lock(descriptor: int) -> None:
    """Closes a lock file; its lock ends unless somebody has inherited it."""
    _descriptors.discard(descriptor)
    os.close(descriptor)


@contextmanager
def lock_file(path: Path) -> Iterator[int]:
    """A lock file for a while."""
    descriptor = open_lock(path)
    try:
        yield descriptor
    finally:
        close_lock(descriptor)


def _close_in_child() -> None:
    """Frees a forked child of what its parent locks at that moment; unlocking would unlock it for the parent too."""
    for descriptor in _descriptors:
        os.close(descriptor)
    _descriptors.clear()


os.register_at_fork(after_in_child=_close_in_child)


def try_lock(descriptor: int, operation: int) -> bool:
    """Takes a lock if that is possible at once."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take_lock(descriptor: int, operation: int, path: Path) -> None:
    """Takes a lock as soon as its holders let go.

    Raises:
        Busy: they did not within `PATIENCE`.
    """
    deadline, pause = time.monotonic() + PATIENCE, 0.002
    while not try_lock(descriptor, operation):
        if time.monotonic() > deadline:
            raise Busy(
                f"Another process has held {path} for more than {PATIENCE:.0f} s.",
                way_out=f"See who it is with `fuser {path}`, end it and try again, {EXTERNAL}.",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


@contextmanager
def starting(path: Path, make_folder: Callable[[], None]) -> Iterator[int]:
    """Holds the lock under which servers are created, started and stopped; gives its descriptor."""
    while True:
        make_folder()
        with lock_file(path) as descriptor:
            take_lock(descriptor, fcntl.LOCK_EX, path)
            if _is_current(descriptor, path):
                yield descriptor
                return


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Holds a folder to itself, for a decision that is made once; needs no file in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    _descriptors.add(descriptor)
    try:
        take_lock(descriptor, fcntl.LOCK_EX, folder)
        yield
    finally:
        close_lock(descriptor)


def _is_current(descriptor: int, path: Path) -> bool:
    """Whether the locked file is still the one at its path: the folder may have been deleted while we waited."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


class SharedLock:
    """One process's share of a lock; a forked child has none of its own until it takes one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = open_lock(path)
        self._owner = os.getpid()
        try:
            take_lock(self._descriptor, fcntl.LOCK_SH, path)
        except BaseException:
            close_lock(self._descriptor)
            raise

    @property
    def held(self) -> bool:
        """Whether this very process holds the share."""
        return self._owner == os.getpid() and self._descriptor >= 0

    @property
    def counts(self) -> bool:
        """Whether the share is held, and of the file that others see: the folder may have been made anew."""
        return self.held and _is_current(self._descriptor, self._path)

    def drop(self) -> None:
        """Gives the share back, also for copies that a program forked past Python may have of it."""
        if self.held:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            close_lock(self._descriptor)
            self._descriptor = -1

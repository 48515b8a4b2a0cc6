"""Putting files in their place at once: whoever looks sees the old or the new, whole, and never a half."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from codemation.core.errors import NodeError

_EXCHANGE: Final = 2
"""The flag of renameat2 that lets two names change places."""
_HERE: Final = -100


def refuse_existing(path: Path) -> None:
    """Fail because something is there.

    Raises:
        NodeError: it is.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise NodeError(
            f"{path.absolute()} is there already", way_out='if_exists="overwrite" replaces it, "append" adds to it'
        )


@contextmanager
def drafted(path: Path, key: str) -> Iterator[Path]:
    """A hidden place beside `path` to write to, which is gone afterwards.

    Of a killed write it stays, and the next try with the same key replaces it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{name_of(key)}.tmp.{path.name[-100:]}")  # with its ending, which says the form
    _remove(draft)
    try:
        yield draft
    finally:
        _remove(draft)


def name_of(key: str) -> str:
    """A name for what is written under a key: the same for the same key, its own if there is none."""
    return hashlib.sha256(key.encode()).hexdigest()[:16] if key else uuid.uuid4().hex[:16]


def put(draft: Path, path: Path) -> None:
    """Let the draft, which is on the disk before, take the place of `path`."""
    for written in [draft, *draft.rglob("*")] if draft.is_dir() else [draft]:
        _sync(written)
    path.parent.mkdir(parents=True, exist_ok=True)
    if draft.is_dir() and path.is_dir():
        _exchange(draft, path)
    else:
        draft.replace(path)
    _sync(path.parent)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _exchange(draft: Path, path: Path) -> None:
    """Let two folders change places in one step where the system can do that, else in two."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        if libc.renameat2(_HERE, os.fsencode(draft), _HERE, os.fsencode(path), _EXCHANGE) == 0:
            return
        failed = ctypes.get_errno()
        if failed not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise OSError(failed, os.strerror(failed), str(path))
    aside = draft.with_name(f"{draft.name}.old")
    path.rename(aside)
    try:
        draft.rename(path)
    except OSError:
        aside.rename(path)
        raise
    shutil.rmtree(aside)


def _sync(path: Path) -> None:
    """Have the system write down what it holds of a file, or of the names in a folder."""
    held = os.open(path, os.O_RDONLY)
    try:
        with suppress(PermissionError):  # some systems do not let folders be synced
            os.fsync(held)
    finally:
        os.close(held)

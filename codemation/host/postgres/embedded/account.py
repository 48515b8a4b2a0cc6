"""As whom the server runs.

An ordinary user's server runs as that user. PostgreSQL refuses to run as root, so root's server runs under an account
of its own: a user id without a name, from a range that neither distributions nor systemd hand out. `nobody` would be at
hand, but other services run as `nobody` too and could read the data; making a named account needs tools that small
images lack, and changes the machine. Only `initdb` insists on a name, so it alone runs as `nobody`, for a second, in a
private folder that is handed over before the first start.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codemation.host.postgres.embedded.errors import EXTERNAL, AccountUnavailable

RESERVED = range(60706, 61184)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user and a group of the operating system, by number."""

    uid: int
    gid: int

    def may_pass(self, status: os.stat_result) -> bool:
        """Whether this account may go through a folder (or execute a file) by its mode."""
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)

    def barrier(self, path: Path) -> Path | None:
        """The first folder on the way to (and including) a path that this account may not pass."""
        for folder in (*reversed(path.parents), path):
            if not self.may_pass(folder.stat()):
                return folder
        return None


def dedicated() -> Account:
    """The account for a new server of root's."""
    for uid in reversed(RESERVED):
        if nameless(uid):
            return Account(uid=uid, gid=uid)
    raise AccountUnavailable(
        f"Root's server needs a user id without a name, and all from {RESERVED[0]} to {RESERVED[-1]} have one here.",
        way_out=f"Run codemation as an ordinary user, {EXTERNAL}.",
    )


def initialiser() -> Account:
    """The named account under which root runs `initdb`, which looks its user's name up."""
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        others = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
        if not others:
            raise AccountUnavailable(
                "Root cannot initialise a PostgreSQL server, and /etc/passwd names nobody else.",
                way_out=f"Add an account `nobody`, run codemation as an ordinary user, {EXTERNAL}.",
            ) from None
        entry = others[0]
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def identity(account: Account | None) -> dict[str, Any]:
    """What makes `subprocess` run a program under an account, and under no other group."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def hand_over(folder: Path, account: Account) -> None:
    """Gives a folder and all in it to an account; symbolic links are given, not followed."""
    with becoming(account):
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


@contextmanager
def becoming(account: Account | None) -> Iterator[None]:
    """Names the cause when root may not act for an account, as in a container that maps no other users.

    Raises:
        AccountUnavailable: the system refused.
    """
    try:
        yield
    except OSError as error:
        if account is None or error.errno not in {errno.EPERM, errno.EINVAL}:
            raise
        raise AccountUnavailable(
            f"Root's embedded PostgreSQL server runs as user id {account.uid}, and that is refused: {error.strerror}.",
            way_out=f"Run codemation as an ordinary user, {EXTERNAL}.",
        ) from error


def name_of(uid: int) -> str:
    """A user for people: the name, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"


def nameless(uid: int) -> bool:
    """Whether a user id has no name on this machine."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return True
    return False

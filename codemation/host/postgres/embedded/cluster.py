"""The cluster: made whole or not at all, and checked before a server is let near it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from codemation.host.postgres.embedded.account import Account, becoming, hand_over, identity, initialiser, nameless
from codemation.host.postgres.embedded.errors import (
    EXTERNAL,
    AccountUnavailable,
    ClusterDamaged,
    OtherVersion,
    ServerFailed,
    disk_full,
    no_room,
)
from codemation.host.postgres.embedded.filesystem import sync_folder, write_private
from codemation.host.postgres.embedded.home import Home, other_owner
from codemation.host.postgres.embedded.programs import MAJOR, Programs, environment

ROLE = "codemation"
DATABASE = "postgres"

_DRAFT = "draft-"
_OPTIONS = ("--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions", "--no-sync")  # synced when whole


def check_cluster(home: Home) -> None:
    """Refuses a cluster that this server must not touch, and closes one that was opened to others.

    Raises:
        OtherOwner: it belongs to another user.
        OtherVersion: it was written by another major version.
        ClusterDamaged: it is no cluster, or its password is gone.
    """
    owner, status = home.account.uid if home.account else os.geteuid(), home.data.stat()
    if status.st_uid != owner:
        raise other_owner(home.data, status.st_uid)
    try:
        version = (home.data / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        raise ClusterDamaged(
            f"{home.data} is no PostgreSQL cluster: it has no PG_VERSION.",
            way_out=f"Bring it back from a backup, or move it away to start with an empty database, {EXTERNAL}.",
        ) from None
    if version != str(MAJOR):
        raise OtherVersion(
            f"{home.data} was written by PostgreSQL {version}, and this release of codemation runs {MAJOR}.",
            way_out=f"Use the release that wrote it (or its dump), or move it away to start empty, {EXTERNAL}.",
        )
    if not home.password.is_file():
        raise ClusterDamaged(
            f"The password file {home.password} is gone, so nobody can log in to {home.data}.",
            way_out=f"Bring the file back, or move {home.data} away to start with an empty database, {EXTERNAL}.",
        )
    if status.st_mode & 0o777 != 0o700:  # as a copy or a restored backup may have it; PostgreSQL would refuse
        home.data.chmod(0o700)
    if home.password.stat().st_mode & 0o777 != 0o600:
        home.password.chmod(0o600)


def create_cluster(home: Home, programs: Programs, start_lock: int, short: Path) -> None:
    """Makes the cluster beside its place and moves it there when it is whole and safely on disk.

    `short` is a path to the home that is short enough for PostgreSQL. `initdb` inherits the lock: if we are killed, the
    next one waits for its end before it removes the leftovers.
    """
    for leftover in home.folder.glob(f"{_DRAFT}*"):
        shutil.rmtree(leftover)
    builder = initialiser() if home.account else None
    if builder is None and nameless(os.geteuid()):
        raise AccountUnavailable(
            f"PostgreSQL's initdb needs a name for its user, and user id {os.geteuid()} has none on this machine.",
            way_out=f"Give it a line in /etc/passwd, run codemation as a user with a name, {EXTERNAL}.",
        )
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=home.folder))
    password = secrets.token_urlsafe(32)
    try:
        data, built = draft / "data", short / draft.name / "data"
        write_private(draft / "password", password.encode())
        if builder:
            hand_over(draft, builder)
        login = (f"--username={ROLE}", f"--pwfile={built.with_name('password')}", "--auth=scram-sha-256")
        _initdb(programs, built, (*login, *_OPTIONS), account=builder, start_lock=start_lock)
        if home.account:
            hand_over(draft, home.account)
        _initdb(programs, built, ("--sync-only",), account=home.account or builder, start_lock=start_lock)
        write_private(home.password, f"*:*:*:{ROLE}:{password}\n".encode())
        data.rename(home.data)
        sync_folder(home.folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _initdb(
    programs: Programs, data: Path, options: tuple[str, ...], *, account: Account | None, start_lock: int
) -> None:
    with becoming(account):
        ended = subprocess.run(
            [programs.initdb, "-D", data, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            cwd="/",
            env=environment(),
            umask=0o077,
            start_new_session=True,
            pass_fds=(start_lock,),
            **identity(account),
        )
    if ended.returncode:
        said = ended.stdout.decode(errors="replace").strip()
        if no_room(said):
            raise disk_full(data.parent.parent)
        raise ServerFailed(
            f"initdb could not make a PostgreSQL cluster in {data.parent.parent}:\n{said[-2000:]}",
            way_out=f"Remove the cause that it names and try again, {EXTERNAL}.",
        )

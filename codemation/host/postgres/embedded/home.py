"""Where one embedded server keeps everything, and whether it may.

    .codemation/postgres/        0700; as root 0711, so that the server's account can pass
        data/                    the cluster, 0700, owned by the server's account
        socket/                  the socket, 0700, owned by the server's account
        password                 libpq's password file, 0600
        server.log               what the server says, bounded by the watchdog
        *.lock                   see `locks`

Root may work in a place that the server's account cannot reach, such as `/root`. Nobody's permissions are opened for
that: the home is then made in the system's state folder, and `.codemation/postgres-home` says under which name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from codemation.host.postgres.embedded.account import RESERVED, Account, dedicated, name_of
from codemation.host.postgres.embedded.errors import EXTERNAL, NotAFolder, OtherOwner, refusing
from codemation.host.postgres.embedded.filesystem import PASSABLE, check_local, make_folder, mounts
from codemation.host.postgres.embedded.locks import locked_folder
from codemation.host.postgres.embedded.pointer import follow, pointer_of, settle, unreachable

SYSTEM_STATE = Path("/var/lib/codemation")
"""Where root keeps what its server's account must reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folder of one embedded server, and the account that the server runs as (None: the user's own)."""

    folder: Path
    state: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """The cluster."""
        return self.folder / "data"

    @property
    def password(self) -> Path:
        """The password file, as libpq reads it."""
        return self.folder / "password"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"

    def lock(self, name: str) -> Path:
        """One of the lock files: users, start, watchdog or server."""
        return self.folder / f"{name}.lock"

    def make(self) -> None:
        """Makes the folder, private to its user; root's lets the server's account pass, and nothing more."""
        mode = 0o700 if self.account is None else PASSABLE
        with refusing(self.folder):
            if not self.folder.is_dir():
                self.folder.mkdir(mode=0o700, exist_ok=True)
            status = self.folder.stat()
            if status.st_uid != os.geteuid():
                raise other_owner(self.folder, status.st_uid)
            if status.st_mode & 0o777 != mode:
                self.folder.chmod(mode)


def find_home(directory: Path, state: Path) -> Home:
    """The home of a project's server: in its `.codemation/`, or where root's server can reach it.

    Raises:
        EmbeddedError: the place cannot be used; the error's class says why.
    """
    directory = _project_folder(directory)
    home = _home_of_root(directory, state) if os.geteuid() == 0 else _home_of_user(directory, state)
    home.make()
    check_local(home.folder, mounts())
    return home


def _project_folder(directory: Path) -> Path:
    """The project's resolved `.codemation/`, made if only the last step of the path is missing."""
    directory = directory.absolute()
    with refusing(directory):
        if not directory.parent.is_dir():
            raise NotAFolder(
                f"{directory.parent} is not a folder, so there is no place for {directory.name} in it.",
                way_out="Run codemation in a project folder, or make it with `codemation new`.",
            )
        if os.geteuid() == 0 and not directory.is_file():
            make_folder(directory, PASSABLE)
        elif not directory.exists():
            directory.mkdir(mode=0o700, exist_ok=True)
        if not directory.is_dir():
            raise NotAFolder(
                f"{directory} is a file, and the embedded PostgreSQL server needs a folder there.",
                way_out=f"Move the file away, {EXTERNAL}.",
            )
        return directory.resolve()


def _home_of_user(directory: Path, state: Path) -> Home:
    pointer = pointer_of(directory)
    with refusing(directory):
        if pointer.is_file():
            raise other_owner(pointer, pointer.stat().st_uid)
    return Home(folder=directory / "postgres", state=state, account=None)


def _home_of_root(directory: Path, state: Path) -> Home:
    """Root's home: where the pointer says, else in the project if the server can be there, else in the state folder.

    It is chosen under a lock, once: two processes that chose differently would have two databases.
    """
    pointer, inside = pointer_of(directory), directory / "postgres"
    with refusing(directory), locked_folder(directory):
        if pointer.is_file():
            folder = follow(pointer, state)
            return Home(folder=folder, state=state, account=_account(folder / "data"))
        account = _account(inside / "data")
        home = Home(folder=inside, state=state, account=account)
        barrier = account.barrier(directory)
        if barrier is None and not is_long(inside):
            home.make()
            return home
        if inside.exists():
            raise unreachable(inside, barrier or directory)
        return Home(folder=settle(pointer, state, account), state=state, account=account)


def _account(data: Path) -> Account:
    """The account that owns the cluster, or the one for a new cluster."""
    if not data.exists():
        return dedicated()
    status = data.stat()
    if status.st_uid not in RESERVED:
        raise other_owner(data, status.st_uid)
    return Account(uid=status.st_uid, gid=status.st_gid)


def is_long(folder: Path) -> bool:
    """Whether a path, with what PostgreSQL appends to it, comes near its limit of 1024 bytes."""
    return len(os.fsencode(folder)) > 800


def other_owner(place: Path, uid: int) -> OtherOwner:
    """The refusal for a place that belongs to somebody else."""
    return OtherOwner(
        f"The embedded PostgreSQL server in {place} belongs to {name_of(uid)}, and this is {name_of(os.geteuid())}.",
        way_out=f"Run codemation as {name_of(uid)}, use another project folder, {EXTERNAL}.",
    )

"""Where the server listens: a socket in a private folder, and nowhere else.

The path of a socket must fit into 107 bytes (103 on macOS), and libpq and PostgreSQL read commas and quotes in it as
lists. So the socket lies in the home where its path is short and plain, else in a folder of its own under `/tmp`, which
`socket-folder` in the home names.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from codemation.host.postgres.embedded.account import Account, hand_over
from codemation.host.postgres.embedded.cluster import DATABASE, ROLE
from codemation.host.postgres.embedded.filesystem import write_private
from codemation.host.postgres.embedded.home import Home, is_long

PORT = 5432
"""It only names the socket: there is no network."""

_LONGEST = 103
_PLAIN = re.compile(r"/[A-Za-z0-9/._+-]*")
_TOO_MANY_CONNECTIONS = b"53300"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """How a client reaches the server; the password stays in its file."""

    folder: Path
    password: Path

    @property
    def socket(self) -> Path:
        """The socket."""
        return self.folder / f".s.PGSQL.{PORT}"

    @property
    def url(self) -> str:
        """A connection URL as libpq, psycopg and SQLAlchemy read it."""
        folder, password = (quote(os.fsencode(path), safe="") for path in (self.folder, self.password))
        return f"postgresql://{ROLE}@/{DATABASE}?host={folder}&port={PORT}&passfile={password}"

    def answers(self, seconds: float = 5.0) -> bool:
        """Whether the server would let a client log in now: not while it starts, recovers or stops."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(seconds)
            client.connect(os.fspath(self.socket))
            wanted = f"user\0{ROLE}\0database\0{DATABASE}\0\0".encode()
            client.sendall((len(wanted) + 8).to_bytes(4) + (3 << 16).to_bytes(4) + wanted)
            answer = client.recv(1024)
            return answer[:1] == b"R" or b"\0C" + _TOO_MANY_CONNECTIONS + b"\0" in answer
        return False


def find_address(home: Home) -> Address:
    """The address of a home's server; its folder is made, or made again, if it is missing."""
    inside, record = home.folder / "socket", home.folder / "socket-folder"
    known = [inside] if _fits(inside) else []
    if record.is_file():
        known.append(Path(os.fsdecode(record.read_bytes())))
    for folder in known:
        if _private(folder, home.account):
            return Address(folder=folder, password=home.password)
    place = "/tmp" if os.access("/tmp", os.W_OK) else None  # noqa: S108 - a folder of our own is made in it
    folder = Path(tempfile.mkdtemp(prefix="codemation-", dir=place))
    if home.account:
        hand_over(folder, home.account)
    write_private(record, os.fsencode(folder))
    return Address(folder=folder, password=home.password)


def shortened(home: Home, address: Address) -> Path:
    """The home by a path that fits into PostgreSQL's 1024 bytes: a link beside the socket where its own is longer."""
    if not is_long(home.folder):
        return home.folder
    link = address.folder / "home"
    if not link.is_symlink() or link.readlink() != home.folder:
        link.unlink(missing_ok=True)
        link.symlink_to(home.folder)
    return link


def _fits(folder: Path) -> bool:
    path = os.fspath(folder / f".s.PGSQL.{PORT}.lock")
    return len(os.fsencode(path)) <= _LONGEST and _PLAIN.fullmatch(path) is not None


def _private(folder: Path, account: Account | None) -> bool:
    """Makes a folder private to the server's account; false if it is not, as when somebody else took its place."""
    owner = account.uid if account else os.geteuid()
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if account:
            hand_over(folder, account)
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == owner and stat.S_IMODE(status.st_mode) == 0o700

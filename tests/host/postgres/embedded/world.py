"""What the tests of the embedded server stand on: projects, visitors (processes that use a server), and their end."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from codemation.host.postgres.embedded import EmbeddedServer, open_embedded, watchdog
from codemation.host.postgres.embedded.home import Home, find_home
from codemation.host.postgres.embedded.locks import lock_file
from codemation.host.postgres.embedded.postmaster import running

ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).resolve().parents[4]
PATIENCE = 60.0
GRACE = 0.2


def ground() -> Path:
    """Where tests make their folders: in memory if there is room, so that they do not wait for a busy disk."""
    memory = Path("/dev/shm")  # noqa: S108 - as below
    if memory.is_dir():
        room = os.statvfs(memory)
        if not room.f_flag & os.ST_NOEXEC and room.f_bavail * room.f_frsize > 4_000_000_000:
            return memory
    return Path("/tmp")  # noqa: S108 - each test makes a folder of its own in it; sockets need short paths


SHORT = ground()

VISIT = """
import sys
from pathlib import Path
from codemation.host.postgres.embedded import open_embedded
server = open_embedded(Path(sys.argv[1]), state=Path(sys.argv[2]), grace=float(sys.argv[3]))
print(server.url, flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project folder of a test, and the system's state folder as the test has it."""

    folder: Path
    state: Path

    @property
    def directory(self) -> Path:
        """The project's own folder for codemation."""
        return self.folder / ".codemation"

    def open(self, grace: float = GRACE) -> EmbeddedServer:
        """Opens the server in this process."""
        return open_embedded(self.directory, state=self.state, grace=grace)

    def visit(self, grace: float = GRACE) -> Visitor:
        """Opens the server in a process of its own."""
        return Visitor([VISIT, self.directory, self.state, str(grace)])

    @property
    def home(self) -> Home:
        """Where the server keeps everything."""
        return find_home(self.directory, self.state)

    @property
    def postmaster(self) -> int | None:
        """The process id of the server."""
        return watchdog.postmaster(os.fspath(self.home.data))

    def watchdogs(self) -> list[psutil.Process]:
        """The watchdogs of the server."""
        return processes(watchdog.__file__, os.fspath(self.home.folder))

    def servers(self) -> list[psutil.Process]:
        """The servers on the cluster, without the processes of theirs that still bear their name."""
        data = os.fspath(self.home.data)
        found = {process.pid: process for process in processes("-D") if watchdog.serves(process.pid, data)}
        return [process for process in found.values() if parent(process) not in {None, *found}]

    def at_rest(self) -> bool:
        """Whether neither a server nor a watchdog is left."""
        return not running(self.home) and not self.watchdogs()


class Visitor:
    """A process that opens a project's server and uses it until it is told to leave, or is killed."""

    def __init__(self, arguments: list[str | Path]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, sys.path)])},
            text=True,
        )

    def url(self) -> str:
        """The server's URL, as soon as it has one."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, self.process.communicate()[1]
        return line

    def leave(self) -> None:
        """Lets it end by itself."""
        self.process.communicate(timeout=PATIENCE)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


def parent(process: psutil.Process) -> int | None:
    """The process id of a process's parent, while there is a process."""
    try:
        return int(process.ppid())
    except psutil.NoSuchProcess:
        return None


def processes(*words: str) -> list[psutil.Process]:
    """The living processes whose command lines have all of these words."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            if set(words) <= set(process.cmdline()):
                found.append(process)
    return found


def eventually(condition: Callable[[], bool], *, within: float = PATIENCE) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not so within {within:.0f} s"
        time.sleep(0.02)


def query(url: str, statement: str) -> object:
    """The first value that a statement gives."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def kill_server(project: Project) -> None:
    """Kills the server's first process; the others see it and end."""
    process = project.postmaster
    assert process is not None
    os.kill(process, signal.SIGKILL)


def modes(path: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode, owner and group of a folder and of everything above it."""
    return {
        folder: (status.st_mode, status.st_uid, status.st_gid)
        for folder in (path, *path.parents)
        for status in [folder.stat()]
    }


@contextmanager
def temporary_project(*, mode: int = 0o755, base: Path = SHORT) -> Iterator[Project]:
    """A project under a short path that others may pass (or not, by mode); nothing is left of it or its server."""
    top = Path(tempfile.mkdtemp(prefix="embedded-", dir=base))
    try:
        top.chmod(0o755)
        (top / "project").mkdir()
        (top / "project").chmod(mode)
        yield Project(folder=top / "project", state=top / "state")
    finally:
        sweep(top)


def sweep(top: Path) -> None:
    """Ends all servers and watchdogs under a folder, and removes it."""
    for lock in [*top.rglob("server.lock")]:
        end(lock.parent)
    shutil.rmtree(top)


def forget_memory(home: Path) -> None:
    """Frees the few bytes of shared memory of a killed server that nobody started again."""
    pid_file = home / "data" / "postmaster.pid"
    lines = pid_file.read_text(errors="replace").splitlines() if pid_file.is_file() else []
    if len(lines) > 6 and lines[6].split()[1:]:
        ctypes.CDLL(None).shmctl(int(lines[6].split()[1]), 0, None)


def end(home: Path) -> None:
    """Ends one home's watchdog and server."""
    for process in processes(watchdog.__file__, os.fspath(home)):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    with lock_file(home / "server.lock") as descriptor:
        assert watchdog.stop(os.fspath(home / "data"), descriptor)
    forget_memory(home)
    record = home / "socket-folder"
    if record.is_file():
        shutil.rmtree(record.read_text(), ignore_errors=True)

"""The server process and its watchdog: how they are started, and how the server is set."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codemation.host.postgres.embedded import watchdog
from codemation.host.postgres.embedded.account import becoming, identity
from codemation.host.postgres.embedded.address import PORT, Address, shortened
from codemation.host.postgres.embedded.errors import (
    EXTERNAL,
    EmbeddedError,
    ForeignServer,
    ServerFailed,
    disk_full,
    no_room,
)
from codemation.host.postgres.embedded.home import Home
from codemation.host.postgres.embedded.locks import lock_file, try_lock
from codemation.host.postgres.embedded.programs import Programs, environment

SETTINGS = {
    # durable
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # no network, and nobody but the server's account and root at the socket
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    # small: one person's machine, many short statements
    "shared_buffers": "32MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "32MB",
    "max_connections": "100",
    "autovacuum_max_workers": "2",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "io_method": "sync",
    "jit": "off",
    "huge_pages": "off",
    # in its own folder: containers keep /dev/shm tiny, and what a killed server leaves there stays until a reboot
    "dynamic_shared_memory_type": "mmap",
    # no copies of this server: fewer processes, less WAL
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_replication_slots": "0",
    "max_logical_replication_workers": "0",
    # bounded on disk
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "temp_file_limit": "2GB",
    # clients that freeze or vanish let go; a transaction of ours sets a shorter limit of its own
    "idle_in_transaction_session_timeout": "10min",
    "client_connection_check_interval": "10s",
    # a log without statements and values, which may be secrets
    "logging_collector": "off",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

GRACE = 3.0
"""Seconds that the server outlives its last user: long enough for the next command of a script to find it."""


def start_watchdog(home: Home, grace: float) -> None:
    """Starts the watchdog unless one lives; what we start ends as soon as the watchdog stands on its own.

    Raises:
        ServerFailed: it did not come to stand on its own.
    """
    with lock_file(home.lock("watchdog")) as lock:
        if not try_lock(lock, fcntl.LOCK_EX):
            return
        command: list[str | Path] = [sys.executable, "-I", "-S", watchdog.__file__, home.folder, str(lock), str(grace)]
        with _detached(home, command, lock, {}) as first:
            if first.wait():
                raise ServerFailed(
                    f"The watchdog of the embedded PostgreSQL server in {home.folder} did not start.",
                    way_out=f"See {home.log} for its last words, {EXTERNAL}.",
                )


def start_server(home: Home, programs: Programs, address: Address) -> bool:
    """Starts the server if no process of one is left; false if there is one, in whatever state.

    Raises:
        ForeignServer: somebody else's server is at work on the cluster.
    """
    with lock_file(home.lock("server")) as lock:
        if not try_lock(lock, fcntl.LOCK_EX):
            return False
        _clear_stale_files(home, programs, address)
        watchdog.limit_log(os.fspath(home.log))
        settings = {**SETTINGS, "unix_socket_directories": '"' + os.fspath(address.folder).replace('"', '""') + '"'}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # The shell starts it in the background and ends: nobody who uses the server must have to reap it.
        command: list[str | Path] = [
            "/bin/sh",
            "-c",
            '"$@" &',
            "sh",
            programs.postgres,
            "-D",
            shortened(home, address) / "data",
            *options,
        ]
        with becoming(home.account), _detached(home, command, lock, identity(home.account)) as shell:
            shell.wait()
        return True


def running(home: Home) -> bool:
    """Whether any process of the server is left, in whatever state."""
    with lock_file(home.lock("server")) as lock:
        return not try_lock(lock, fcntl.LOCK_EX)


def stop_unreachable(home: Home, address: Address) -> bool:
    """Stops a server that is ready but whose socket somebody deleted; true if that was so."""
    if address.socket.exists() or not ready(home):
        return False
    with lock_file(home.lock("server")) as lock:
        return watchdog.stop(os.fspath(home.data), lock)


def failure(home: Home, since: int) -> EmbeddedError:
    """Why the server did not start or does not answer, in its own words since an offset in its log."""
    said = ""
    if home.log.exists():
        with home.log.open("rb") as file:
            file.seek(since)
            said = file.read()[-2000:].decode(errors="replace").strip()
    if no_room(said):
        return disk_full(home.folder)
    return ServerFailed(
        f"The embedded PostgreSQL server on {home.data} did not get ready:\n{said or '(it said nothing)'}",
        way_out=f"Remove the cause that it names and try again (its log: {home.log}), {EXTERNAL}.",
    )


def ready(home: Home) -> bool:
    """Whether the server's pid file calls it ready."""
    try:
        lines = (home.data / "postmaster.pid").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def _clear_stale_files(home: Home, programs: Programs, address: Address) -> None:
    """Removes what a killed server left behind, now that the lock proves that none of its processes lives.

    PostgreSQL starts over the pid file of a dead process by itself, and checks more than we do; but it refuses while
    the id is alive, even as that of another program.
    """
    data, pid_file = os.fspath(home.data), home.data / "postmaster.pid"
    process = watchdog.recorded(data)
    if process is not None and watchdog.serves(process, data) is not False:
        raise ForeignServer(
            f"A PostgreSQL server that codemation did not start (process {process}) is at work on {data}.",
            way_out=f"Stop it with `{programs.pg_ctl} stop -D {data}` and try again, {EXTERNAL}.",
        )
    if process is None or _alive(process):  # a power cut may have left it empty, too
        pid_file.unlink(missing_ok=True)
    for left_behind in (address.socket, address.socket.with_name(f"{address.socket.name}.lock")):
        left_behind.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _detached(home: Home, command: Sequence[str | Path], lock: int, who: dict[str, Any]) -> subprocess.Popen[bytes]:
    """A process in a session of its own, out of reach of Ctrl-C, that inherits one lock and speaks into the log."""
    log = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment(),
            umask=0o077,
            start_new_session=True,
            pass_fds=(lock,),
            **who,
        )
    finally:
        os.close(log)

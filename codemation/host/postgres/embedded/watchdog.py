"""Stops the server a few seconds after its last user is gone, and keeps its log small meanwhile.

It is executed as a file by `python -I -S`, so it imports next to nothing and costs a few megabytes; it is also a
module, because whoever starts the server needs the same knowledge of it. It never needs to be told that a user has
gone: the kernel ends a user's lock with the user, and then gives the watchdog the lock that it waits for.

Usage: watchdog.py <home> <descriptor of the locked watchdog.lock> <seconds of grace>
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

LOG_LIMIT = 1_000_000
LOG_CHECK_SECONDS = 30.0
STOP_STEPS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 15.0), (signal.SIGKILL, 5.0))
"""Fast, then immediate, then by force; each with the seconds that it is given. Nothing committed is lost by any."""


def postmaster(data: str) -> int | None:
    """The process id of the server on a cluster, if the one in its pid file really is that server.

    After a power cut the id may belong to somebody else, and root reads here what the server's account has written.
    """
    process = recorded(data)
    return process if process is not None and serves(process, data) else None


def recorded(data: str) -> int | None:
    """The process id in a cluster's pid file, whoever it belongs to by now."""
    try:
        with open(f"{data}/postmaster.pid", encoding="utf-8", errors="replace") as file:
            process = abs(int(file.readline()))  # negative: a server in single-user mode
            return process if 0 < process < 2**31 else None
    except (OSError, ValueError):
        return None


def serves(process: int, data: str) -> bool | None:
    """Whether a process is the server on a cluster; None if it is a server and nothing says on which."""
    try:
        owner, command = _process(process)
        if owner != os.stat(data).st_uid or os.path.basename(command[0]) not in {"postgres", "postmaster"}:
            return False
        place = _working_folder(process) or (command[command.index("-D") + 1] if "-D" in command[:-1] else "")
        return os.path.samefile(place, data) if os.path.isabs(place) else None
    except (OSError, ValueError):
        return False


def _process(process: int) -> tuple[int, list[str]]:
    """The owner and the command line of a process."""
    if os.path.exists("/proc/self/cmdline"):
        with open(f"/proc/{process}/cmdline", "rb") as file:
            return os.stat(f"/proc/{process}").st_uid, [os.fsdecode(word) for word in file.read().split(b"\0")]
    import subprocess  # noqa: PLC0415 - where there is no /proc

    listing = subprocess.run(
        ["/bin/ps", "-ww", "-o", "uid=,command=", "-p", str(process)], capture_output=True, check=False
    )
    owner, _, command = os.fsdecode(listing.stdout).strip().partition(" ")
    program, _, options = command.strip().partition(" -D ")
    return int(owner), [program, "-D", options.partition(" -c ")[0]]


def _working_folder(process: int) -> str:
    """The folder in which a process works, which for a server is its cluster, even one that was moved since."""
    link = f"/proc/{process}/cwd"
    return link if os.access(link, os.X_OK) else ""


def stop(data: str, server_lock: int, steps: tuple[tuple[signal.Signals, float], ...] = STOP_STEPS) -> bool:
    """Stops the server on a cluster; true when none of its processes is left."""
    return any(_stopped(data, server_lock, step, seconds) for step, seconds in steps)


def _stopped(data: str, server_lock: int, step: signal.Signals, seconds: float) -> bool:
    """Signals the server, also one that is only just starting, and waits until all of its processes have ended."""
    signalled, deadline = None, time.monotonic() + seconds
    while time.monotonic() < deadline:
        process = postmaster(data)
        if process is not None and process != signalled:
            try:
                os.kill(process, step)
            except ProcessLookupError:  # it ended by itself in this moment
                continue
            signalled = process
        if _take(server_lock):
            return True
        time.sleep(0.02)
    return False


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def limit_log(log: str) -> None:
    """Moves the end of a long log aside and empties it in place: the server goes on writing at its end."""
    try:
        if os.stat(log).st_size <= LOG_LIMIT:
            return
        with open(log, "rb+") as file:
            file.seek(-LOG_LIMIT, os.SEEK_END)
            end = file.read(LOG_LIMIT)
            descriptor = os.open(f"{log}.1", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as old:
                old.write(end)
            file.truncate(0)
    except OSError as error:  # no room, or the folder is gone: the next check tries again
        sys.stderr.write(f"watchdog: the log could not be shortened: {error}\n")


def watch(folder: str, watchdog_lock: int, grace: float) -> None:
    """Waits until nobody uses the server, and stops it under the lock under which it would be started.

    It stays with its folder when that is moved or replaced by another one, so that it never stops another server.
    """
    os.chdir(folder)
    locks = {name: os.open(f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600) for name in ("users", "start", "server")}
    if os.fork():  # the user that started us must not have to reap us
        os._exit(0)
    signal.signal(signal.SIGALRM, lambda *_: limit_log("server.log"))
    signal.setitimer(signal.ITIMER_REAL, LOG_CHECK_SECONDS, LOG_CHECK_SECONDS)
    while True:
        fcntl.flock(locks["users"], fcntl.LOCK_EX)
        fcntl.flock(locks["users"], fcntl.LOCK_UN)
        time.sleep(grace)
        fcntl.flock(locks["start"], fcntl.LOCK_EX)
        if _take(locks["users"]):
            stop("data", locks["server"])
            os.close(watchdog_lock)  # before others may start: they must see that we are gone
            return
        fcntl.flock(locks["start"], fcntl.LOCK_UN)


if __name__ == "__main__":
    watch(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))

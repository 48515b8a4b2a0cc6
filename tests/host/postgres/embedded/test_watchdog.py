"""The watchdog: small, patient, forceful where it must be, and the keeper of the log."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from codemation.host.postgres.embedded import open_embedded, watchdog
from codemation.host.postgres.embedded.locks import lock_file
from tests.host.postgres.embedded.world import Project, eventually


def test_by_default_the_server_waits_three_seconds(project: Project) -> None:
    with open_embedded(project.directory, state=project.state):
        [dog] = project.watchdogs()
        assert dog.cmdline()[-1] == "3.0"


def test_a_killed_watchdog_is_replaced_by_the_next_user(project: Project) -> None:
    first = project.open()
    [killed] = project.watchdogs()
    killed.kill()
    eventually(lambda: not project.watchdogs())
    second = project.open()
    assert len(project.watchdogs()) == 1
    first.close()
    second.close()
    eventually(project.at_rest)


def test_the_watchdog_costs_a_few_megabytes(project: Project) -> None:
    with project.open():
        [process] = project.watchdogs()
        assert process.memory_info().rss < 16_000_000
        assert process.num_threads() == 1


def test_the_log_is_cut_while_the_server_writes_it(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with log.open("ab", buffering=0) as server:
        for number in range(60_000):
            server.write(b"line %06d of the log, which is long\n" % number)
        watchdog.limit_log(str(log))
        server.write(b"and on it goes\n")
    assert log.read_bytes() == b"and on it goes\n"
    kept = log.with_name("server.log.1").read_bytes()
    assert len(kept) == watchdog.LOG_LIMIT
    assert kept.endswith(b"line 059999 of the log, which is long\n")
    watchdog.limit_log(str(log))
    assert log.read_bytes() == b"and on it goes\n"


def test_a_server_that_hangs_is_stopped_by_force(project: Project) -> None:
    with project.open():
        process = project.postmaster
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        steps = ((signal.SIGINT, 0.3), (signal.SIGQUIT, 0.3), (signal.SIGKILL, 30.0))
        with lock_file(project.home.lock("server")) as lock:
            assert watchdog.stop(os.fspath(project.home.data), lock, steps)

"""Programs that run side by side: what dies is started again, and nothing is left, however their starter ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from codemation.host.supervising import Guarded, Program, Supervisor
from tests.host.postgres.embedded.world import REPOSITORY

PATIENCE = 30.0
FAMILY = "import subprocess, sys; p = subprocess.Popen(['sleep', '300']); print(p.pid, flush=True); p.wait()"
"""A program with a child of its own."""
PARENT = f"""
import sys, time
from codemation.host.supervising import Guarded, Program
one = Guarded(Program(name="family", command=(sys.executable, "-c", {FAMILY!r})), grace=1.0)
print(one.process.pid, one.process.stdout.readline().decode().strip(), flush=True)
time.sleep(300)
"""


def until(condition: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether a process is over, reaped or not."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_a_program_and_its_children_end_with_a_starter_that_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert parent.stdout is not None
    child, grandchild = map(int, parent.stdout.readline().split())
    assert not gone(child)
    assert not gone(grandchild)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: gone(child) and gone(grandchild))


def test_a_program_that_does_not_listen_is_ended_by_force() -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(300)"
    )
    one = Guarded(Program(name="deaf", command=(sys.executable, "-c", deaf)), grace=0.2)
    assert one.process.stdout is not None
    one.process.stdout.readline()
    one.ask()
    one.end(time.monotonic() + 0.2)
    assert one.process.returncode == -signal.SIGKILL


def test_what_dies_is_started_again_later_each_time_and_said(tmp_path: Path) -> None:
    said: list[tuple[str, str]] = []
    counting = "import os; open('starts', 'a').write('x'); print('hello', os.environ['WORD'], flush=True)"
    program = Program(
        name="short", command=(sys.executable, "-c", counting), environment={"WORD": "world"}, folder=tmp_path
    )
    supervisor = Supervisor([program], lambda name, line: said.append((name, line)))
    supervisor.start()

    def started_twice() -> bool:
        supervisor.look()
        return len((tmp_path / "starts").read_text()) >= 2 if (tmp_path / "starts").exists() else False

    until(started_twice)
    until(lambda: said.count(("short", "hello world")) >= 2)
    supervisor.stop()
    mourned = [line for _, line in said if "exit code 0" in line]
    assert mourned[0].endswith("started again in 0.5 s")
    assert all(line.endswith("started again in 1 s") for line in mourned[1:2])


def test_all_are_asked_to_end_and_none_is_left() -> None:
    waiting = (sys.executable, "-c", "import time; time.sleep(300)")
    supervisor = Supervisor([Program(name=name, command=waiting) for name in "ab"], lambda name, line: None)
    supervisor.start()
    pids = [supervisor.pid(name) for name in "ab"]
    supervisor.stop()
    assert all(pid is not None and gone(pid) for pid in pids)
    assert [supervisor.pid(name) for name in "ab"] == [None, None]
    assert os.getpid() not in pids

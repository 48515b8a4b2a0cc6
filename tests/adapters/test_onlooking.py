"""What the command line tells of runs that workers do: as much as of runs of its own, and while they are done."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.fleet import PATIENCE, Fleet, running_fleet
from tests.adapters.mill import calls

DONE = re.compile(r"leisurely\s+(\d+) of 100\b")
COMMAND = str(Path(sys.executable).with_name("codemation"))


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running_fleet({"mill.py": "from tests.adapters.mill import *\n"}) as fleet:
        fleet.worker().ready()
        yield fleet


def started(fleet: Fleet, *words: str, **options: Any) -> subprocess.Popen[str]:
    """A command of ours in the folder, which goes on by itself."""
    environment = {**fleet.environment, "COLUMNS": "120", "TERM": "xterm-256color", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen([COMMAND, *words], cwd=fleet.folder, env=environment, text=True, **options)


def job(folder: Path, workflow: str = "mill") -> tuple[str, ...]:
    """A run whose second node waits for its gate."""
    (folder / "gate").touch()
    return "run", workflow, "--ledger", str(folder / "ledger"), "--gate", str(folder / "gate")


def test_each_node_is_told_when_a_worker_has_done_it(fleet: Fleet, tmp_path: Path) -> None:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(fleet, *job(tmp_path), **pipes) as running:
        assert running.stderr is not None
        assert "is left to the workers" in running.stderr.readline()
        assert running.stderr.readline().split()[:2] == ["✓", "first"]
        assert calls(tmp_path / "ledger", "last") == []
        watching = started(fleet, "runs", "show", "last", "--watch", **pipes)
        assert watching.stderr is not None
        assert "watching run" in watching.stderr.readline()
        assert watching.stderr.readline().split()[:2] == ["✓", "first"]
        (tmp_path / "gate").unlink()
        out, err = running.communicate(timeout=PATIENCE)
        assert [line.split()[1] for line in err.splitlines()[:2]] == ["held", "last"]
        assert ("✓ mill succeeded" in err, "3" in out, running.returncode) == (True, True, 0)
        out, err = watching.communicate(timeout=PATIENCE)
        assert [line.split()[1] for line in err.splitlines()] == ["held", "last"]
        assert ("mill  ✓ succeeded" in out, watching.returncode) == (True, 0)


def seen(fleet: Fleet, job: tuple[str, ...], enough: Callable[[str], bool], gate: Path) -> str:
    """What a terminal shows of a run, whose gate is opened when that is `enough`."""
    ours, theirs = pty.openpty()
    running = started(fleet, *job, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = b""
    with suppress(OSError):  # Linux says so when the last one has closed the other side
        while piece := os.read(ours, 65536):
            written += piece
            if enough(written.decode(errors="replace")):
                gate.unlink(missing_ok=True)
    os.close(ours)
    assert running.wait(timeout=PATIENCE) == 0
    return written.decode()


def test_a_terminal_shows_which_node_a_worker_is_at(fleet: Fleet, tmp_path: Path) -> None:
    said = seen(fleet, job(tmp_path), lambda said: "1/3 nodes" in said and "▶" in said, tmp_path / "gate")
    assert "3/3 nodes" in said


def test_a_terminal_shows_how_many_items_a_worker_has_done(fleet: Fleet, tmp_path: Path) -> None:
    said = seen(fleet, job(tmp_path, "mill.wide"), lambda said: DONE.search(said) is not None, tmp_path / "gate")
    assert "2/2 nodes" in said
    shown = [int(found[1]) for found in DONE.finditer(said)]
    assert shown == sorted(shown)
    assert 0 < shown[0] < 100

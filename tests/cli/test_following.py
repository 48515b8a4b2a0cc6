"""The lines of a run, followed while it is at work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shop import Shop

TALKING = """
import time
from pathlib import Path

import codemation as cm


@cm.node
def talk() -> int:
    deadline = time.monotonic() + 60
    print("first")
    while not Path("go").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    print("last")
    return 1


@cm.node
def after(n: int) -> int:
    print("after")
    return n


talking = cm.workflow("talking").then(talk).then(after).build()
"""


@pytest.fixture(autouse=True, scope="module")
def written(shop: Shop) -> None:
    (shop.folder / "workflows" / "talking.py").write_text(TALKING)


@pytest.fixture
def gate(shop: Shop) -> Iterator[Path]:
    """What lets the node go on."""
    path = shop.folder / "go"
    path.unlink(missing_ok=True)
    yield path
    path.touch()


def ids(shop: Shop) -> set[str]:
    """The runs that there are."""
    return {row["id"] for row in json.loads(shop.codemation("runs", "list", "--json").stdout)}


def begun(shop: Shop) -> subprocess.Popen[str]:
    """A run at work, which has said something."""
    before = ids(shop)
    running = shop.start("run", "talking", "--json")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if ids(shop) > before and "first" in shop.codemation("runs", "logs", "last").stdout:
            break
        time.sleep(0.1)
    return running


def test_what_a_node_prints_is_shown_while_it_works_and_following_ends_with_the_run(shop: Shop, gate: Path) -> None:
    with begun(shop) as running:
        following = shop.start("runs", "logs", "last", "--follow")
        assert following.stdout is not None
        assert "talk   first" in following.stdout.readline()
        assert running.poll() is None
        gate.touch()
        out, err = following.communicate(timeout=60)
        assert [line.split()[1:] for line in out.splitlines()] == [["talk", "last"], ["after", "after"]]
        assert (following.returncode, err.startswith("✓ succeeded   run ")) == (0, True)
        assert json.loads(running.communicate(timeout=60)[0])["status"] == "succeeded"


def test_ctrl_c_ends_the_following_and_not_the_run(shop: Shop, gate: Path) -> None:
    with begun(shop) as running:
        following = shop.start("runs", "logs", "last", "talk", "--follow", "--json")
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["text"] == "first"
        following.send_signal(signal.SIGINT)
        _, err = following.communicate(timeout=60)
        assert (following.returncode, "no longer following run" in err) == (0, True)
        assert running.poll() is None
        gate.touch()
        assert json.loads(running.communicate(timeout=60)[0])["status"] == "succeeded"


def test_of_a_run_that_nobody_works_on_following_ends_with_the_way_to_go_on(shop: Shop, gate: Path) -> None:
    with begun(shop) as running:
        os.kill(running.pid, signal.SIGKILL)
        running.wait(timeout=60)
        followed = shop.codemation("runs", "logs", "last", "--follow")
        assert "first" in followed.stdout
        assert followed.stderr.startswith("nobody works on it: codemation runs resume ")
        gate.touch()
        assert shop.codemation("runs", "resume", "last").exit_code == 0


def test_following_a_run_that_is_over_shows_its_lines(shop: Shop, gate: Path) -> None:
    gate.touch()
    assert shop.codemation("run", "talking").exit_code == 0
    followed = shop.codemation("runs", "logs", "last", "-f", "--tail", "1")
    assert [line.split()[1:] for line in followed.stdout.splitlines()] == [["after", "after"]]


def test_a_run_is_watched_until_it_is_over_and_then_shown(shop: Shop, gate: Path) -> None:
    with begun(shop) as running:
        watching = shop.start("runs", "show", "last", "--watch")
        assert watching.stderr is not None
        assert "watching run" in watching.stderr.readline()
        gate.touch()
        out, err = watching.communicate(timeout=60)
        assert [line.split()[:2] for line in err.splitlines()] == [["✓", "talk"], ["✓", "after"]]
        assert (watching.returncode, "talking  ✓ succeeded" in out, "output  1 item" in out) == (0, True, True)
        running.communicate(timeout=60)
    again = shop.codemation("runs", "show", "last", "--watch", "--json")
    assert (json.loads(again.stdout)["status"], again.stderr) == ("succeeded", "")


def test_ctrl_c_ends_the_watching_and_not_the_run(shop: Shop, gate: Path) -> None:
    with begun(shop) as running:
        watching = shop.start("runs", "show", "last", "--watch")
        assert watching.stderr is not None
        assert "watching run" in watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=60)
        assert (watching.returncode, "no longer watching run" in err, "talking  ▶ running" in out) == (0, True, True)
        assert running.poll() is None
        gate.touch()
        running.communicate(timeout=60)

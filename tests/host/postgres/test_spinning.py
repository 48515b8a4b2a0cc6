"""Looking for an answer before sleeping: only where it comes soon, and only as long as it may."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codemation.host.postgres import spinning
from codemation.host.postgres.spinning import LONGEST, SHORT, SpinWait, processors

MANY = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spinning, "processors", lambda: 2.0)


class Server:
    """Says so many times that there is no answer yet."""

    def __init__(self) -> None:
        self.looks: list[int] = []
        self.silent = 0

    def there(self, milliseconds: int) -> bool:
        self.looks.append(milliseconds)
        return len(self.looks) > self.silent


def slow(seconds: float) -> Callable[[], str]:
    def answer() -> str:
        time.sleep(seconds)
        return "late"

    return answer


@pytest.mark.usefixtures("two")
def test_an_answer_is_looked_for_until_it_is_there() -> None:
    server, wait = Server(), SpinWait(near=True)
    server.silent = 3
    assert wait.until(server.there, lambda: "there") == "there"
    assert server.looks == [0] * 4


@pytest.mark.usefixtures("two")
def test_it_is_looked_for_no_longer_than_a_quick_one_takes() -> None:
    server, wait = Server(), SpinWait(near=True)
    server.silent = 10**9
    began = time.perf_counter()
    assert wait.until(server.there, lambda: "slept for") == "slept for"
    assert time.perf_counter() - began >= SHORT
    assert server.looks


@pytest.mark.usefixtures("two")
def test_where_answers_take_long_none_is_looked_for_until_they_are_quick_again() -> None:
    server, wait = Server(), SpinWait(near=True)
    for _ in range(20):
        wait.until(server.there, slow(LONGEST))
    server.looks.clear()
    wait.until(server.there, slow(LONGEST))
    assert server.looks == []
    for _ in range(60):
        wait.until(server.there, lambda: "quick")
    assert server.looks


def test_what_is_far_away_is_slept_for(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    SpinWait(near=False).until(server.there, lambda: "there")
    monkeypatch.setattr(spinning, "processors", lambda: 1.0)  # the server would have none to answer on
    SpinWait(near=True).until(server.there, lambda: "there")
    assert server.looks == []


@pytest.mark.parametrize(
    ("group", "limit", "expected"),
    [
        ("/", "100000 100000", 1.0),
        ("/", "50000 100000", 0.5),
        ("/system.slice/worker.service", "100000 100000", 1.0),
        ("/", "max 100000", MANY),
        ("/", "100000000 100000", MANY),
        ("/", "what", MANY),
    ],
)
def test_a_share_of_the_processors_counts_as_so_many(tmp_path: Path, group: str, limit: str, expected: float) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"1:cpu:/\n0::{group}\n")
    folder = tmp_path / "sys/fs/cgroup" / group.strip("/")
    folder.mkdir(parents=True)
    (folder / "cpu.max").write_text(f"{limit}\n")
    assert processors(tmp_path) == min(expected, MANY)


def test_where_nothing_is_said_of_a_share_all_of_them_count(tmp_path: Path) -> None:
    assert processors(tmp_path) == MANY
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("1:cpu:/\n")
    assert processors(tmp_path) == MANY

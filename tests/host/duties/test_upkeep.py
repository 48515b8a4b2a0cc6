"""What a process does for all: little when there is nothing to do, and nothing slow before something quick."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.ports import Stores
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.memory import memory_stores
from codemation.host.settings import Settings
from codemation.host.triggers.activation import activate
from tests.host.triggers.town import ticking
from tests.testing.clock import Clock

PATIENCE = 30.0


class Counted:
    """A port that counts what it is asked, and may be held up."""

    def __init__(self, port: Any, name: str, counts: Counter[str]) -> None:
        self._port, self._name, self._counts = port, name, counts

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._port, verb)

        def counted(*args: Any, **more: Any) -> Any:
            self._counts[f"{self._name}.{verb}"] += 1
            return found(*args, **more)

        return counted if callable(found) else found


class Held(Counted):
    """Pruning that takes as long as the test wants."""

    hold = threading.Event()

    def prune(self, limit: int = 200) -> int:
        self._counts["pruning.prune"] += 1
        self.hold.wait(PATIENCE)
        return 0


@pytest.fixture
def counts() -> Counter[str]:
    return Counter()


@pytest.fixture
def open_app(tmp_path: Path, counts: Counter[str]) -> Iterator[Callable[..., App]]:
    clock = Clock()
    stores = memory_stores(clock)
    with ExitStack() as stack:

        def opened(**ports: Any) -> App:
            counted: dict[str, Any] = {
                one.name: Counted(getattr(stores, one.name), one.name, counts) for one in fields(Stores)
            }
            counted |= {name: made(getattr(stores, name), name, counts) for name, made in ports.items()}
            backend = Backend(stores=replace(stores, **counted), close=lambda: None, describes="memory")
            return stack.enter_context(App(backend, Settings(tmp_path, {"duty_silence": 2.0}, {})))

        yield opened


def until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError("it does not come")


def test_a_round_in_which_nothing_is_to_do_is_one_statement(open_app: Callable[..., App], counts: Counter[str]) -> None:
    app = open_app()
    app.work()
    app.upkeep.triggers.load({"flow": ticking(cm.every("1h"))})
    activate(app, ticking(cm.every("1h")), "anna")
    app.upkeep.begin(0)
    until(lambda: len(app.upkeep.held) == 6)
    rounds = counts["duties.beat"]
    counts.clear()
    until(lambda: counts["duties.beat"] >= 2)
    asked = Counter({name: count for name, count in counts.items() if not name.startswith(("workers.", "duties.beat"))})
    assert rounds
    assert asked == Counter()


def test_a_prune_that_takes_long_delays_no_tick(open_app: Callable[..., App], counts: Counter[str]) -> None:
    Held.hold.clear()
    app = open_app(pruning=Held)
    try:
        flow = ticking(cm.every("1h"))
        app.upkeep.first_prune = 0.0
        app.work()
        app.upkeep.begin(0)
        until(lambda: counts["pruning.prune"] >= 1)
        app.upkeep.triggers.know({"flow": flow})
        (known,) = app.upkeep.triggers.known.values()
        past = replace(known.arm, next_at=app.stores.journal.load(app.submit(flow.launch()).id)[0].created_at)
        app.stores.armory.arm(flow.id, flow.digest, [past], "anna")
        app.upkeep.wake()
        until(lambda: any(row.origin for row in app.stores.runs.page(workflow="flow")))
        assert counts["pruning.prune"] == 1
    finally:
        Held.hold.set()

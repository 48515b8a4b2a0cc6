"""What nodes say is recorded while they work, in order, and not lost when the database is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

import codemation as cm
from codemation.core.errors import StoreUnavailable
from codemation.core.launch import Launch
from codemation.host.app import App

SOON = 20.0


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_batch_node_says_is_recorded_before_it_ends(app: App) -> None:
    app.bench.listening._every = 0.05
    go = threading.Event()

    @cm.node
    def talk(ctx: cm.Context) -> int:
        ctx.log.info("first")
        assert go.wait(SOON)
        ctx.log.info("second")
        return 1

    handle = app.launch(Launch(workflow=cm.workflow("talk").then(talk).build())).serve()
    until(lambda: bool(app.stores.logs.read(handle.id)))
    assert handle["talk"].logs == "first"
    go.set()
    handle.wait(SOON)
    assert handle["talk"].logs == "first\nsecond"


def test_what_cannot_be_recorded_now_is_recorded_later_and_in_order(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    app.bench.listening._every = 0.05
    refused, away, append = threading.Event(), threading.Event(), app.stores.logs.append
    away.set()

    def sometimes(*given: object) -> None:
        if away.is_set():
            refused.set()
            raise StoreUnavailable("the database is away")
        append(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(app.stores.logs, "append", sometimes)

    @cm.node
    def talk(ctx: cm.Context) -> int:
        ctx.log.info("first")
        assert refused.wait(SOON)
        away.clear()
        ctx.log.info("second")
        return 1

    handle = app.launch(Launch(workflow=cm.workflow("talk").then(talk).build()))
    handle.wait(SOON)
    assert handle["talk"].logs == "first\nsecond"


def test_nobody_listens_where_nothing_is_at_work(app: App) -> None:
    listening = app.bench.listening
    listening._every = 0.005

    @cm.node
    def silent() -> int:
        return 1

    @cm.node
    def talk(ctx: cm.Context) -> int:
        ctx.log.info("one")
        return 1

    app.launch(Launch(workflow=cm.workflow("silent").then(silent).build())).wait(SOON)
    assert listening._thread is None
    for _ in range(2):
        handle = app.launch(Launch(workflow=cm.workflow("talk").then(talk).build()))
        handle.wait(SOON)
        assert handle["talk"].logs == "one"
        until(lambda: listening._thread is None)
    assert not listening._open


def test_what_is_said_after_the_end_is_heard_by_nobody(app: App) -> None:
    """A call that was left to itself goes on, and its node has ended."""
    go, over = threading.Event(), threading.Event()

    @cm.node(timeout="50ms", on_error="drop")
    def late(n: int, ctx: cm.Context) -> int:
        assert go.wait(SOON)
        ctx.log.info("too late")
        over.set()
        return n

    app.launch(Launch(workflow=cm.workflow("late", input=int).then(late).build(), items=[1])).wait(SOON)
    go.set()
    assert over.wait(SOON)
    assert not app.bench.listening._open

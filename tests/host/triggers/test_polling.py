"""Sources of one's own and files: each item starts one run, whatever happens between."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.ports import ArmedTrigger, Stores
from codemation.core.values import decode
from codemation.host.app import App
from codemation.host.triggers.polling import CHUNK
from tests.host.triggers.conftest import Open
from tests.host.triggers.town import armed, fire, rows
from tests.testing.clock import Clock

MINUTE = 60.0


def show(item: Any) -> Any:
    return item


def trigger(app: App) -> ArmedTrigger:
    (one,) = app.stores.armory.triggers()
    return one


def ask(app: App) -> None:
    """Ask what is due, and wait until it has answered."""
    pause, poller = threading.Event(), app.upkeep.triggers.poller
    poller.poll(app.upkeep.triggers.known)
    for _ in range(3000):
        if poller.idle():
            return
        pause.wait(0.01)
    raise AssertionError("it does not answer")


def arm(app: App, clock: Clock, source: cm.Trigger) -> None:
    armed(app, cm.workflow("flow").on(source).map(cm.node(show)).build())
    clock.later(400 * 86400)  # what is armed is due by the real time


def items(app: App) -> list[Any]:
    """What the runs were given, in the order of their texts: those of one moment have no other."""
    fire(app)
    return sorted((app.attach(row.id)["start"].items[0] for row in rows(app)), key=str)


def test_the_state_is_saved_with_what_was_given_and_each_key_starts_one_run(app: App, clock: Clock) -> None:
    asked = list[dict[str, int]]()

    @cm.poll(every="1m", key=lambda item: item["id"])
    def source(state: dict[str, int]) -> Iterator[dict[str, int]]:
        asked.append(dict(state))
        state["n"] = state.get("n", 0) + 2
        for number in range(state["n"] - 2, state["n"] + 1):
            yield {"id": number}

    arm(app, clock, source)
    for _ in range(3):
        ask(app)
        clock.later(MINUTE)
    assert asked == [{}, {"n": 2}, {"n": 4}]
    assert items(app) == [{"id": number} for number in range(7)]
    assert sorted((row.origin or {})["key"] for row in rows(app)) == [str(number) for number in range(7)]


def test_a_source_that_raises_loses_and_doubles_nothing_and_is_asked_again_later(app: App, clock: Clock) -> None:
    broken = [True]

    @cm.poll(every="1m")
    def source(state: dict[str, int]) -> Iterator[int]:
        state["n"] = state.get("n", 0) + 1
        yield state["n"]
        if broken[0]:
            raise ConnectionError("no answer")

    arm(app, clock, source)
    ask(app)
    clock.later(MINUTE)
    ask(app)
    assert (trigger(app).error, trigger(app).owed) == ("ConnectionError: no answer", 0)
    broken[0] = False
    clock.later(MINUTE)
    ask(app)
    assert trigger(app).owed == 0, "the second failure is waited for longer"
    clock.later(MINUTE)
    ask(app)
    assert items(app) == [1]
    assert trigger(app).error == ""


def test_many_items_are_recorded_in_pieces_and_gone_on_with_after_a_failure(app: App, clock: Clock) -> None:
    broken = [True]

    @cm.poll(every="1m", key=lambda item: item)
    def source(state: dict[str, int]) -> Iterator[int]:
        for number in range(state.get("n", 0), CHUNK + 100):
            if number == CHUNK + 50 and broken[0]:
                raise ConnectionError("no answer")
            yield number
            state["n"] = number + 1  # the last one of a piece is given again, and known

    arm(app, clock, source)
    ask(app)
    assert trigger(app).owed == CHUNK
    broken[0] = False
    clock.later(MINUTE)
    ask(app)
    assert trigger(app).owed == CHUNK + 100


def test_a_source_without_keys_gives_all_or_nothing(app: App, clock: Clock) -> None:
    count = [3]

    @cm.poll(every="1m")
    def source(state: dict[str, int]) -> Iterator[int]:
        yield from range(count[0])

    arm(app, clock, source)
    ask(app)
    clock.later(MINUTE)
    count[0] = 10_001
    ask(app)
    assert trigger(app).error == "it has given more than 10000 items at once"
    assert items(app) == [0, 1, 2]


def test_a_source_that_takes_too_long_is_given_up_and_what_it_says_counts_for_nothing(
    open_app: Open, clock: Clock
) -> None:
    app, hold = open_app(poll_timeout=0.05), threading.Event()

    @cm.poll(every="1m")
    def source(state: dict[str, int]) -> Iterator[int]:
        hold.wait(30)
        yield 1

    arm(app, clock, source)
    poller, known = app.upkeep.triggers.poller, app.upkeep.triggers.known
    poller.poll(known)
    pause = threading.Event()
    while not trigger(app).error:
        pause.wait(0.02)
        poller.poll(known)
    assert trigger(app).error == "it has given nothing for 0.05 seconds"
    hold.set()
    while not poller.idle():
        pause.wait(0.01)
    assert items(app) == []


class State(cm.Params):
    """A state with a class of its own."""

    since: int = 7


def test_a_state_is_what_its_function_says_it_is(app: App, clock: Clock) -> None:
    seen = list[State]()

    @cm.poll(every="1m")
    def source(state: State) -> Iterator[int]:
        seen.append(state)
        yield state.since

    arm(app, clock, source)
    for _ in range(2):
        ask(app)
        clock.later(MINUTE)
    assert [type(state) for state in seen] == [State, State]
    assert items(app) == [7, 7]


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def inbox(app: App) -> Path:
    inbox = app.settings.root / "inbox"
    inbox.mkdir()
    return inbox


def look(app: App, clock: Clock) -> list[str]:
    """Look for files, and say which are given, in the order in which their runs are owed."""
    ask(app)
    clock.later(10.0)
    owed = app.stores.firings.claim(app.engine.worker, [trigger(app).id])
    found = [decode(json.loads(firing.item or "")) for firing in owed]
    for firing in owed:
        app.stores.firings.dropped(firing, "")
    return [f"{item['path'].name} {item['size']}" for item in found]


def test_a_file_is_given_when_nobody_writes_to_it_any_more(app: App, clock: Clock, inbox: Path) -> None:
    arm(app, clock, cm.watch("inbox/*.csv", every="10s"))
    (inbox / "b.csv").write_text("1")
    (inbox / "a.csv").write_text("22")
    (inbox / "note.txt").write_text("no")
    (inbox / ".hidden.csv").write_text("no")
    (inbox / "folder.csv").mkdir()
    assert look(app, clock) == []
    (inbox / "b.csv").write_text("1, and more")
    assert look(app, clock) == ["a.csv 2"]
    assert look(app, clock) == ["b.csv 11"]
    assert look(app, clock) == []


def test_each_version_of_a_file_is_given_once(app: App, clock: Clock, inbox: Path) -> None:
    arm(app, clock, cm.watch("inbox/*.csv", every="10s"))
    file = inbox / "a.csv"
    file.write_text("1")
    os.utime(file, ns=(1_000_000_000, 1_000_000_000))
    assert [look(app, clock) for _ in range(3)] == [[], ["a.csv 1"], []]
    os.utime(file, ns=(2_000_000_000, 2_000_000_000))
    assert [look(app, clock) for _ in range(3)] == [[], ["a.csv 1"], []]
    text = file.read_text()
    file.unlink()
    assert look(app, clock) == []
    file.write_text(text)
    os.utime(file, ns=(2_000_000_000, 2_000_000_000))
    assert [look(app, clock) for _ in range(3)] == [[], [], []], "it was given before it went"


def test_files_are_given_in_the_order_of_their_paths(app: App, clock: Clock, inbox: Path) -> None:
    for name in ("c", "a", "b"):
        (inbox / f"{name}.csv").write_text(name)
    arm(app, clock, cm.watch("inbox/**/*.csv", every="10s"))
    look(app, clock)
    assert look(app, clock) == ["a.csv 1", "b.csv 1", "c.csv 1"]


def test_what_was_given_is_forgotten_behind_the_watermark(app: App, stores: Stores, clock: Clock, inbox: Path) -> None:
    arm(app, clock, cm.watch("inbox/*.csv", every="10s"))
    (inbox / "a.csv").write_text("1")
    for _ in range(2):
        look(app, clock)
    clock.later(200 * 86400)
    assert stores.polls.forget(90 * 86400.0) == 0, "nobody has looked since"
    (inbox / "a.csv").unlink()
    look(app, clock)
    assert stores.polls.forget(90 * 86400.0) == 1

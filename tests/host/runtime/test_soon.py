"""Hints whose time comes soon: in the order of their times, and none before its own."""

from __future__ import annotations

import threading
import time

import pytest

from codemation.core.ids import TicketId
from codemation.core.ports import Hint
from codemation.host.runtime.soon import Soon


def hint(number: int) -> Hint:
    return Hint(ticket=TicketId(number))


def test_they_are_due_in_the_order_of_their_times_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    soon = Soon()
    monkeypatch.setattr("codemation.host.runtime.soon.time.monotonic", lambda: 100.0)
    for number, delay in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 9.0)):
        soon.add(delay, hint(number))
    assert soon.wait(0.0) == []
    monkeypatch.setattr("codemation.host.runtime.soon.time.monotonic", lambda: 103.0)
    assert soon.wait(0.0) == [hint(2), hint(3), hint(1)]
    assert soon.wait(0.0) == []


def test_many_for_the_same_moment_are_no_trouble() -> None:
    soon = Soon()
    for _ in range(3):
        soon.add(0.0, hint(0))
    assert soon.wait(0.0) == [hint(0)] * 3


def test_the_first_time_is_waited_for_and_no_longer() -> None:
    soon, began = Soon(), time.monotonic()
    soon.add(0.05, hint(1))
    soon.add(60.0, hint(2))
    found = list[Hint]()
    while not found:
        found = soon.wait(60.0)
    assert found == [hint(1)]
    assert 0.05 <= time.monotonic() - began < 30.0


def test_whoever_waits_goes_on_when_roused() -> None:
    soon, found = Soon(), [[hint(0)]]
    waiting = threading.Thread(target=lambda: found.append(soon.wait(60.0)))
    waiting.start()
    while waiting.is_alive():
        soon.rouse()
        waiting.join(0.01)
    assert found[1:] == [[]]

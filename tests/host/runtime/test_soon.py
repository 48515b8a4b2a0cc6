"""Hints whose time comes soon: in the order of their times, and none before its own."""

from __future__ import annotations

import pytest

from codemation.core.ids import TicketId
from codemation.core.ports import Hint
from codemation.host.runtime.soon import Soon


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> Soon:
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    return Soon()


def hint(number: int) -> Hint:
    return Hint(ticket=TicketId(number))


def test_they_are_due_in_the_order_of_their_times_and_once(soon: Soon, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, delay in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 9.0)):
        soon.add(delay, hint(number))
    assert soon.due() == []
    monkeypatch.setattr("time.monotonic", lambda: 103.0)
    assert soon.due() == [hint(2), hint(3), hint(1)]
    assert soon.due() == []


def test_many_for_the_same_moment_are_no_trouble(soon: Soon) -> None:
    for _ in range(3):
        soon.add(0.0, hint(0))
    assert soon.due() == [hint(0)] * 3


def test_the_pause_ends_with_the_first_of_them_or_after_the_longest(soon: Soon) -> None:
    assert soon.pause(5.0) == 5.0
    soon.add(2.0, hint(1))
    assert soon.pause(5.0) == pytest.approx(2.0)
    assert soon.pause(1.0) == 1.0

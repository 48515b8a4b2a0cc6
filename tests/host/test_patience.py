"""Patience with a database that is away: longer each time, per thread, and not for ever."""

from __future__ import annotations

import logging
import threading

import pytest

from codemation.core.errors import StoreUnavailable
from codemation.host.patience import LONGEST, SILENCE, Patience

AWAY = StoreUnavailable("nobody listens on db:5432")


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 5.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def patience(self, limit: float) -> Patience:
        return Patience(limit, clock=lambda: self.now, sleep=self.sleep)


def _exhausted(patience: Patience) -> int:
    """How many tries are waited for before the patience ends."""
    for tries in range(1, 10_000):
        try:
            patience(tries, AWAY)
        except StoreUnavailable:
            return tries - 1
    raise AssertionError("it never ended")


def test_each_wait_is_longer_up_to_the_longest() -> None:
    time = Time()
    _exhausted(time.patience(60.0))
    assert time.slept == sorted(time.slept)
    assert (time.slept[0], time.slept[-1]) == (0.04, LONGEST)


@pytest.mark.parametrize("limit", [0.0, 1.0, 60.0])
def test_the_patience_ends_when_the_limit_is_reached(limit: float) -> None:
    time = Time()
    patience = time.patience(limit)
    for _ in range(2):  # a second outage is waited for as long as the first
        time.slept.clear()
        _exhausted(patience)
        assert limit <= sum(time.slept) < limit + LONGEST


def test_a_thread_that_only_begins_to_wait_prolongs_nothing_for_another() -> None:
    time = Time()
    patience = time.patience(10.0)
    patience(1, AWAY)
    time.now += 10.0
    other = threading.Thread(target=patience, args=(1, AWAY))
    other.start()
    other.join()
    with pytest.raises(StoreUnavailable):
        patience(2, AWAY)


def test_a_patience_that_was_ended_waits_no_more() -> None:
    time = Time()
    patience = time.patience(900.0)
    patience(1, AWAY)
    patience.end()
    with pytest.raises(StoreUnavailable):
        patience(2, AWAY)
    assert len(time.slept) == 1


def test_every_try_is_told_of_and_the_log_says_a_word_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    time, told = Time(), []
    patience = time.patience(4 * SILENCE)
    patience.notice = lambda: told.append(time.now)
    with caplog.at_level(logging.WARNING, "codemation.database"):
        waited = _exhausted(patience)
    assert len(told) == waited + 1
    assert caplog.records[0].message == (
        "the database does not answer (nobody listens on db:5432); waiting, for 0 ms so far"
    )
    assert 4 <= len(caplog.records) <= 5

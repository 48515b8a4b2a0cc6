"""Sending and hearing news: what it costs, and what becomes of it where the broker is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from codemation.core.ids import WorkflowId
from codemation.core.ports import News
from codemation.core.states import RunStatus
from codemation.host.bus.carried import CarriedBus
from codemation.host.bus.carrier import BrokerAway, Line, read, written
from codemation.testing.conformance.bus import FIRST, SECOND, news

PATIENCE = 20.0


class Absent:
    """A broker that does not answer, and counts who asks."""

    describes = "an absent broker"
    most = 1000

    def __init__(self) -> None:
        self.sent: list[float] = []
        self.asked: list[float] = []

    def send(self, messages: Sequence[str]) -> bool:
        self.sent.append(time.monotonic())
        raise BrokerAway("nobody is there")

    def rest(self) -> None:
        """There is nothing to let go of."""

    def listen(self) -> Line:
        self.asked.append(time.monotonic())
        raise BrokerAway("nobody is there")


class Unheard(Absent):
    """A broker that nobody listens to."""

    def send(self, messages: Sequence[str]) -> bool:
        self.sent.append(time.monotonic())
        return False


class Faulty(Absent):
    """A broker whose library breaks in a way that nobody has thought of, once."""

    def send(self, messages: Sequence[str]) -> bool:
        self.sent.append(time.monotonic())
        if len(self.sent) == 1:
            raise ZeroDivisionError
        return True


def until(condition: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline, pause = time.monotonic() + PATIENCE, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.01)


def test_a_broker_that_is_away_is_asked_less_and_less_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    carrier = Absent()
    bus = CarriedBus(carrier)
    with caplog.at_level(logging.INFO, "codemation.bus"), bus.subscribe():
        bus.publish(news(1))
        until(lambda: len(carrier.asked) >= 4 and len(carrier.sent) >= 2)
        gaps = [later - before for before, later in zip(carrier.asked, carrier.asked[1:], strict=False)]
        assert all(gap >= least for gap, least in zip(gaps, (0.1, 0.2, 0.4), strict=False))
    bus.close()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_where_nobody_listens_a_busy_process_looks_less_and_less() -> None:
    carrier, revision = Unheard(), 0
    bus = CarriedBus(carrier)
    while len(carrier.sent) < 3:
        revision += 1
        bus.publish(news(revision, status=RunStatus.SUCCEEDED))
    bus.close()
    gaps = [later - before for before, later in zip(carrier.sent, carrier.sent[1:], strict=False)]
    assert all(gap >= least for gap, least in zip(gaps[:2], (0.25, 0.5), strict=True))


def test_news_travel_in_messages_that_are_not_too_long() -> None:
    long = News(run=FIRST, revision=1, workflow=WorkflowId("shop." * 50), status=RunStatus.RUNNING)
    told = [news(revision, run) for revision in range(1, 20) for run in (FIRST, SECOND)]
    messages = list(written([*told, long], 300))
    assert all(len(message.encode()) <= 300 for message in messages)
    back = [one for message in messages for one in read(message)]
    assert back[:-1] == told
    assert (back[-1].revision, back[-1].workflow, back[-1].status) == (1, "", RunStatus.RUNNING)


def test_a_carrier_that_breaks_costs_time_alone(caplog: pytest.LogCaptureFixture) -> None:
    carrier = Faulty()
    bus = CarriedBus(carrier)
    with caplog.at_level(logging.INFO, "codemation.bus"):
        bus.publish(news(1))
        until(lambda: len(carrier.sent) >= 2)
        bus.close()
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]

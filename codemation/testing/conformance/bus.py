"""The contract of the bus."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Protocol

from codemation.core.ids import RunId, WorkflowId
from codemation.core.ports import Bus, News, Subscription
from codemation.core.states import FINISHED, RunStatus
from codemation.testing.conformance.crowd import together

PATIENCE = 20.0
"""Seconds that news get to arrive on a busy machine."""
FIRST, SECOND = RunId("0198c0de-0000-7000-8000-000000000001"), RunId("0198c0de-0000-7000-8000-000000000002")


def news(revision: int, run: RunId = FIRST, status: RunStatus = RunStatus.RUNNING) -> News:
    """That a run of a shop has come to a revision."""
    return News(run=run, revision=revision, workflow=WorkflowId("shop.orders"), status=status)


def heard(
    subscription: Subscription, revision: int, run: RunId = FIRST, *, patience: float = PATIENCE
) -> Iterator[News]:
    """What is heard until a revision of a run is."""
    until = time.monotonic() + patience
    while True:
        told = subscription.next(until - time.monotonic())
        assert told is not None, f"revision {revision} was not heard"
        yield told
        if (told.run, told.revision) == (run, revision):
            return


class BusContract:
    """News reach whoever has subscribed before, over a broker too: `bus` and `another` are two processes' ends of it.

    An adapter inside of one process gives the same bus twice.
    """

    patience = PATIENCE

    def _heard(self, subscription: Subscription, revision: int, run: RunId = FIRST) -> list[News]:
        return list(heard(subscription, revision, run, patience=self.patience))

    def test_news_reach_whoever_has_subscribed_before(self, bus: Bus, another: Bus) -> None:
        """As they are, and in every process."""
        with bus.subscribe() as here, another.subscribe() as there:
            bus.publish(news(1))
            assert self._heard(here, 1) == [news(1)]
            assert self._heard(there, 1) == [news(1)]

    def test_one_run_is_heard_of_alone(self, bus: Bus, another: Bus) -> None:
        """Who asks for one run is told of no other."""
        with another.subscribe(SECOND) as there:
            bus.publish(news(1))
            bus.publish(news(5, SECOND))
            assert self._heard(there, 5, SECOND) == [news(5, SECOND)]

    def test_revisions_of_a_run_only_rise(self, bus: Bus, another: Bus) -> None:
        """What arrives behind something newer of the same run says nothing any more."""
        with bus.subscribe() as here:
            for revision in (3, 2, 3, 4):
                bus.publish(news(revision))
            another.publish(news(1))
            bus.publish(news(5, status=RunStatus.SUCCEEDED))
            told = [one.revision for one in self._heard(here, 5)]
        assert told == sorted(set(told))

    def test_who_is_slow_is_given_the_newest(self, bus: Bus, another: Bus) -> None:
        """Nobody waits for him, and what he has not taken does not pile up."""
        with bus.subscribe() as here:
            for revision in range(1, 2001):
                bus.publish(news(revision))
            bus.publish(news(7, SECOND))
            assert self._heard(here, 7, SECOND) == [news(2000), news(7, SECOND)]

    def test_the_end_of_a_run_is_heard(self, bus: Bus, another: Bus) -> None:
        """However many revisions came before."""
        with another.subscribe(FIRST) as there:
            for revision in range(1, 500):
                bus.publish(news(revision))
            bus.publish(news(500, status=RunStatus.FAILED))
            told = self._heard(there, 500)
        assert [one for one in told if one.status in FINISHED] == [news(500, status=RunStatus.FAILED)]

    def test_the_newest_of_each_run_arrives_whoever_else_publishes(self, bus: Bus, another: Bus) -> None:
        """Threads and processes do not take each other's news away."""
        runs = [RunId(f"0198c0de-0000-7000-8000-{number:012}") for number in range(8)]

        def work(run: RunId, end: Bus) -> None:
            for revision in range(1, 51):
                end.publish(news(revision, run))

        with bus.subscribe() as here:
            together(*(partial(work, run, end) for run, end in zip(runs, [bus, another] * 4, strict=True)))
            latest: dict[RunId, int] = {}
            while any(latest.get(run) != 50 for run in runs):
                told = here.next(self.patience)
                assert told is not None, f"heard only {latest}"
                latest[told.run] = told.revision

    def test_nothing_new_is_said_so_when_the_time_is_over(self, bus: Bus, another: Bus) -> None:
        """Whoever waits looks for himself now and then."""
        with bus.subscribe(FIRST) as here:
            assert here.next(0.01) is None
            assert here.next(0) is None
            another.publish(news(1))
            assert self._heard(here, 1) == [news(1)]

    def test_who_waits_is_let_go_when_it_is_closed(self, bus: Bus, another: Bus) -> None:
        """A subscription by its subscriber, all of them by the end of the bus."""
        mine, others = another.subscribe(FIRST), another.subscribe(FIRST)
        for one, end in ((mine, mine.close), (others, another.close)):
            told: list[News | None] = []
            waiter = threading.Thread(target=lambda one=one, told=told: told.append(one.next()), daemon=True)
            waiter.start()
            end()
            waiter.join(self.patience)
            assert told == [None]
        another.publish(news(1))
        assert another.subscribe().next(self.patience) is None

    def test_a_waker_is_called_when_there_is_something_to_take(self, bus: Bus, another: Bus) -> None:
        """For those who cannot wait in a thread of their own."""
        rung = threading.Event()
        with another.subscribe(FIRST, rung.set) as there:
            bus.publish(news(1))
            assert rung.wait(self.patience)
            assert there.next(0) == news(1)


class Broker(Protocol):
    """A real one, which a test stops and starts."""

    def stop(self) -> None:
        """Be away."""
        ...

    def start(self) -> None:
        """Be back, with nothing kept."""
        ...


class BrokerContract(BusContract):
    """What holds beside for a bus between processes."""

    def test_a_broker_that_is_away_stops_nobody(self, bus: Bus, another: Bus, broker: Broker) -> None:
        """Who publishes goes on, who listens is told to look for himself when it is back, and hears what comes then."""
        with another.subscribe(FIRST) as there:
            bus.publish(news(1))
            assert self._heard(there, 1) == [news(1)]
            broker.stop()
            try:
                bus.publish(news(2))
                with bus.subscribe(SECOND) as meanwhile:
                    bus.publish(news(3, SECOND))
                    assert meanwhile.next(self.patience) == news(3, SECOND)
            finally:
                broker.start()
            looks = self._heard(there, 0)
            assert [one.revision for one in looks if one.revision] in ([], [2])
            bus.publish(news(9, status=RunStatus.SUCCEEDED))
            assert self._heard(there, 9)[-1].revision == 9

    def test_a_busy_run_costs_ten_messages_a_second(self, bus: Bus, another: Bus) -> None:
        """However many revisions it has; the last of them arrives."""
        with another.subscribe(FIRST) as there:
            began, told, revision = time.monotonic(), list[News](), 0
            while time.monotonic() - began < 1.0:
                revision += 1
                bus.publish(news(revision))
                while (one := there.next(0)) is not None:
                    told.append(one)
            told += self._heard(there, revision)
            took = time.monotonic() - began
        assert len(told) <= 10 * took + 2

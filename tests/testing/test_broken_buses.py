"""Buses that are broken on purpose fail the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from codemation.core.ids import RunId
from codemation.core.ports import News
from codemation.host.bus.mailbox import Mailbox
from codemation.host.memory.bus import MemoryBus
from codemation.testing.conformance import BusContract
from tests.testing.trial import trials


class _TellsEverybodyEverything(MemoryBus):
    def subscribe(self, run: RunId | None = None, wake: Callable[[], None] | None = None) -> Mailbox:
        return super().subscribe(None, wake)


class _LosesTheEnd(MemoryBus):
    def publish(self, news: News) -> None:
        if news.revision < 500:
            super().publish(news)


class _GoesBack(MemoryBus):
    """It tells what it is told, in whatever order."""

    def publish(self, news: News) -> None:
        for mailbox in self._mailboxes:
            mailbox._heard.clear()
            mailbox._waiting[RunId(f"{news.run}/{news.revision}")] = news
            mailbox.put(replace(news, run=RunId("other")))


class _KeepsTheOldest(MemoryBus):
    def publish(self, news: News) -> None:
        for mailbox in self._mailboxes:
            if news.run not in mailbox._waiting:
                mailbox.put(news)


class _ForgetsWhereItStands(MemoryBus):
    def publish(self, news: News) -> None:
        super().publish(replace(news, status=None))


class _HoldsWhoWaits(MemoryBus):
    def close(self) -> None:
        self._mailboxes = ()


class _WakesNobody(MemoryBus):
    def subscribe(self, run: RunId | None = None, wake: Callable[[], None] | None = None) -> Mailbox:
        return super().subscribe(run)


BROKEN = (
    _TellsEverybodyEverything,
    _LosesTheEnd,
    _GoesBack,
    _KeepsTheOldest,
    _ForgetsWhereItStands,
    _HoldsWhoWaits,
    _WakesNobody,
)


class _Impatient(BusContract):
    """What is lost is not waited for."""

    patience = 0.2


def _failures(make: Callable[[], MemoryBus]) -> Iterator[str]:
    for name, test in trials(_Impatient):
        bus = make()
        try:
            test(_Impatient(), bus=bus, another=bus)
        except (AssertionError, KeyError):
            yield name


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__.strip("_"))
def test_a_broken_bus_is_found(broken: Callable[[], MemoryBus]) -> None:
    assert next(_failures(broken), None) is not None


def test_a_sound_bus_passes_the_trial() -> None:
    assert list(_failures(MemoryBus)) == []

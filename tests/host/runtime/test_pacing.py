"""Calls begin no faster than the rate of their node, over all processes, and booking them costs little."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.ports import Rates, Stores
from codemation.core.states import RunStatus
from codemation.host.runtime.clock import Clock
from codemation.host.runtime.pacing import Pace
from codemation.host.runtime.trouble import Interrupted
from tests.host.runtime.conftest import PATIENCE, Run, opened


class Still(Clock):
    """Time that passes only when somebody waits for it."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    def pause(self, seconds: float) -> None:
        self.at += seconds


class Row:
    """A rate's row, on the same clock."""

    def __init__(self, clock: Still, spacing: float) -> None:
        self.clock, self.spacing, self.until = clock, spacing, 0.0
        self.booked: list[int] = []

    def book(self, calls: int) -> float:
        first = max(self.until, self.clock.at)
        self.until = first + calls * self.spacing
        self.booked.append(calls)
        return first - self.clock.at


@pytest.fixture
def clock() -> Still:
    return Still()


def paced(row: Row, stop: Callable[[], bool] = lambda: False) -> Pace:
    return Pace(row.book, row.spacing, row.clock, stop)


def test_calls_begin_one_spacing_after_the_other(clock: Still) -> None:
    row, begun = Row(clock, 0.05), list[float]()
    pace = paced(row)
    for _ in range(40):
        pace.wait()
        begun.append(clock.at)
    assert begun == pytest.approx([number * 0.05 for number in range(40)])


def test_a_fast_node_books_many_calls_at_once(clock: Still) -> None:
    row = Row(clock, 0.05)
    pace = paced(row)
    for _ in range(45):
        pace.wait()
    assert row.booked == [1, 2, 4, 8, 10, 10, 10]


def test_a_slow_node_books_few_and_leaves_the_rest_to_others(clock: Still) -> None:
    row = Row(clock, 0.05)
    pace = paced(row)
    for _ in range(20):
        pace.wait()
        clock.at += 10.0
    assert max(row.booked) <= 2


def test_two_who_share_a_rate_keep_it_together(clock: Still) -> None:
    row, begun = Row(clock, 0.1), list[float]()
    one, other = paced(row), paced(row)
    for _ in range(30):
        for pace in (one, other):
            pace.wait()
            begun.append(clock.at)
    for at in begun:
        assert sum(at <= later < at + 1.0 - 1e-6 for later in begun) <= 11


def test_waiting_for_a_call_ends_when_the_run_stops(clock: Still) -> None:
    row = Row(clock, 3600.0)
    pace = paced(row, stop=lambda: clock.at > 1.0)
    pace.wait()
    with pytest.raises(Interrupted):
        pace.wait()
    assert clock.at < 2.0


class Counted:
    """The rates of a store, and what was booked there."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self.booked: list[tuple[str, int]] = []

    def book(self, name: str, calls: int, spacing: float) -> float:
        self.booked.append((name, calls))
        return self._rates.book(name, calls, spacing)


async def same(item: int) -> int:
    return item


def plain(item: int) -> int:
    return item


def whole(items: list[int]) -> list[int]:
    return items


@pytest.mark.parametrize("function", [plain, same])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_every_call_of_a_node_is_counted(
    stores: Stores, tmp_path: Path, function: Callable[..., Any], concurrency: int
) -> None:
    node = cm.node(rate="2000/s", concurrency=concurrency)(function)
    flow = cm.workflow("paced.each", input=int).map(node, id="ask").build()
    counted = Counted(stores.rates)
    with opened(replace(stores, rates=counted), tmp_path) as app:
        assert app.launch(flow.launch(list(range(20)))).result(PATIENCE) == list(range(20))
    assert {name for name, _ in counted.booked} == {"paced.each/ask"}
    assert sum(calls for _, calls in counted.booked) >= 20
    assert len(counted.booked) < 20


def test_a_node_that_is_called_per_batch_is_called_once(run: Run, stores: Stores) -> None:
    flow = cm.workflow("paced.batch", input=int).then(cm.node(rate="1/h")(whole), id="ask").build()
    assert run(flow, [1, 2]).output == [1, 2]
    assert round(stores.rates.book("paced.batch/ask", 1, 1.0) / 3600) == 1


@pytest.mark.parametrize("function", [plain, same])
def test_a_run_that_waits_for_its_rate_can_be_cancelled(launch: Run, function: Callable[..., Any]) -> None:
    flow = cm.workflow("paced.slow", input=int).map(cm.node(rate="1/h")(function), id="ask").build()
    handle = launch(flow, [1, 2]).serve()
    while handle.watched is None or not handle.watched.active:
        threading.Event().wait(0.01)
    handle.cancel()
    assert handle.status is RunStatus.CANCELLED


def test_the_runs_of_two_processes_share_a_rate(stores: Stores, tmp_path: Path) -> None:
    flow = cm.workflow("paced.shared", input=int).map(cm.node(rate="50/s")(plain), id="ask").build()
    with opened(stores, tmp_path) as one, opened(stores, tmp_path) as other:
        handles = [app.launch(flow.launch([1, 2, 3])).serve() for app in (one, other)]
        assert [handle.result(PATIENCE) for handle in handles] == [[1, 2, 3]] * 2

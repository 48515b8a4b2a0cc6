"""Ticks of a time that have no run are given one, so many at once, and whoever is interrupted goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

import codemation as cm
from codemation.core.errors import InputError
from codemation.core.ids import WorkerId
from codemation.core.ports import Stores
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.triggers.backfill import Filled, backfill, gap
from codemation.host.triggers.by_hand import enter
from codemation.host.triggers.ticking import new_tick
from tests.host.runtime.conftest import opened
from tests.host.triggers.town import Params, known, rows, settle, started, ticking

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
LAST = FIRST + timedelta(hours=6)
at_once: list[int] = []
guard = threading.Lock()
working = 0


@pytest.fixture
def app(stores: Stores, tmp_path: Path) -> Iterator[App]:
    """An app with an upkeep of its own."""
    at_once.clear()
    with opened(stores, tmp_path) as app:
        yield app


def work(params: Params) -> str:
    global working  # noqa: PLW0603 - what nodes count together
    with guard:
        working += 1
        at_once.append(working)
    threading.Event().wait(0.02)
    with guard:
        working -= 1
    if params.at.endswith("03:00:00+00:00"):
        raise ValueError("three is no hour")
    return params.at


hourly = (
    cm.workflow("flow", params=Params)
    .on(cm.every("1h", params=lambda at: {"at": at.isoformat()}))
    .then(cm.node(work))
    .build()
)
(trigger,) = known(hourly).values()


def test_each_tick_without_a_run_is_given_one_and_so_many_at_once(app: App) -> None:
    told = list[Filled]()
    found = gap(app, trigger, FIRST, LAST)
    assert (len(found.missing), found.there) == (6, 0)
    done = list(backfill(app, found, 3, told.append))
    assert sorted(one.at for one in done) == [FIRST + timedelta(hours=hour) for hour in range(6)]
    assert [one.status for one in sorted(done, key=lambda one: one.at)] == [
        *[RunStatus.SUCCEEDED] * 3,
        RunStatus.FAILED,
        *[RunStatus.SUCCEEDED] * 2,
    ]
    assert {one.run for one in told} == {row.id for row in rows(app)}
    assert 1 < max(at_once) <= 3
    assert gap(app, trigger, FIRST, LAST).missing == ()
    assert gap(app, trigger, FIRST - timedelta(hours=1), LAST).there == 6


def test_whoever_stops_in_between_goes_on_with_the_rest(app: App) -> None:
    (_,) = islice(backfill(app, gap(app, trigger, FIRST, LAST), 1, lambda one: None), 1)
    settle(app)
    assert len(rows(app)) == 1
    assert gap(app, trigger, FIRST, LAST).there == 1
    list(backfill(app, gap(app, trigger, FIRST, LAST), 2, lambda one: None))
    assert len(started(app)) == len(set(started(app))) == 6


def test_what_a_backfill_that_was_killed_still_owes_is_run_once(app: App) -> None:
    enter(app, trigger)
    assert app.stores.schedules.owe(trigger.id, new_tick(FIRST), serial=False)
    assert len(app.stores.firings.claim(WorkerId(1), [trigger.id])) == 1
    done = list(backfill(app, gap(app, trigger, FIRST, LAST), 2, lambda one: None))
    assert (len(done), len(rows(app))) == (6, 6)


def test_params_that_cannot_be_made_are_told_of_and_the_others_go_on(app: App) -> None:
    def odd(at: datetime) -> dict[str, object]:
        if at.hour % 2:
            raise LookupError("odd")
        return {"at": at.isoformat()}

    (one,) = known(ticking(cm.every("1h", params=odd))).values()
    done = list(backfill(app, gap(app, one, FIRST, LAST), 2, lambda one: None))
    assert [filled.error for filled in done if filled.error] == ["LookupError: odd"] * 3
    assert len(gap(app, one, FIRST, LAST).missing) == 3, "they may be filled in later"


def test_what_makes_no_sense_is_refused(app: App) -> None:
    with pytest.raises(InputError, match="there is no time"):
        gap(app, trigger, LAST, FIRST)
    with pytest.raises(InputError, match="more than 100,000 ticks"):
        gap(app, trigger, FIRST, FIRST + timedelta(days=36_500))
    (hook,) = known(cm.workflow("hook").on(cm.webhook("/hook")).then(cm.node(lambda: 1, id="one")).build()).values()
    with pytest.raises(InputError, match="has no ticks to be filled in"):
        gap(app, hook, FIRST, LAST)

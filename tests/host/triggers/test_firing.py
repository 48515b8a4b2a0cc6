"""What is owed is started: with the params of its author's code, one after the other, once, and not for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

import codemation as cm
from codemation.core.errors import InputError
from codemation.core.ports import ArmedTrigger
from codemation.core.states import RunStatus
from codemation.core.ticks import first_after
from codemation.host.app import App
from codemation.host.opening import begin
from codemation.host.triggers.by_hand import fire_after, fire_item, fire_tick
from codemation.host.triggers.firing import begun, launch_of, origin_of
from codemation.host.triggers.ticking import tick
from tests.host.triggers.conftest import Open
from tests.host.triggers.town import Params, armed, fire, go, known, rows, said, settle, started, ticking
from tests.testing.clock import Clock

MINUTE = 60.0
held = threading.Event()


@pytest.fixture(autouse=True)
def free() -> Iterator[None]:
    held.clear()
    yield
    held.set()


def slow(params: Params) -> str:
    held.wait(30)
    return params.at


def only(app: App) -> ArmedTrigger:
    (trigger,) = [one for one in app.stores.armory.triggers() if one.active]
    return trigger


def arm_now(app: App, clock: Clock, trigger: cm.Trigger, *, node: object = said) -> None:
    """Arm a schedule that counts from the clock of the test."""
    flow = cm.workflow("flow", params=Params).on(trigger).then(cm.node(node)).build()  # type: ignore[call-overload]
    (one,) = armed(app, flow)
    due = app.stores.armory
    due.disarm(flow.id, "")
    due.arm(flow.id, flow.digest, [replace(one.arm, next_at=first_after(one.plan.config, clock()))], "")


def test_the_function_of_the_params_is_given_the_tick_on_the_clock_of_its_zone(app: App, clock: Clock) -> None:
    arm_now(app, clock, cm.cron("0 6 * * *", timezone="Europe/Berlin", params=lambda at: {"at": f"{at:%H:%M %Z}"}))
    clock.later(86400)
    go(app)
    (row,) = rows(app)
    assert app.attach(row.id).output == "06:00 CET"
    assert row.origin == {
        "trigger": only(app).id,
        "key": "2026-02-01T05:00:00+00:00",
        "at": "2026-02-01T05:00:00+00:00",
    }


def test_a_function_that_fails_is_told_of_and_its_tick_is_not_lost(app: App, clock: Clock) -> None:
    broken = [False]

    def by_tick(at: datetime) -> dict[str, object]:
        if broken[0]:
            raise LookupError("no rate for today")
        return {"at": at.isoformat()}

    arm_now(app, clock, cm.every("1m", params=by_tick))
    broken[0] = True
    clock.later(MINUTE)
    go(app)
    assert rows(app) == []
    assert (only(app).error, only(app).owed) == ("LookupError: no rate for today", 1)
    broken[0] = False
    clock.later(MINUTE)
    go(app)
    assert len(started(app)) == 2
    assert (only(app).error, only(app).owed) == ("", 0)


def test_a_tick_waits_until_the_run_before_it_is_over(app: App, clock: Clock) -> None:
    arm_now(app, clock, cm.every("1m", catch_up="all"), node=slow)
    clock.later(3 * MINUTE)
    app.upkeep.triggers.firer.fire(app.upkeep.triggers.known)
    tick(app.engine, 30.0)
    assert app.upkeep.triggers.firer.fire(app.upkeep.triggers.known) == 1
    assert app.upkeep.triggers.firer.fire(app.upkeep.triggers.known) == 0
    assert only(app).owed == 2
    held.set()
    settle(app)
    assert fire(app) == 2
    assert len(started(app)) == 3


def test_a_tick_is_skipped_while_the_run_before_it_is_going_on(app: App, clock: Clock) -> None:
    arm_now(app, clock, cm.every("1m", overlap="skip"), node=slow)
    for _ in range(3):
        clock.later(MINUTE)
        tick(app.engine, 30.0)
        app.upkeep.triggers.firer.fire(app.upkeep.triggers.known)
    assert (len(rows(app)), only(app).owed, only(app).error) == (1, 0, "")
    held.set()
    settle(app)
    clock.later(MINUTE)
    go(app)
    assert len(rows(app)) == 2


def test_a_run_is_replaced_by_that_of_the_next_tick(app: App, clock: Clock) -> None:
    arm_now(app, clock, cm.every("1m", overlap="replace", catch_up="all"), node=slow)
    clock.later(MINUTE)
    tick(app.engine, 30.0)
    app.upkeep.triggers.firer.fire(app.upkeep.triggers.known)
    clock.later(2 * MINUTE)
    tick(app.engine, 30.0)
    while app.upkeep.triggers.firer.fire(app.upkeep.triggers.known):
        pass
    held.set()
    pause = threading.Event()
    while len(rows(app)) < 2:
        pause.wait(0.01)
        clock.later(1.0)
        app.upkeep.triggers.firer.fire(app.upkeep.triggers.known)
    settle(app)
    first, second = rows(app)
    assert first.status is RunStatus.CANCELLED
    assert first.reason == f"replaced by the next run of {only(app).id}"
    assert second.status is RunStatus.SUCCEEDED
    assert (second.origin or {})["at"].endswith("12:03:00+00:00"), "of several that are owed the latest is run"


def test_a_tick_that_old_code_has_started_is_not_started_again_by_new_code(app: App, clock: Clock) -> None:
    """A process may die between the start of a run and the word that it has started; what comes after it is newer."""
    arm_now(app, clock, cm.every("1m", params=lambda at: {"at": "old"}))
    clock.later(MINUTE)
    tick(app.engine, 30.0)
    (firing,) = app.stores.firings.claim(app.engine.worker, [only(app).id])
    old = app.upkeep.triggers.known[firing.trigger]
    begun(app, launch_of(old, origin_of(firing), firing.at))
    new = known(ticking(cm.every("1m", params=lambda at: {"at": "new"})))[firing.trigger]
    run = app.upkeep.triggers.firer.settle(firing, new)
    settle(app)
    assert [row.id for row in rows(app)] == [run]
    assert (only(app).last_run, only(app).owed) == (run, 0)


# --- what follows other runs ----------------------------------------------------------------------------------------

numbers = cm.dataset("numbers")


@cm.node(writes=numbers)
def work(item: int) -> int:
    if item < 0:
        raise ValueError("less than nothing")
    return item


def after(run: cm.Run) -> dict[str, object]:
    return {"at": f"{run.status} {run.params}"}


source = cm.workflow("source", input=int).then(work).build()


def test_runs_follow_those_that_have_ended_as_they_want_it(app: App) -> None:
    flows = [
        ticking(source.finished(params=after), "well"),
        ticking(source.finished(outcome="failed", params=after), "ill"),
        ticking(source.finished(outcome="any"), "any"),
        ticking(numbers.written(params=lambda run: {"at": str(run["work"].items[0])}), "written"),
    ]
    armed(app, *flows)
    for item in (1, -1):
        app.submit(source.launch([item]))
    settle(app)
    fire(app)
    counts = {flow.id: len(rows(app, flow.id)) for flow in flows}
    assert counts == {"well": 1, "ill": 1, "any": 2, "written": 1}
    (row,) = rows(app, "well")
    assert app.attach(row.id).output == "succeeded None"
    assert (row.origin or {})["chain"] == 1


def test_what_happens_in_a_session_sets_nothing_off(app: App) -> None:
    armed(app, ticking(source.finished(outcome="any"), "any"), ticking(numbers.written(), "written"))
    session = begin(app, source.launch([1]))
    session.continue_()
    assert session.status == "succeeded"
    assert fire(app) == 0


def test_runs_that_start_one_another_are_stopped_with_a_word(open_app: Open) -> None:
    app = open_app(max_chain=4)
    ping = cm.workflow("ping", params=Params).on(cm.webhook("/ping")).then(cm.node(said)).build()
    pong = ticking(ping.finished(), "pong")
    again = ticking(pong.finished(), "ping")
    armed(app, pong, again)
    app.submit(ping.launch())
    settle(app)
    fire(app)
    assert (len(rows(app, "ping")), len(rows(app, "pong"))) == (3, 2)
    (told,) = [one.error for one in app.stores.armory.triggers() if one.error]
    assert told == "4 runs have started one another, so this one was not started: it looks like a circle"
    assert not any(one.owed for one in app.stores.armory.triggers())


# --- by hand --------------------------------------------------------------------------------------------------------


def test_a_tick_is_fired_by_hand_once_whether_it_is_armed_or_not(app: App, clock: Clock) -> None:
    flow = ticking(cm.cron("0 6 * * *", params=lambda at: {"at": at.isoformat()}))
    (one,) = known(flow).values()
    run = fire_tick(app, one, clock())
    run.go()
    assert run.output == clock().isoformat()
    with pytest.raises(InputError, match=f"has run {run.id} already"):
        fire_tick(app, one, clock())
    assert rows(app)[0].origin is not None
    with pytest.raises(InputError, match="give the time: --at TIME"):
        fire_item(app, one, 1)


def test_what_cannot_be_fired_by_hand_is_not_tried_again(app: App) -> None:
    (hook,) = known(cm.workflow("hook", input=int).on(cm.webhook("/hook")).then(work).build()).values()
    with pytest.raises(InputError, match="do not fit int"):
        fire_item(app, hook, "seven")
    assert app.stores.armory.triggers()[0].owed == 0
    assert fire_item(app, hook, 7).go().output == [7]
    (feed,) = known(ticking(source.finished(params=after), "well")).values()
    run = app.submit(source.launch([1]))
    run.go()
    assert fire_after(app, feed, run.id).go().output == "succeeded None"
    with pytest.raises(InputError, match="has no ticks"):
        fire_tick(app, feed, run.row.created_at)

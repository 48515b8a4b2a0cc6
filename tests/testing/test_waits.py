"""Waits of days on the clock of a test: the booking of the corpus, decisions, and runs that triggers would start."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.errors import AlreadyDecided, InvalidDecision, RunFailed
from codemation.testing import Harness, assert_items
from codemation.testing.plugin import harness
from tests.corpus import booking as corpus
from tests.corpus.booking import Booking, Payment, booking, paid
from tests.corpus.deeds import WHERE, Deeds

__all__ = ["harness"]


@pytest.fixture(autouse=True)
def done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Deeds:
    """What the workflow does to the world, from nothing on."""
    monkeypatch.setenv(WHERE, str(tmp_path))
    return corpus.DONE


def booked(harness: Harness, *ids: str) -> Any:
    return harness.run(booking, [Booking(id=one, seats=1) for one in ids])


def test_an_event_in_time_issues_the_ticket_and_reminds_a_day_later(harness: Harness, done: Deeds) -> None:
    run = booked(harness, "a")
    harness.advance("6d 23h")
    assert (run.status, [*done]) == ("waiting", ["reserved a"])
    assert harness.send(paid, "a", Payment(amount=12.5))
    assert [*done] == ["reserved a", "printed a"]
    harness.advance("23h 59m")
    assert run.status == "waiting"
    harness.advance("1m")
    assert (run.status, [*done][-1]) == ("succeeded", "reminded a")


def test_an_event_that_was_early_is_found_and_one_sent_twice_is_one(harness: Harness, done: Deeds) -> None:
    assert harness.send(paid, "a", {"amount": 5}, dedup="p1")
    assert not harness.send(paid, "a", {"amount": 5}, dedup="p1")
    harness.advance("29d")
    run = booked(harness, "a", "b")
    assert [*done] == ["reserved a", "reserved b"]
    harness.send(paid, "b", {"amount": 6})
    assert [*done][2:] == ["printed a", "printed b"]
    harness.send(paid, "b", {"amount": 7})
    harness.advance("24h")
    assert (run.status, [*done][4:]) == ("succeeded", ["reminded a", "reminded b"])


def test_an_event_that_is_late_finds_the_booking_released(harness: Harness, done: Deeds) -> None:
    run = booked(harness, "a")
    harness.advance("7d")
    assert (run.status, [*done]) == ("succeeded", ["reserved a", "released a"])
    assert harness.send(paid, "a", {"amount": 5})
    assert [*done] == ["reserved a", "released a"]


def test_an_event_is_forgotten_when_its_time_is_over(harness: Harness, done: Deeds) -> None:
    harness.send(paid, "a", {"amount": 5})
    harness.advance("31d")
    run = booked(harness, "a")
    assert run.status == "waiting"
    assert [*done] == ["reserved a"]


def test_what_fails_behind_the_event_is_refunded(harness: Harness, done: Deeds) -> None:
    run = booked(harness, "jam")
    harness.send(paid, "jam", {"amount": 5})
    assert [*done] == ["reserved jam", "refunded 5.0 to jam", "released jam"]
    harness.advance("2d")
    assert run.status == "succeeded"


def test_a_payload_that_does_not_fit_is_not_sent(harness: Harness) -> None:
    run = booked(harness, "a")
    with pytest.raises(cm.InputError, match="amount"):
        harness.send(paid, "a", {"amount": "much"})
    assert run.status == "waiting"


# --- decisions -------------------------------------------------------------------------------------------------------


class Order(cm.Params):
    id: str


class Verdict(cm.Params):
    note: str
    grade: int = 0


class Lenient(cm.Params):
    note: str = "nothing said"


@cm.node
def accepted(decided: cm.Decided[Order, Any]) -> str:
    return f"{decided.item.id} {decided.decision.note} by {decided.by or 'the time'}"


@cm.node
def refused(decided: cm.Decided[Order, Any]) -> str:
    return f"no {decided.item.id} by {decided.by or 'the time'}"


def asked(form: type[cm.Params] = Verdict, **options: Any) -> cm.Workflow[Any, ...]:
    return (
        cm.workflow("asked", input=Order)
        .approve(form, expires="48h", rejected=lambda no: no.then(refused).end(), **options)
        .then(accepted)
        .build()
    )


ORDERS = [Order(id="a"), Order(id="b"), Order(id="c")]


def test_half_of_a_batch_is_decided_and_the_time_decides_about_the_rest(harness: Harness) -> None:
    run = harness.run(asked(on_expiry="reject"), ORDERS)
    harness.approve("approve", item=0, who="ann", note="fine")
    harness.advance("47h")
    assert (run.status, len(run.waits)) == ("waiting", 2)
    harness.reject("approve", item=2, who="bob")
    harness.advance("1h")
    assert run.status == "succeeded"
    assert_items(run["accepted"], ["a fine by ann"])
    assert_items(run["refused"], ["no b by the time", "no c by bob"])


def test_who_lets_the_time_pass_has_accepted_or_fails_the_item_as_it_was_declared(harness: Harness) -> None:
    run = harness.run(asked(Lenient, on_expiry="accept"), ORDERS[:1])
    harness.advance("48h")
    assert_items(run["accepted"], ["a nothing said by the time"])
    harness.run(asked(on_expiry="fail"), ORDERS[:1])
    with pytest.raises(RunFailed, match="nobody has decided about item 0"):
        harness.advance("48h")


def test_a_form_is_checked_in_a_test_as_well(harness: Harness) -> None:
    run = harness.run(asked(), ORDERS[:2])
    with pytest.raises(InvalidDecision, match="has to fill in note"):
        harness.approve("approve")
    with pytest.raises(InvalidDecision, match="no field 'nte'"):
        harness.approve("approve", nte="x")
    harness.approve("approve", note="x")
    assert run.status == "succeeded"
    with pytest.raises(cm.InputError, match="nothing waits for a decision"):
        harness.approve("approve", note="x")


def test_a_decision_about_one_item_is_made_once(harness: Harness) -> None:
    run = harness.run(asked(), ORDERS[:2])
    (first, _) = run.waits
    run.approve(first, note="x", who="ann")
    with pytest.raises(AlreadyDecided, match="by ann"):
        run.reject(first, who="bob")
    harness.advance("1h")
    assert run.status == "waiting"


# --- triggers --------------------------------------------------------------------------------------------------------


class Day(cm.Params):
    day: date


@cm.node(writes=cm.dataset("sales"))
def load(params: Day) -> str:
    return params.day.isoformat()


nightly = (
    cm.workflow("nightly", params=Day)
    .on(
        cm.cron("0 2 * * *", timezone="Asia/Tokyo", params=lambda tick: {"day": tick.date() - timedelta(days=1)}),
        cm.every("1h", params={"day": date(2020, 1, 1)}),
    )
    .then(load)
    .build()
)


def test_a_schedule_starts_a_run_with_the_params_of_its_tick(harness: Harness) -> None:
    cron, every = nightly.triggers
    at = datetime(2026, 3, 1, 17, tzinfo=UTC)
    assert harness.fire(nightly, cron, at).output == "2026-03-01"
    on_the_wall = datetime(2026, 3, 1, 2)  # noqa: DTZ001 - as a clock in Tokyo shows it
    assert harness.fire(nightly, cron, on_the_wall).output == "2026-02-28"
    assert harness.fire(nightly, cron).output == "2025-12-31"
    assert harness.fire(nightly, every).output == "2020-01-01"
    with pytest.raises(cm.InputError, match="has 2 triggers"):
        harness.fire(nightly)
    with pytest.raises(cm.InputError, match="is set off by a time"):
        harness.fire(nightly, cron, "noon")


def test_a_run_starts_what_comes_after_it(harness: Harness) -> None:
    def of(run: cm.Run) -> dict[str, object]:
        return {"day": run.params.day}

    after = (
        cm.workflow("after", params=Day)
        .on(nightly.finished(params=of), cm.dataset("sales").written(params=of), cm.dataset("other").written(params=of))
        .then(load, id="again")
        .build()
    )
    ended, written, other = after.triggers
    run = harness.fire(nightly, nightly.triggers[1])
    assert harness.fire(after, ended, run).output == harness.fire(after, written, run).output == "2020-01-01"
    for trigger, given, said in (
        (ended, harness.fire(after, written, run), "is not set off by run"),
        (ended, None, "is set off by a run"),
        (other, run, 'has written "other"'),
        (nightly.triggers[0], run, "is not started by"),
    ):
        with pytest.raises(cm.InputError, match=said):
            harness.fire(after, trigger, given)


def test_files_requests_and_polls_start_a_run_with_an_item(harness: Harness, tmp_path: Path) -> None:
    @cm.poll(every="5m")
    def inbox(state: dict[str, int]) -> Iterator[dict[str, int]]:
        yield {"id": state.get("last", 0) + 1}

    def named(flow: Any, *triggers: Any) -> cm.Workflow[Any, ...]:
        built: cm.Workflow[Any, ...] = flow.on(*triggers).map(lambda one: one, id="got").build()
        return built

    file = tmp_path / "a.csv"
    file.write_text("x")
    watched = named(cm.workflow("watched"), cm.watch("*.csv"))
    assert harness.fire(watched, given=file)["got"].item["size"] == 1
    assert harness.fire(watched, given={"path": "there"})["got"].item == {"path": "there"}
    hooked = named(cm.workflow("hooked", input=Booking), cm.webhook("/bookings"))
    assert harness.fire(hooked, given={"id": "a", "seats": 2})["got"].item == Booking(id="a", seats=2)
    assert harness.fire(named(cm.workflow("polled"), inbox), given=next(inbox({})))["got"].item == {"id": 1}
    for workflow, given, said in (
        (hooked, {"id": "a"}, "seats"),
        (hooked, None, "none was given"),
        (watched, tmp_path / "b.csv", "cannot be read"),
        (watched, None, "is set off by a file"),
    ):
        with pytest.raises(cm.InputError, match=said):
            harness.fire(workflow, given=given)


def test_params_that_are_none_are_named(harness: Harness) -> None:
    odd = cm.workflow("odd").on(cm.every("1h", params=lambda tick: [tick])).then(amounts).build()  # type: ignore[arg-type, return-value]
    with pytest.raises(cm.InputError, match="no values by name"):
        harness.fire(odd)


# --- pins ------------------------------------------------------------------------------------------------------------


@cm.node
def amounts() -> list[float]:
    raise ConnectionError("the service is away")


totals = cm.workflow("totals").then(amounts).aggregate(sum, id="total").build()


def test_pins_are_taken_instead_of_running_a_node(harness: Harness) -> None:
    run = harness.run(totals, pins={"amounts": [1.0, 2.0]})
    assert (run.output, run["amounts"].why.what) == (3.0, "pinned")
    with pytest.raises(cm.InputError, match="did you mean 'amounts'"):
        harness.run(totals, pins={"amount": [1.0]})


def test_a_folder_of_pins_is_taken_by_every_run_that_has_the_node(tmp_path: Path) -> None:
    (tmp_path / "amounts.jsonl").write_text("4.0\n5.0\n")
    (tmp_path / "elsewhere.jsonl").write_text("1\n")
    with Harness(pins=[tmp_path]) as harness:
        assert harness.run(totals).output == 9.0
        assert harness.run(totals, pins={"amounts": [1.0]}).output == 1.0
        assert harness.run(booking, [Booking(id="a", seats=1)]).status == "waiting"
        assert harness.run(totals, pins={"total": 7.0}).output == 7.0

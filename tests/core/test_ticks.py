"""The times of schedules: zones, summer and winter, outages; a year takes no longer than an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codemation.core.ticks import AT_ONCE, _rising, between, deal, first_after, following

BERLIN = ZoneInfo("Europe/Berlin")
BEFORE_SUMMER = datetime(2026, 3, 28, 20, tzinfo=UTC)
BEFORE_WINTER = datetime(2026, 10, 24, 20, tzinfo=UTC)
GRACE = timedelta(seconds=30)


def cron(expression: str, catch_up: str = "latest", timezone: str = "Europe/Berlin") -> dict[str, object]:
    return {"expression": expression, "timezone": timezone, "catch_up": catch_up}


def every(seconds: float, catch_up: str = "latest") -> dict[str, object]:
    return {"every": seconds, "catch_up": catch_up}


def here(times: object) -> list[str]:
    return [f"{time.astimezone(BERLIN):%d. %H:%M%z}" for time in times]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("expression", "after", "comes"),
    [
        ("30 2 * * *", BEFORE_SUMMER, ["29. 03:00+0200", "30. 02:30+0200"]),
        ("30 2 * * *", BEFORE_WINTER, ["25. 02:30+0200", "26. 02:30+0100"]),
        ("0 * * * *", BEFORE_SUMMER + timedelta(hours=3), ["29. 01:00+0100", "29. 03:00+0200"]),
        ("0 * * * *", BEFORE_WINTER + timedelta(hours=3), ["25. 02:00+0200", "25. 02:00+0100", "25. 03:00+0100"]),
    ],
    ids=["the hour is missing", "the hour is there twice", "by the hour, missing", "by the hour, twice"],
)
def test_a_job_at_an_hour_comes_once_a_day_whatever_the_clock_does(
    expression: str, after: datetime, comes: list[str]
) -> None:
    assert here(islice(following(cron(expression), after), len(comes))) == comes


def test_who_asks_within_the_hour_that_is_there_twice_is_given_no_time_again() -> None:
    first = first_after(cron("30 2 * * *"), BEFORE_WINTER)
    assert first is not None
    for minutes in (0, 10, 45, 70):
        assert here([first_after(cron("30 2 * * *"), first + timedelta(minutes=minutes))]) == ["26. 02:30+0100"]


def test_every_counts_from_the_epoch_for_whoever_asks() -> None:
    asked = [datetime(2026, 5, 1, 10, 0, 0, 1, UTC), datetime(2026, 5, 1, 10, 44, 59, tzinfo=UTC)]
    assert {first_after(every(2700.0), at) for at in asked} == {datetime(2026, 5, 1, 10, 30, tzinfo=UTC)} | {
        datetime(2026, 5, 1, 11, 15, tzinfo=UTC)
    }
    half = list(islice(following(every(0.5), datetime(2026, 1, 1, tzinfo=UTC)), 3))
    assert [(at - half[0]).total_seconds() for at in half] == [0.0, 0.5, 1.0]


def test_a_range_has_its_beginning_and_not_its_end() -> None:
    day = datetime(2026, 5, 1, tzinfo=UTC)
    found = list(between(every(3600.0), day, day + timedelta(hours=3)))
    assert [at.hour for at in found] == [0, 1, 2]


@pytest.mark.parametrize(
    ("policy", "hours"), [("skip", []), ("latest", [12]), ("all", [9, 10, 11, 12])], ids=["skip", "latest", "all"]
)
def test_what_was_missed_is_made_up_for_as_the_schedule_says(policy: str, hours: list[int]) -> None:
    first, now = datetime(2026, 5, 1, 9, tzinfo=UTC), datetime(2026, 5, 1, 12, 40, tzinfo=UTC)
    dealt = deal(cron("0 * * * *", policy, "UTC"), first, now, GRACE)
    assert [at.hour for at in dealt.ticks] == hours
    assert dealt.next_at == datetime(2026, 5, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize("policy", ["skip", "latest", "all"])
def test_what_is_only_late_is_no_miss(policy: str) -> None:
    first = datetime(2026, 5, 1, 9, tzinfo=UTC)
    dealt = deal(every(1.0, policy), first, first + timedelta(seconds=9, microseconds=5), GRACE)
    assert len(dealt.ticks) == 10


def test_a_long_outage_is_made_up_for_piece_by_piece() -> None:
    first, now = datetime(2025, 5, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    dealt = deal(every(60.0, "all"), first, now, GRACE)
    assert len(dealt.ticks) == AT_ONCE
    assert dealt.next_at == dealt.ticks[-1] + timedelta(minutes=1)


def test_the_latest_tick_is_found_however_seldom_it_comes() -> None:
    first, now = datetime(2024, 2, 29, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert deal(cron("0 0 29 2 *", timezone="UTC"), first, now, GRACE).ticks == (first,)
    assert deal(cron("0 0 29 2 *", timezone="UTC"), first.replace(year=2016), now, GRACE).ticks == (first,)
    assert deal(cron("* * * * *"), datetime(2025, 1, 1, tzinfo=UTC), now, GRACE).ticks == (now,)


def test_what_has_not_come_yet_is_not_made_up_for_and_what_comes_no_more_comes_to_an_end() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert deal(cron("0 * * * *"), now + timedelta(hours=1), now, GRACE).ticks == ()
    twice = [now, now + timedelta(hours=1), now + timedelta(hours=1), now + timedelta(hours=2)]
    assert list(_rising(now, twice)) == [now + timedelta(hours=1), now + timedelta(hours=2)]


@settings(max_examples=60, deadline=None)
@given(
    expression=st.sampled_from(["*/7 * * * *", "0 * * * *", "30 2 * * *", "15 3 * * SUN", "0 2 25 10 *"]),
    policy=st.sampled_from(["skip", "latest", "all"]),
    begins=st.integers(1_767_225_600, 1_796_083_200).map(lambda at: datetime.fromtimestamp(at, UTC)),
    outages=st.lists(st.integers(1, 40 * 3600), min_size=1, max_size=6),
)
def test_no_tick_is_dealt_with_twice_and_none_is_lost_but_by_policy(
    expression: str, policy: str, begins: datetime, outages: list[int]
) -> None:
    config, now, next_at = cron(expression, policy), begins, first_after(cron(expression), begins)
    dealt_with = list[datetime]()
    for outage in outages:
        now += timedelta(seconds=outage)
        while next_at is not None and next_at <= now:
            dealt = deal(config, next_at, now, GRACE)
            assert all(next_at <= at <= now for at in dealt.ticks)
            came = list(between(config, next_at, now + timedelta(microseconds=1)))
            if policy == "latest":
                assert dealt.ticks[-1:] == tuple(came[-1:])
            dealt_with += dealt.ticks
            next_at = dealt.next_at
    assert dealt_with == sorted(set(dealt_with))
    everything = list(between(config, begins + timedelta(microseconds=1), now + timedelta(microseconds=1)))
    assert set(dealt_with) <= set(everything)
    if policy == "all":
        assert dealt_with == everything

"""The synthetic day: the same for everybody, linear where nothing waits, and measured on runs that really happen."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from benchmarks.day import costs, measuring, report, traffic
from benchmarks.day.model import Day, Hardware, Part, Setup


def shares(factor: float, setup: Setup | None = None) -> dict[str, float]:
    parts = report.play(costs.load(), factor, setup or Setup())
    return {name: part.share for name, part in parts.items()}


def test_a_day_has_the_runs_of_its_load_and_is_the_same_each_time() -> None:
    one, again, ten = (list(traffic.arrivals(factor, seed=1)) for factor in (1, 1, 10))
    assert one == again != list(traffic.arrivals(1, seed=2))
    assert sum(batch.runs for batch in one) == pytest.approx(traffic.TODAY, rel=0.03)
    assert sum(batch.runs for batch in ten) == pytest.approx(10 * traffic.TODAY, rel=0.03)
    spike = sum(batch.runs for batch in ten if traffic.SPIKE[0] < batch.at < traffic.SPIKE[1])
    before = sum(batch.runs for batch in ten if traffic.SPIKE[0] - 900 < batch.at < traffic.SPIKE[0])
    assert spike > 3 * before


def test_ten_times_the_load_asks_for_ten_times_as_much() -> None:
    one, ten = shares(1), shares(10)
    assert all(share == pytest.approx(10 * one[part], rel=0.1) for part, share in ten.items())


@pytest.mark.parametrize("step", [field.name for field in fields(Setup) if field.type == "bool"])
def test_each_step_takes_something_off_the_part_that_it_is_for_and_adds_to_none(step: str) -> None:
    part = next(part for part, steps in report.ANSWERS.items() if step in steps)
    before, after = shares(100), shares(100, replace(Setup(), **{step: True}))
    assert after[part] < before[part]
    assert all(after[other] <= before[other] for other in before)
    assert step in report.STEPS


def test_what_comes_faster_than_it_can_be_done_waits_for_its_turn_and_what_does_not_does_not() -> None:
    part = Part(capacity=10.0)
    part.ask(0.0, 600.0, 60.0)
    assert (part.wait, round(part.share, 3)) == (0.0, 0.2)
    part.ask(3_600.0, 1_200.0, 60.0)  # a minute with two minutes of work
    part.ask(3_720.0, 50.0)
    assert part.wait == pytest.approx(60.0, abs=10.0)
    burst = Part(capacity=10.0)
    burst.ask(5.0, 50.0)
    assert burst.wait == 5.0


def test_a_machine_that_can_do_more_is_asked_for_a_smaller_share() -> None:
    small, large = (Day(costs.load(), 10, Setup(), Hardware(cores=cores)).play() for cores in (2, 16))
    assert large["processor"].share == pytest.approx(small["processor"].share / 8)


def test_the_costs_are_measured_on_runs_of_every_kind() -> None:
    assert measuring.kinds().keys() == costs.load().runs.keys() == traffic.MIX.keys()
    measured = measuring.measure(0.01, ["ten steps", "five children"])
    for name, run in measured.runs.items():
        assert run.commits >= 3, name
        assert run.log > 1_000, name
        assert run.prune_dead > 0, name
    assert measured.runs["ten steps"].commits >= 11
    assert measured.runs["five children"].activations == 12
    assert measured.commit_rate > 0

"""Fault 22: a random mix of faults, short; the long one is `python -m tests.journeys.chaos --minutes 10`."""

from __future__ import annotations

from tests.journeys.chaos import chaos


def test_whatever_happens_every_run_comes_to_its_right_end() -> None:
    done = chaos(20.0)
    assert done["runs"] > 0
    assert done["begin"] > 0

"""Faults at random moments, a few of each; all of them are `python -m tests.journeys.moments --moments 50`."""

from __future__ import annotations

import pytest

from tests.journeys.moments import FAULTS, moments

FEW = 4


@pytest.mark.parametrize("fault", FAULTS)
def test_whenever_a_fault_strikes_every_run_comes_to_its_right_end(fault: int) -> None:
    assert moments(fault, FEW).total() == FEW

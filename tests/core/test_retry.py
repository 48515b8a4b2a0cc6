"""How patiently something is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemation.core.definition import RetryPlan
from codemation.core.retry import Retry, delay_before

PLANS = st.builds(
    RetryPlan,
    attempts=st.integers(1, 9),
    backoff=st.sampled_from(["none", "fixed", "exponential"]),
    delay=st.floats(0.001, 1e4),
    max_delay=st.floats(0.001, 1e4),
    jitter=st.booleans(),
)


@given(PLANS, st.integers(2, 5000), st.text())
def test_a_delay_is_bounded_and_the_same_each_time_it_is_asked(plan: RetryPlan, attempt: int, seed: str) -> None:
    delay = delay_before(plan, attempt, seed)
    assert 0.0 <= delay <= plan.max_delay
    assert delay == delay_before(plan, attempt, seed)


@pytest.mark.parametrize(("backoff", "delays"), [("none", [0, 0, 0]), ("fixed", [2, 2, 2]), ("exponential", [2, 4, 5])])
def test_delays_grow_as_the_policy_says(backoff: str, delays: list[float]) -> None:
    plan = RetryPlan(attempts=9, backoff=backoff, delay=2.0, max_delay=5.0, jitter=False)  # type: ignore[arg-type]
    assert [delay_before(plan, attempt, "s") for attempt in (2, 3, 4)] == delays


def test_jitter_spreads_over_the_upper_half() -> None:
    plan = RetryPlan(attempts=9, backoff="fixed", delay=10.0)
    delays = [delay_before(plan, 2, f"seed {number}") for number in range(200)]
    assert 5.0 <= min(delays) < 6.0
    assert 9.0 < max(delays) <= 10.0


def test_a_policy_as_data_has_its_durations_in_seconds() -> None:
    plan = Retry(4, backoff="fixed", delay="200ms", max_delay="1m", jitter=False).plan
    assert plan == RetryPlan(attempts=4, backoff="fixed", delay=0.2, max_delay=60.0, jitter=False)


def test_only_errors_that_are_named_are_tried_again_and_never_those_to_give_up_on() -> None:
    retry = Retry(on=(OSError,), give_up_on=(PermissionError,))
    assert retry.applies_to(ConnectionError())
    assert not retry.applies_to(PermissionError())
    assert not retry.applies_to(ValueError())
    assert not Retry().applies_to(KeyboardInterrupt())


def test_a_policy_that_makes_no_sense_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="attempts=0: a node is tried at least once"):
        Retry(0)
    with pytest.raises(ValueError, match="is not a duration"):
        Retry(delay="soon")
    with pytest.raises(ValueError, match="is not a duration"):
        Retry(max_delay="5")

"""Whatever comes between, a run ends as it would have ended in quiet, and each result is recorded once."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codemation.core.facts import Done
from tests.core.simulation.faults import Fault
from tests.core.simulation.strategies import Story, diamond, stories
from tests.core.simulation.world import OneTrouble, Troubles, World, held_tickets

SEEDS = st.integers(0, 2**32)
STORIES = stories()
DIAMOND = diamond()
QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def quiet(story: Story) -> World:
    """The story in a world without troubles."""
    return World(story, Troubles(0), processes=1).play()


def check(world: World) -> None:
    """What holds in every world that has come to its end."""
    expected = quiet(world.story)
    assert world.result() == expected.result()
    assert world.snapshot().status is expected.snapshot().status
    assert held_tickets(world) == set()
    assert world.stores.runs.unattended() == ()
    recorded = Counter(fact.activation for delta in world.journal for fact in delta if isinstance(fact, Done))
    assert set(recorded.values()) <= {1}
    for revision, status in world.statuses.items():
        assert world.snapshot(revision).status is status
    last = len(world.journal)
    for revision in {1, last // 3 or 1, 2 * last // 3 or 1, last}:
        assert world.from_checkpoint(revision) == world.snapshot()


@QUICK
@given(STORIES)
def test_in_quiet_each_item_is_worked_on_once_whatever_fails_and_is_resumed(story: Story) -> None:
    assert set(quiet(story).effects.values()) <= {1}


@QUICK
@given(STORIES, SEEDS)
def test_two_workers_side_by_side_do_what_one_does(story: Story, seed: int) -> None:
    check(World(story, Troubles(seed, overtaking=0.3)).play())


@QUICK
@given(STORIES, SEEDS)
def test_lost_calls_and_deaths_at_any_call_change_nothing(story: Story, seed: int) -> None:
    check(World(story, Troubles(seed, overtaking=0.2, faults=4)).play())


@QUICK
@given(STORIES, SEEDS, st.booleans())
def test_cancels_false_deaths_and_resumes_among_faults_change_nothing(story: Story, seed: int, edited: bool) -> None:
    troubles = Troubles(seed, overtaking=0.2, faults=3, cancels=2, deaths=3)
    check(World(story, troubles, with_changes=edited).play())


@pytest.mark.parametrize("fault", Fault)
def test_one_fault_at_each_call_in_turn_changes_nothing(fault: Fault) -> None:
    world = World(DIAMOND, Troubles(0), processes=1).play()
    calls = world.troubles.calls
    assert calls > 40
    for at in range(1, calls + 1):
        check(World(DIAMOND, OneTrouble(at, fault)).play())

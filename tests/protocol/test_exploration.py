"""The exploration finds what it claims to find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.protocol.exploration import Move, TooManyStates, explore


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A toy: a number, the numbers it can become (below zero: by a fault, minus the number), and what is said of it."""

    steps: dict[int, tuple[int, ...]]
    forbidden: frozenset[int] = frozenset()
    good_rests: frozenset[int] = frozenset()

    def initial(self) -> int:
        """Begin at 1."""
        return 1

    def moves(self, state: int) -> Iterator[Move[int]]:
        """Go where the table says."""
        for step in self.steps.get(state, ()):
            yield Move(label=f"{state} becomes {abs(step)}", after=abs(step), fault=step < 0)

    def violation(self, state: int) -> str | None:
        """Name a forbidden number."""
        return f"{state} is forbidden" if state in self.forbidden else None

    def unsettled(self, state: int) -> str | None:
        """Name a number where one must not stay."""
        return None if state in self.good_rests else f"{state} is no place to rest"


def test_a_walk_that_always_comes_to_a_good_rest_is_clean_and_its_states_are_counted() -> None:
    finding = explore(Walk(steps={1: (2, 3), 2: (4,), 3: (4,)}, good_rests=frozenset({4})))
    assert (finding.flaw, finding.states) == (None, 4)


def test_the_trace_to_a_forbidden_state_is_the_shortest_one() -> None:
    finding = explore(Walk(steps={1: (2, 5), 2: (3,), 3: (5,)}, forbidden=frozenset({5})))
    assert finding.flaw is not None
    assert finding.flaw.trace == ("1 becomes 5",)
    assert str(finding.flaw) == "5 is forbidden (after 1 moves)\n  1. 1 becomes 5"


def test_a_promise_that_only_a_fault_would_keep_is_broken() -> None:
    finding = explore(Walk(steps={1: (2,), 2: (-3,)}, good_rests=frozenset({3})))
    assert finding.flaw is not None
    assert finding.flaw.promise == "2 is no place to rest"


def test_a_circle_without_a_way_out_is_a_flaw_although_somebody_always_moves() -> None:
    finding = explore(Walk(steps={1: (2, 4), 2: (3,), 3: (2, -4)}, good_rests=frozenset({4})))
    assert finding.flaw is not None
    assert finding.flaw.trace == ("1 becomes 2",)


def test_a_circle_with_a_way_out_is_no_flaw() -> None:
    assert explore(Walk(steps={1: (2,), 2: (1, 3)}, good_rests=frozenset({3}))).flaw is None


def test_an_exploration_that_meets_its_limit_says_so_instead_of_promising_anything() -> None:
    walk = Walk(steps={number: (number + 1,) for number in range(1, 50)}, good_rests=frozenset({50}))
    assert explore(walk, limit=50).flaw is None
    with pytest.raises(TooManyStates, match="more than 49 states"):
        explore(walk, limit=49)

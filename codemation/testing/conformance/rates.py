"""What rates do: no moment is given twice."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from codemation.core.ports import Stores
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract

DAY = 86_400.0
FAR = 1000.0
"""Seconds between two calls, so many that what a test takes itself weighs nothing."""


class RatesContract(Contract):
    """Calls are spread over time, whoever makes them."""

    def test_moments_are_given_one_after_the_other(self, stores: Stores) -> None:
        """The first is now, and each booking begins where the one before ends."""
        assert stores.rates.book("flow/a", 3, FAR) == 0
        assert round(stores.rates.book("flow/a", 2, FAR) / FAR) == 3
        assert round(stores.rates.book("flow/a", 1, FAR / 2) / FAR) == 5
        assert stores.rates.book("flow/b", 1, FAR) == 0

    def test_none_lies_in_the_past(self, stores: Stores, later: Callable[[float], None]) -> None:
        """What nobody has booked is gone when its time is."""
        stores.rates.book("flow/a", 1, FAR)
        later(10 * FAR)
        assert stores.rates.book("flow/a", 1, FAR) == 0
        assert round(stores.rates.book("flow/a", 1, FAR) / FAR) == 1

    def test_of_many_who_book_at_once_each_has_moments_of_its_own(self, stores: Stores) -> None:
        """However they race."""
        given = together(*(partial(stores.rates.book, "flow/a", 2, FAR) for _ in range(8)))
        assert sorted(round(wait / FAR) for wait in given) == list(range(0, 16, 2))

    def test_what_nobody_books_by_any_more_is_forgotten(self, stores: Stores, later: Callable[[float], None]) -> None:
        """A day after its last moment; one that is booked for longer stays, and what is forgotten begins anew."""
        stores.rates.book("flow/old", 1, FAR)
        stores.rates.book("flow/long", 1, 5 * DAY)
        assert stores.pruning.sweep().rates == 0
        later(2 * DAY)
        assert stores.pruning.sweep().rates == 1
        assert stores.pruning.sweep().rates == 0
        assert stores.rates.book("flow/long", 1, FAR) > DAY
        assert stores.rates.book("flow/old", 1, FAR) == 0

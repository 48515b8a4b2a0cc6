"""Contracts as a trial: the tests of a contract, called one after the other on stores that are made for each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from codemation.core.errors import CodemationError
from codemation.core.ports import Stores
from codemation.testing.conformance.world import World
from tests.testing.clock import Clock

Maker = Callable[[Clock], Stores]


def trials(contract: type) -> Iterator[tuple[str, Callable[..., None]]]:
    """Name and function of each test, those that race at the end."""
    owners = [owner for owner in reversed(contract.__mro__) if owner is not object]
    for owner in sorted(owners, key=lambda owner: "Race" in owner.__name__):
        for name, test in vars(owner).items():
            if name.startswith("test_"):
                yield name, test


def failures(contract: type, make: Maker, only: str = "") -> Iterator[str]:
    """The tests that fail, as they are found; of all of them, or of one."""
    for name, test in trials(contract):
        if only not in ("", name):
            continue
        clock = Clock()
        stores = make(clock)
        given: dict[str, Any] = {"stores": stores, "world": World(stores), "later": clock.later}
        wanted = [parameter for parameter in inspect.signature(test).parameters if parameter != "self"]
        try:
            test(contract(), **{parameter: given[parameter] for parameter in wanted})
        except (AssertionError, ValueError, CodemationError, pytest.fail.Exception):
            yield name

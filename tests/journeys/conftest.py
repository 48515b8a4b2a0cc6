"""A world for each test, or for all tests of a module that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codemation.host.app import App
from tests.journeys.world import World, temporary_world


@pytest.fixture
def world() -> Iterator[World]:
    """A world of the test's own."""
    with temporary_world() as world:
        yield world


@pytest.fixture(scope="module")
def town() -> Iterator[World]:
    """A world that the tests of a module share, with its server running all the while."""
    with temporary_world() as world, world.project.open():
        yield world


@pytest.fixture
def app(town: World) -> Iterator[App]:
    """The shared world's app, in this process."""
    with town.open() as app:
        yield app

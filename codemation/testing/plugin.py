"""The pytest plugin: the fixture `harness`, and the marks that set it up. It imports nothing before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from codemation.testing.harness import Harness


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks."""
    config.addinivalue_line("markers", "network(*hosts): hosts that the harness of this test may reach")
    config.addinivalue_line("markers", "pins(*folders): what nodes give in runs of the harness, instead of being run")


@pytest.fixture
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """Runs workflows in memory, on a clock that the test moves, without a network."""
    from codemation.testing.harness import Harness  # noqa: PLC0415 - a session without tests of workflows pays nothing

    hosts = [host for mark in request.node.iter_markers("network") for host in mark.args]
    folders = [request.config.rootpath / folder for mark in request.node.iter_markers("pins") for folder in mark.args]
    with Harness(network=hosts, pins=folders) as opened:
        yield opened

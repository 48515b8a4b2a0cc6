"""One app with its own database for each module of tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.cli.shop import Shop, open_shop


@pytest.fixture(autouse=True)
def path() -> Iterator[None]:
    """Workflow files find their neighbours by the path of the process, which other tests share."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened

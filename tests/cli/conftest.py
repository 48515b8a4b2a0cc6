"""One app with its own database for each module of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.shop import Shop, open_shop


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened

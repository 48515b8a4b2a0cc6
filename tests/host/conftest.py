"""An app on memory stores, and runs on it, for every test of the host."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.host.runtime.conftest import app, launch, run, stores

__all__ = ["app", "launch", "run", "stores"]


@pytest.fixture(autouse=True)
def path() -> Iterator[None]:
    """Workflow files find their neighbours by the path of the process, which other tests share."""
    before = list(sys.path)
    yield
    sys.path[:] = before

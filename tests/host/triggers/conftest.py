"""Apps on memory stores whose clock stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from codemation.core.ports import Stores
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.memory import memory_stores
from codemation.host.settings import Settings
from tests.testing.clock import Clock

Open = Callable[..., App]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stores(clock: Clock) -> Stores:
    return memory_stores(clock)


@pytest.fixture
def open_app(stores: Stores, tmp_path: Path) -> Iterator[Open]:
    """Opens an app on the same stores, with settings; what its upkeep would do by itself is left to the test."""
    with ExitStack() as stack:

        def opened(given: Stores | None = None, **settings: Any) -> App:
            backend = Backend(stores=given or stores, close=lambda: None, describes="memory")
            app = stack.enter_context(App(backend, Settings(tmp_path, settings, {})))
            app.upkeep.end()
            return app

        yield opened


@pytest.fixture
def app(open_app: Open) -> App:
    return open_app()

"""An app on memory stores, and runs on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codemation.core.launch import Launch
from codemation.core.ports import Stores
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.handles import RunHandle
from codemation.host.memory import memory_stores
from codemation.host.settings import Settings

PATIENCE = 30.0
"""Seconds after which a test that waits for a run gives up."""

Run = Callable[..., RunHandle]
"""Runs a workflow with items and params to its end; raises what the run raises."""


def opened(stores: Stores, path: Path, **settings: Any) -> App:
    """An app on these stores."""
    return App(Backend(stores=stores, close=lambda: None, describes="memory"), Settings(path, settings, {}))


@pytest.fixture
def stores() -> Stores:
    return memory_stores()


@pytest.fixture
def app(stores: Stores, tmp_path: Path) -> Iterator[App]:
    with opened(stores, tmp_path) as app:
        yield app


@pytest.fixture
def launch(app: App) -> Run:
    def launched(workflow: Workflow[Any, ...], items: Any = None, **params: Any) -> RunHandle:
        model = workflow.params
        return app.launch(Launch(workflow=workflow, items=items, params=model(**params) if model else None))

    return launched


@pytest.fixture
def run(launch: Run) -> Run:
    def finished(workflow: Workflow[Any, ...], items: Any = None, **params: Any) -> RunHandle:
        handle = launch(workflow, items, **params)
        handle.wait()
        return handle

    return finished

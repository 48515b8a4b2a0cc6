"""An app on memory and on PostgreSQL, for workflows that must do the same on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.launch import Launch
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.credentials import ConfiguredCredential
from codemation.host.handles import RunHandle
from codemation.host.memory import memory_stores
from codemation.host.postgres.stores import open_stores
from codemation.host.settings import Settings
from tests.host.postgres.server import Server, running_server

Run = Callable[..., RunHandle]
"""Runs a workflow with items and params to its end."""


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A running server."""
    with running_server() as server:
        yield server


@pytest.fixture(params=["memory", "postgres"])
def open_app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., App]]:
    """Opens apps with credentials; on PostgreSQL each has a database of its own."""
    with ExitStack() as closing:

        def opened(*credentials: cm.Credential, **settings: Any) -> App:
            if request.param == "memory":
                stores = memory_stores()
            else:
                server: Server = request.getfixturevalue("server")
                url = closing.enter_context(server.database(f"corpus_{id(tmp_path)}"))
                stores = closing.enter_context(open_stores(url)).stores
            backend = Backend(stores=stores, close=lambda: None, describes=request.param)
            sources = [ConfiguredCredential(one) for one in credentials]
            return closing.enter_context(App(backend, Settings(tmp_path, settings, {}), credentials=sources))

        yield opened


@pytest.fixture
def run() -> Run:
    """Runs a workflow in an app."""

    def finished(app: App, workflow: cm.Workflow[Any, ...], items: Any = None, **params: Any) -> RunHandle:
        model = workflow.params
        handle = app.launch(Launch(workflow=workflow, items=items, params=model(**params) if model else None))
        handle.wait()
        return handle

    return finished

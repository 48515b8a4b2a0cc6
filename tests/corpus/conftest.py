"""An app inline on memory and on PostgreSQL, and one on Celery, for workflows that must do the same on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import codemation as cm
from codemation.core.launch import Launch
from codemation.host.app import App
from codemation.host.backend import Backend, open_backend
from codemation.host.credentials import ConfiguredCredential
from codemation.host.handles import RunHandle
from codemation.host.memory import memory_stores
from codemation.host.postgres.stores import open_stores
from codemation.host.settings import Settings
from tests.adapters.fleet import QUICK, Fleet, running_fleet
from tests.corpus.available import NEEDS, missing
from tests.corpus.deeds import WHERE
from tests.host.postgres.clock import set_clock
from tests.host.postgres.server import Server, running_server

Run = Callable[..., RunHandle]
"""Runs a workflow with items and params to its end."""
CREDENTIALS = {
    "CODEMATION_CREDENTIAL_WAREHOUSE_URL": "postgresql://there",
    "CODEMATION_CREDENTIAL_CRM_URL": "crm",
    "CODEMATION_CREDENTIAL_CRM_TOKEN": "crm-token",
    "CODEMATION_CREDENTIAL_SMTP_HOST": "mail",
    "CODEMATION_CREDENTIAL_SMTP_PASSWORD": "swordfish",
}
"""What tests give to an app of their own, as workers have it."""
NOTEBOOKS = "tests.corpus.test_corpus:Notebooks"


@pytest.fixture(scope="session", autouse=True)
def deeds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder for what the workflows do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WHERE, str(tmp_path_factory.mktemp("deeds")))
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A running server."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def fleet(deeds: None) -> Iterator[Fleet]:
    """Workers of all queues of the corpus: a pool of processes and one of threads."""
    here = [name for name in NEEDS if not missing(name)]
    with running_fleet({f"{name}.py": f"from tests.corpus.{name} import *\n" for name in here}) as fleet:
        settings = {**CREDENTIALS, **QUICK, "CODEMATION_NOTEBOOKS": NOTEBOOKS}
        for pool in ("prefork", "threads"):
            fleet.worker("--queues", "default,gpu,cpu", "-c", "2", pool=pool, **settings)
        for worker, many in zip(fleet.workers, (2, 1), strict=True):
            worker.ready(many)
        yield fleet


@dataclass(slots=True, kw_only=True)
class Stage:
    """Where workflows are run: opens apps with credentials, and lets time go by."""

    open: Callable[[Settings], Backend]
    """The stores of an app."""
    move: Callable[[float], None]
    """Puts the clock of the database so many seconds ahead."""
    values: dict[str, Any]
    """Settings of each app."""
    folder: Path
    _closing: ExitStack = field(default_factory=ExitStack)
    _ahead: float = 0.0

    def __call__(self, *credentials: cm.Credential, **settings: Any) -> App:
        """An app."""
        mine = Settings(self.folder, {**self.values, **settings}, {})
        sources = [ConfiguredCredential(one) for one in credentials]
        return self._closing.enter_context(App(self.open(mine), mine, credentials=sources))

    def later(self, seconds: float) -> None:
        """Let time go by."""
        self._ahead += seconds
        self.move(self._ahead)

    def close(self) -> None:
        """Close the apps, and let it be now again."""
        self._closing.close()
        self.move(0.0)


@pytest.fixture(params=["memory", "postgres", "celery"])
def open_app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A stage; inline on PostgreSQL it has a database of its own."""
    with ExitStack() as closing:
        stage = {"memory": in_memory, "postgres": on_postgres, "celery": on_celery}[request.param](
            request, tmp_path, closing
        )
        closing.callback(stage.close)
        yield stage


def in_memory(_request: pytest.FixtureRequest, folder: Path, _closing: ExitStack) -> Stage:
    """Runs are worked on by threads of this process, and nothing is written."""
    ahead = [0.0]
    stores = memory_stores(lambda: datetime.now(UTC) + timedelta(seconds=ahead[0]))

    def move(seconds: float) -> None:
        ahead[0] = seconds

    backend = Backend(stores=stores, close=lambda: None, describes="memory")
    return Stage(open=lambda _: backend, move=move, values={}, folder=folder)


def on_postgres(request: pytest.FixtureRequest, folder: Path, closing: ExitStack) -> Stage:
    """Runs are worked on by threads of this process."""
    server: Server = request.getfixturevalue("server")
    url = closing.enter_context(server.database(f"corpus_{id(folder)}"))
    stores = closing.enter_context(open_stores(url)).stores
    backend = Backend(stores=stores, close=lambda: None, describes="postgres")
    return Stage(open=lambda _: backend, move=mover(url), values={}, folder=folder)


def on_celery(request: pytest.FixtureRequest, _folder: Path, _closing: ExitStack) -> Stage:
    """Runs are worked on by the workers of a fleet."""
    fleet: Fleet = request.getfixturevalue("fleet")
    values = {"database_url": fleet.url, "redis_url": fleet.redis.url, "scheduler": "celery"}
    return Stage(open=open_backend, move=mover(fleet.url), values=values, folder=fleet.folder)


def mover(url: str) -> Callable[[float], None]:
    """What moves the clock of a database."""

    def move(seconds: float) -> None:
        with psycopg.connect(url, autocommit=True) as database:
            set_clock(database, seconds)

    return move


@pytest.fixture
def run() -> Run:
    """Runs a workflow in an app."""

    def finished(app: App, workflow: cm.Workflow[Any, ...], items: Any = None, **params: Any) -> RunHandle:
        model = workflow.params
        handle = app.launch(Launch(workflow=workflow, items=items, params=model(**params) if model else None))
        handle.wait()
        return handle

    return finished

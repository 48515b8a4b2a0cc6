"""Fault 21: what every released version has left in a database can be read and gone on with by this one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from codemation.core.errors import SchemaMismatch
from codemation.core.launch import Launch
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.postgres.migrate import expected, upgrade
from codemation.host.postgres.stores import open_stores
from codemation.host.settings import Settings
from tests.host.postgres.server import Server, running_server
from tests.releases.shop import DELIVERED, Wish, shop

HERE = Path(__file__).parent
RELEASES = sorted(path.parent.name for path in HERE.glob("*/database.sql"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server for all releases."""
    with running_server() as server:
        yield server


@pytest.fixture(params=RELEASES)
def left(request: pytest.FixtureRequest, server: Server) -> Iterator[str]:
    """The URL of a database as a release has left it."""
    release = str(request.param)
    name = f"release_{release.replace('.', '_')}"
    with server.database(name, template="template0") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((HERE / release / "database.sql").read_bytes())
        yield url


@pytest.fixture
def app(left: str, tmp_path: Path) -> Iterator[App]:
    """An app of this release on it."""
    upgrade(left)
    with App.open(Settings(tmp_path, {"database_url": left}, {})) as app:
        yield app


def kept(app: App) -> dict[RunStatus, RunHandle]:
    """The runs that were left, by where they stand."""
    with psycopg.connect(app.settings.database_url or "", autocommit=True) as connection:
        runs = [str(row[0]) for row in connection.execute("SELECT id FROM runs")]
    app.know(shop)
    handles = [app.attach(run) for run in runs]  # type: ignore[arg-type]
    return {handle.status: handle for handle in handles}


def test_there_is_a_record_of_some_release() -> None:
    assert RELEASES


def test_a_database_with_an_older_schema_is_refused_until_it_is_migrated(left: str) -> None:
    with psycopg.connect(left) as connection:
        (there,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    if there != expected():
        with pytest.raises(SchemaMismatch, match="codemation db migrate"):
            open_stores(left)
    upgrade(left)
    open_stores(left).close()


def test_what_has_succeeded_is_read_as_it_was(app: App) -> None:
    handle = kept(app)[RunStatus.SUCCEEDED]
    assert handle.output == DELIVERED
    assert handle["discounted"].count == 2
    assert [order["total"] for order in handle["ledger"].arrow.to_pylist()] == [10.0, 20.0, 30.0, 20.0, 25.0]
    assert handle.at(1).status is RunStatus.RUNNING


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.RUNNING])
def test_what_has_not_succeeded_goes_on_and_nothing_is_done_again(app: App, status: RunStatus) -> None:
    handle = kept(app)[status]
    before = handle["bulky"].attempts
    revision = handle.revision
    resumed = app.resume(handle.id, shop)
    resumed.wait()
    assert resumed.output == DELIVERED
    assert resumed["bulky"].attempts == before
    assert resumed.revision <= revision + 4, "more was done than was left"
    assert app.stores.runs.unattended() == ()


def test_a_key_that_was_used_then_gives_the_run_of_then(app: App) -> None:
    known = kept(app)[RunStatus.SUCCEEDED]
    assert app.launch(Launch(workflow=shop, params=Wish(), key="succeeded")).id == known.id

"""The same workflows on the inline scheduler and on Celery: threads, processes, and one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codemation.host.app import App
from codemation.host.settings import Settings
from codemation.testing import conformance
from tests.adapters.fleet import Fleet, Worker, running_fleet


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running_fleet() as fleet:
        yield fleet


class TestInline(conformance.SchedulerContract):
    @pytest.fixture
    def app(self, fleet: Fleet, tmp_path: Path) -> Iterator[App]:
        with fleet.server.database("inline") as url, App.open(Settings(tmp_path, {"database_url": url}, {})) as app:
            yield app


@pytest.fixture(scope="module")
def workers(fleet: Fleet) -> list[Worker]:
    """A pool of processes for ordinary work, and one of threads, of both queues."""
    pool = fleet.worker("--queues", "default", "--concurrency", "2", pool="prefork")
    other = fleet.worker("--queues", "gpu,default", "--concurrency", "2", pool="threads")
    pool.ready(2)
    other.ready()
    return [pool, other]


class TestCelery(conformance.SchedulerContract):
    @pytest.fixture
    def app(self, fleet: Fleet, workers: list[Worker]) -> Iterator[App]:
        with fleet.open() as app:
            yield app

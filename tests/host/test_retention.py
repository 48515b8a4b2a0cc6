"""Retention: frozen at the start of a run, by outcome; pruned by a duty, by hand, and never too much."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.errors import RunError
from codemation.core.launch import Launch
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.handles import RunHandle
from codemation.host.memory import memory_stores
from codemation.host.settings import ConfigError, Settings
from tests.testing.clock import Clock

DAY = 86400.0


@cm.node
def double(number: int, fails: bool = False) -> int:
    if fails:
        raise ValueError("no number")
    return 2 * number


def flow(retention: cm.Retention | None = None, *, fails: bool = False) -> Workflow[Any, ...]:
    return cm.workflow("numbers", input=int, retention=retention).then(double, fails=fails).build()


def finished(app: App, workflow: Workflow[Any, ...], **options: Any) -> RunHandle:
    handle = app.launch(Launch(workflow=workflow, items=[1], **options))
    with suppress(cm.RunFailed):
        handle.wait()
    return handle


def kept(app: App) -> set[str]:
    return {row.id for row in app.stores.runs.page()}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend(clock: Clock) -> Backend:
    return Backend(stores=memory_stores(clock), close=lambda: None, describes="memory")


@pytest.fixture
def app(backend: Backend, tmp_path: Path) -> Iterator[App]:
    with App(backend, Settings(tmp_path, {"keep_succeeded": "10d"}, {})) as app:
        yield app


def test_retention_is_frozen_at_the_start_and_differs_by_outcome(app: App, clock: Clock) -> None:
    good = finished(app, flow())
    bad = finished(app, flow(fails=True))
    short = finished(app, flow(cm.Retention(succeeded="1d")))
    changed = finished(app, flow(cm.Retention(succeeded="2d")))  # the same digest, said otherwise
    assert changed.definition.digest == short.definition.digest
    clock.later(1.5 * DAY)
    assert app.upkeep.pruner.prune() == 1
    assert kept(app) == {good.id, bad.id, changed.id}
    clock.later(1 * DAY)
    assert app.upkeep.pruner.prune() == 1
    clock.later(8 * DAY)
    assert app.upkeep.pruner.prune() == 1
    assert kept(app) == {bad.id}
    clock.later(90 * DAY)
    assert app.upkeep.pruner.prune() == 1


def test_a_setting_that_changes_is_for_runs_that_start_afterwards(
    app: App, backend: Backend, clock: Clock, tmp_path: Path
) -> None:
    before = finished(app, flow())
    with App(backend, Settings(tmp_path, {"keep_succeeded": "1d"}, {})) as other:
        after = finished(other, flow())
    clock.later(2 * DAY)
    app.upkeep.pruner.prune()
    assert kept(app) == {before.id}
    assert after.id not in kept(app)


def test_a_run_may_be_kept_forever(app: App, clock: Clock) -> None:
    run = finished(app, flow(cm.Retention(succeeded="forever")))
    clock.later(10_000 * DAY)
    assert app.upkeep.pruner.prune() == 0
    assert kept(app) == {run.id}


def test_a_key_whose_run_was_pruned_is_refused_by_name_until_its_own_time_is_over(app: App, clock: Clock) -> None:
    run = finished(app, flow(), key="monday")
    clock.later(11 * DAY)
    app.upkeep.pruner.prune()
    with pytest.raises(RunError, match=rf'the key "monday" has started run {run.id} already, which was pruned since'):
        finished(app, flow(), key="monday")
    clock.later(90 * DAY)
    again = finished(app, flow(), key="monday")
    assert again.id != run.id


@pytest.mark.parametrize("said", ["7 days", "-1d", "0s"])
def test_a_time_that_is_no_duration_is_refused_where_it_is_written(said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='or "forever"'):
        cm.Retention(failed=said)
    with pytest.raises(ConfigError, match=r'keep_failed .*or "forever"'):
        Settings(tmp_path, {"keep_failed": said}, {})

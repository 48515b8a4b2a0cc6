"""The triggers of workflows that are being written: whose they are, and what is left of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.cli.arming import DevTriggers
from codemation.core.ids import WorkerId, WorkflowId
from codemation.core.ports import ArmedWorkflow, WorkerRow
from codemation.host.app import App
from codemation.host.builds.watching import take_up
from codemation.host.catalog import Catalog, Found
from codemation.host.settings import Settings
from codemation.host.triggers.activation import BY_DEV, activate, deactivate
from tests.host.postgres.server import running_server


@cm.node
def note() -> int:
    return 1


def written(id_: str, every: str = "1h") -> cm.Workflow[Any, ...]:
    return cm.workflow(id_).on(cm.every(every)).then(note).build()


def catalog(*workflows: cm.Workflow[Any, ...]) -> Catalog:
    found = Catalog(Path(), "workflows")
    for one in workflows:
        found.workflows[one.id] = Found(workflow=one, file=Path("w.py"), name="w")
    return found


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_server() as server, server.database("arming") as url:
        yield url


@pytest.fixture
def app(url: str, tmp_path: Path) -> Iterator[App]:
    with App.open(Settings(tmp_path, {"database_url": url}, {})) as app:
        yield app
        for row in app.stores.armory.workflows():
            app.stores.armory.disarm(row.workflow, BY_DEV)
        app.stores.workers.bury([row.id for row in app.stores.workers.living()])


def armed(app: App) -> dict[str, ArmedWorkflow]:
    return {row.workflow: row for row in app.stores.armory.workflows() if row.active}


def session(**more: bool) -> tuple[DevTriggers, list[str]]:
    said: list[str] = []
    return DevTriggers(said.append, **{"wanted": True, **more}), said


def test_they_are_armed_as_they_are_written_and_disarmed_in_the_end(app: App) -> None:
    dev, said = session()
    dev.take_up(app, catalog(written("dev.one"), cm.workflow("dev.none").then(note).build()))
    assert said == ["triggers of dev.one armed: every 1h 00m"]
    dev.take_up(app, catalog(written("dev.one", "2h"), written("dev.two")))
    assert said[1:] == ["triggers of dev.one armed: every 2h 00m", "triggers of dev.two armed: every 1h 00m"]
    assert armed(app)["dev.one"].digest == written("dev.one", "2h").digest
    (trigger,) = [one for one in app.stores.armory.triggers(WorkflowId("dev.one")) if one.active]
    assert trigger.config["every"] == 7200
    dev.take_up(app, catalog(written("dev.one", "2h"), written("dev.two")))
    assert len(said) == 3
    dev.take_up(app, catalog(written("dev.two")))
    assert said[3:] == ["triggers of dev.one disarmed"]
    assert {name: row.by for name, row in armed(app).items()} == {"dev.two": BY_DEV}
    dev.end(app)
    assert (armed(app), said[4:]) == ({}, ["triggers of dev.two disarmed"])


def test_what_somebody_else_has_said_of_them_stands(app: App) -> None:
    kept, left = written("dev.kept"), written("dev.left")
    activate(app, kept, "ada")
    activate(app, left, "ada")
    deactivate(app, WorkflowId("dev.left"), "grace")
    dev, said = session()
    dev.take_up(app, catalog(kept, left))
    assert said == [
        "triggers of dev.kept stay armed, as ada has said",
        "triggers of dev.left stay disarmed, as grace has said",
    ]
    dev.end(app)
    assert {name: row.by for name, row in armed(app).items()} == {"dev.kept": "ada"}


def test_nothing_is_armed_where_that_is_not_wanted(app: App) -> None:
    dev, said = session(wanted=False)
    dev.take_up(app, catalog(written("dev.quiet")))
    dev.end(app)
    assert (armed(app), said) == ({}, [])


def test_in_a_database_of_others_nothing_is_armed_renewed_or_started(app: App) -> None:
    activate(app, written("dev.theirs"), "ada")
    before = armed(app)
    there = WorkerRow(id=WorkerId(77), name="w", place="elsewhere", pid=1, pid_started=1)
    app.stores.workers.register(there)
    dev, said = session()
    dev.take_up(app, catalog(written("dev.theirs", "9h"), written("dev.mine")))
    assert said == ["triggers are left alone: other processes work in this database, and they are theirs"]
    assert (armed(app), app.upkeep.triggers.known) == (before, {})
    dev.end(app)
    assert armed(app) == before


def test_what_a_killed_session_has_left_is_taken_over_by_the_next_and_disarmed_by_production(app: App) -> None:
    killed, _ = session()
    killed.take_up(app, catalog(written("dev.orphan")))
    again, said = session()
    again.take_up(app, catalog(written("dev.orphan")))
    assert said == ["triggers of dev.orphan armed: every 1h 00m"]
    take_up(app, catalog(written("dev.orphan")))
    assert armed(app) == {}


def test_what_the_settings_name_is_armed_after_a_session_as_if_there_had_been_none(url: str, tmp_path: Path) -> None:
    with App.open(Settings(tmp_path, {"database_url": url, "activate": ["dev.*"]}, {})) as app:
        deactivate(app, WorkflowId("dev.named"), BY_DEV)
        activate(app, written("dev.named"), BY_DEV)
        take_up(app, catalog(written("dev.named")))
        assert armed(app)["dev.named"].by == "settings"
        deactivate(app, WorkflowId("dev.named"), BY_DEV)


def test_what_cannot_be_armed_is_said(app: App) -> None:
    @cm.node
    def taken() -> int:
        return 1

    hook = cm.workflow("dev.hook").on(cm.webhook("/x")).then(taken).build()
    dev, said = session()
    dev.take_up(app, catalog(hook))
    assert (armed(app), len(said)) == ({}, 1)
    assert '"dev.hook" cannot be activated' in said[0]
    dev.end(app)

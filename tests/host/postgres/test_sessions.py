"""Sessions and replays on PostgreSQL: they outlive the process that had them open, and what others prune."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import polars as pl
import psycopg
import pytest

import codemation as cm
from codemation.core.errors import SourcePruned
from codemation.core.launch import Launch
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.opening import begin
from codemation.host.postgres.stores import open_stores
from codemation.host.settings import Settings

FLOW = """
    import codemation as cm

    @cm.node
    def load() -> list[int]:
        print("load")
        return [1, 2, 3]

    @cm.node
    def double(number: int) -> int:
        print("double", number)
        return number * 2

    @cm.node
    def total(numbers: list[int]) -> int:
        print("total")
        return sum(numbers)

    sums = cm.workflow("sums").then(load).then(double).then(total).build()
"""
KILLED = """
    import os, signal
    from flow import sums

    session = sums.debug().run_to("double")
    session["load"].pin([5])
    session.step()
    print(session.id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
AGAIN = """
    import json, sys
    import codemation as cm
    from flow import sums

    with cm.connect(sys.argv[1]) as connection:
        session = connection.open(sys.argv[2], sums)
        before = [list(session.due), list(session.pins), session.revision]
        session.continue_()
        print(json.dumps([before, session.output, str(session["load"].why)]))
"""


def _script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(dedent(text))
    return path


def test_a_session_whose_process_was_killed_is_opened_again_where_it_stood(url: str, tmp_path: Path) -> None:
    _script(tmp_path, "flow.py", FLOW)
    environment = {**os.environ, "CODEMATION_DATABASE_URL": url}
    killed = subprocess.run(
        [sys.executable, str(_script(tmp_path, "killed.py", KILLED))],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    *said, run = killed.stdout.split("\n")[:-1]
    assert said == ["load", "double 1", "double 2", "double 3", "double 5"]
    again = subprocess.run(
        [sys.executable, str(_script(tmp_path, "again.py", AGAIN)), url, run],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    first, last = again.stdout.splitlines()
    assert first == "total"
    before, output, why = json.loads(last)
    assert before[:2] == [["total"], ["load"]]
    assert output == 10
    assert why.startswith("load pinned: by hand by ")


@pytest.fixture
def app(url: str, tmp_path: Path) -> Iterator[App]:
    opened = open_stores(url)
    with App(Backend(stores=opened.stores, close=opened.close, describes="test"), Settings(tmp_path, {}, {})) as app:
        yield app


calls: list[str] = []


class Params(cm.Params):
    at_least: int = 15


@cm.node
def flights() -> pl.DataFrame:
    calls.append("flights")
    numbers = list(range(20_000))
    return pl.DataFrame({"id": numbers, "hour": [at % 24 for at in numbers], "late": [at % 60 for at in numbers]})


@cm.node
def weather() -> pl.DataFrame:
    calls.append("weather")
    return pl.DataFrame({"hour": list(range(24)), "wind": [float(at) for at in range(24)]})


@cm.node
def joined(flights: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
    calls.append("joined")
    return flights.join(weather, on="hour")


@cm.node(cache=True)
def late(table: pl.DataFrame, at_least: int) -> pl.DataFrame:
    calls.append("late")
    return table.filter(pl.col("late") >= at_least)


@cm.node
def worst(table: pl.DataFrame) -> list[dict[str, Any]]:
    calls.append("worst")
    return table.sort("late", "id", descending=[True, False]).head(3).to_dicts()


@cm.workflow("delays", params=Params)
def delays(start: cm.Flow) -> cm.Flow[Any]:
    """Flights and the weather at their hour."""
    both = start.then(flights).then(joined, weather=start.then(weather))
    return both.then(late, at_least=Params.at_least).then(worst)


def test_a_session_on_flights_runs_only_what_has_to_run(app: App) -> None:
    """Step to the join, look at the rows, pin, edit the model, go on, go back, diff with the quiet run."""
    quiet = app.launch(Launch(workflow=delays, params=Params()))
    quiet.wait()
    calls.clear()
    session = begin(app, Launch(workflow=delays, params=Params()))
    session.run_to(joined)
    assert calls == ["flights", "weather", "joined"]
    assert session["joined"].frame.columns == ["id", "hour", "late", "wind"]
    session["joined"].pin(session["joined"].frame.head(100))
    calls.clear()

    @cm.node(id="worst")
    def calmest(table: pl.DataFrame) -> list[dict[str, Any]]:
        calls.append("calmest")
        return table.sort("wind", "id").head(3).to_dicts()

    session.edit(calmest).continue_()
    assert calls == ["late", "calmest"]
    assert session["joined"].why.what == "pinned"
    calls.clear()
    assert session.back().due == ("worst",)
    session.continue_()
    assert calls == ["calmest"]
    diff = quiet.diff(session)
    assert [one.node for one in diff.code] == ["worst"]
    assert {one.node: (one.before, one.after) for one in diff.rows}["joined"] == (20_000, 100)
    calls.clear()
    session["joined"].unpin()
    session.edit(worst).continue_()
    assert calls == ["joined", "worst"]  # what is late is known from the quiet run
    assert quiet.diff(session).nothing


def test_every_revision_of_a_session_equals_what_was_recorded_then(app: App) -> None:
    """Acceptance 25, on PostgreSQL."""
    session = begin(app, Launch(workflow=delays, params=Params()))
    seen = {}
    for act in (session.step, session.step, session.step, session.back, session.continue_, session.restart):
        act()
        seen[session.revision] = session.snapshot.fork()
    for revision, known in seen.items():
        assert session.at(revision).snapshot == known


def test_what_a_replay_has_taken_over_cannot_be_deleted_under_it(app: App, url: str) -> None:
    source = app.launch(Launch(workflow=delays, params=Params()))
    source.wait()
    again = source.replay(from_="worst")
    assert again["joined"].frame.height == 20_000
    held = {one.ref.removeprefix("b:") for one in again.snapshot.outputs(again["joined"].node).values()}
    with psycopg.connect(url, autocommit=True) as database:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            database.execute("DELETE FROM batches WHERE id = ANY(%s::uuid[])", [list(held)])
        database.execute("DELETE FROM journal WHERE run_id = %s", [source.id])
    with pytest.raises(SourcePruned):
        source.replay(from_="worst")

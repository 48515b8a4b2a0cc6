"""A session on the app's own workflow and a month of its data, recorded by a PostgreSQL of its own."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from flights import comparison
from flights.comparison import Carrier, Comparison

import codemation as cm
from codemation.core.launch import Launch
from codemation.host.app import App
from codemation.host.opening import begin
from tests.app_template.conftest import APP
from tests.journeys.world import temporary_world

BEHIND_THE_JOIN = {
    *("noted", "write_rejects", "write_parquet", "files", "carriers", "measurable", "compare_carrier", "count_carrier"),
    *("ranked", "by_hour", "by_day", "by_weather", "by_route", "by_age", "explained", "write_report"),
}
"""What has not been done when the join has."""


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """The file of the workflow, as the app finds it."""
    spec = importlib.util.spec_from_file_location("flights_delays", APP / "workflows" / "flights" / "delays.py")
    assert spec is not None
    assert spec.loader is not None
    found = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with temporary_world() as world, world.project.open(), world.open() as app:
        yield app


def test_step_to_the_join_look_pin_edit_go_on_go_back_and_tell_it_from_the_quiet_run(
    module: ModuleType, app: App, tmp_path: Path
) -> None:
    begun = Launch(workflow=module.delays, params=module.Params(months=[1], resamples=100, out=tmp_path))
    quiet = app.launch(begun)
    quiet.result()
    ran: list[str] = []
    app.listeners.append(
        lambda run, _, events: ran.extend(e.node for e in events if run != quiet.id and e.kind == "node_succeeded")
    )
    session = begin(app, begun)

    session.run_to("assemble")
    assert session["assemble"].polars.equals(quiet["assemble"].polars)
    assert "load_flights" in ran
    assert not BEHIND_THE_JOIN & set(ran)

    without_one = session["assemble"].polars.filter(pl.col("carrier") != "HA")
    session["assemble"].pin(without_one)

    @cm.node(id="compare_carrier", concurrency=2, timeout="5m")
    def compare(carrier: Carrier, *, table: pl.DataFrame) -> Comparison:
        """Measure with draws enough to be quick."""
        return comparison.compare_carrier(carrier, table, resamples=120)

    session.edit(compare)
    assert not set(session.stale)  # what is other now had not been done
    ran.clear()
    session.continue_()
    assert (session.status, Counter(ran)) == ("succeeded", Counter(BEHIND_THE_JOIN))
    assert [each.code for each in session["carriers"].items] == [
        each.code for each in quiet["carriers"].items if each.code != "HA"
    ]

    ran.clear()
    session.back()
    assert session.due == session.stale == ("write_report",)
    session.edit(module.compare_carrier).continue_()
    assert Counter(ran) == Counter(["compare_carrier", "ranked", "write_report"])

    difference = quiet.diff(session)
    assert (difference.statuses, difference.params, difference.code) == (("succeeded", "succeeded"), (), ())
    joined = next(rows for rows in difference.rows if rows.node == "assemble")
    gone = quiet["assemble"].count - without_one.height
    assert (joined.added, joined.removed, joined.before - joined.after) == (0, gone, gone)
    assert session.why()["assemble"].what == "pinned"
    assert {rows.node for rows in difference.rows} <= BEHIND_THE_JOIN | {"assemble"}

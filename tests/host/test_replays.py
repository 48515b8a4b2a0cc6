"""Replays take over what was recorded, by reference; caches recall it; and a diff says what differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import codemation as cm
from codemation.core.errors import AmbiguousStart, DefinitionDrift, InputError, RunError, SourcePruned
from codemation.core.ids import NodeId
from codemation.core.launch import Launch
from codemation.core.ports import Stores
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.connecting import Connection
from codemation.host.forecasting import ForecastHandle
from codemation.host.memory.payloads import MemoryPayloads
from codemation.host.opening import asked, begin
from codemation.host.runtime.meter import Meter
from codemation.host.runtime.performing import Performance
from codemation.host.runtime.workbench import RunCode
from codemation.host.settings import Settings
from tests.host.runtime.conftest import Run, opened

calls: list[str] = []
flaws: list[str] = []


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    calls.clear()
    flaws.clear()
    yield
    calls.clear()
    flaws.clear()


class Params(cm.Params):
    by: int = 2


@cm.node
def load() -> list[int]:
    calls.append("load")
    return [1, 2, 3]


@cm.node
def scale(number: int, by: int) -> int:
    calls.append(f"scale {number}")
    return number * by


@cm.node(title="The sum")
def total(numbers: list[int]) -> int:
    calls.append("total")
    if "total" in flaws:
        raise ValueError("no")
    return sum(numbers)


@cm.node
def shown(number: int) -> dict[str, int]:
    calls.append("shown")
    return {"total": number}


scaled = cm.workflow("scaled", params=Params).then(load).then(scale, by=Params.by).then(total).then(shown).build()
SCALES = ["scale 1", "scale 2", "scale 3"]


def test_run_from_a_node_is_a_new_run_that_takes_over_what_is_before_it(run: Run) -> None:
    """Acceptance 12: run from."""
    source = run(scaled, by=3)
    calls.clear()
    again = source.replay(from_="total")
    assert calls == ["total", "shown"]
    assert again.id != source.id
    assert again.source == source.id
    assert source.source is None
    assert (again.params.by, again.output) == (3, [{"total": 18}])
    assert again["scale"].items == [3, 6, 9]
    assert again["scale"].why.what == "taken over"
    assert again["scale"].why.because == f"from run {source.id}"
    assert again["load"].attempts == 1


def test_run_to_a_node_does_it_again_and_nothing_behind_it(run: Run) -> None:
    """Acceptance 12: run to."""
    source = run(scaled)
    calls.clear()
    again = source.replay(to=scale)
    assert calls == SCALES
    assert again.status == "succeeded"
    assert {node: why.what for node, why in again.why().items()} == {
        "load": "taken over",
        "scale": "ran",
        "total": "skipped",
        "shown": "skipped",
    }


def test_a_replay_without_a_start_does_everything_again_with_the_same_input(app: App) -> None:
    @cm.node
    def plus(number: int) -> int:
        return number + 1

    wf = cm.workflow("plus", input=int).then(plus).build()
    source = app.launch(Launch(workflow=wf, items=[1, 2]))
    source.wait()
    assert source.replay().output == [2, 3]
    assert source.replay(pins={"plus": [7]}).output == [7]


def test_what_is_taken_over_stands_behind_what_was_skipped_too(run: Run) -> None:
    """Nothing reached one of the branches, and what stands behind it is done with all the same."""

    def numbered(name: str) -> Any:
        def number(number: int) -> int:
            calls.append(name)
            return number

        return cm.node(id=name)(number)

    flow = cm.workflow("skips", input=int).branch(lambda n: n > 99, yes=numbered("large"), id="size")
    source = run(flow.then(numbered("each")).then(numbered("next")).then(total).build(), [1, 2])
    calls.clear()
    again = source.replay(from_="next")
    assert calls == ["next", "next", "total"]
    assert again.output == source.output == 3
    assert {node: again[node].status for node in ("large", "each")} == {"large": "skipped", "each": "succeeded"}


def test_what_the_workflow_gives_is_wanted_whatever_is_pinned_behind_it(run: Run, app: App) -> None:
    """A branch that passes through is an output by itself: a pin on the other branch does not take it away."""

    @cm.node
    def large(number: int) -> int:
        return number

    flow = cm.workflow("fork", input=int).branch(lambda n: n > 99, yes=large, id="size").build()
    source = run(flow, [1, 200, 3])
    assert source.output == [1, 200, 3]
    assert sorted(source.replay(pins={"large": [7]}).output) == [1, 3, 7]
    launched = app.launch(flow.options(pins={"large": [7]}).launch([1, 200, 3]))
    assert sorted(launched.go().output) == [1, 3, 7]


def test_a_replay_with_other_params_does_again_what_sees_them_and_what_has_failed(run: Run) -> None:
    source = run(scaled)
    calls.clear()
    again = source.replay(params={"by": 5})
    assert calls == [*SCALES, "total", "shown"]
    assert (again.params.by, again.output, source.params.by) == (5, [{"total": 30}], 2)
    assert again["load"].why.what == "taken over"
    calls.clear()
    assert again.replay(params={"by": 5}, from_="shown").output == [{"total": 30}]
    assert calls == ["shown"]
    flaws.append("total")
    with pytest.raises(cm.RunFailed) as failed:
        run(scaled)
    flaws.clear()
    calls.clear()
    assert failed.value.run.replay(params={}).output == [{"total": 12}]
    assert calls == ["total", "shown"]
    with pytest.raises(InputError, match="do not fit Params"):
        source.replay(params={"by": "x"})
    with pytest.raises(InputError, match="no params that could be others"):
        run(cm.workflow("bare").then(load).build(), params=None).replay(params={"by": 1})


def test_an_ambiguous_start_is_an_error_that_lists_the_candidates(run: Run) -> None:
    """Acceptance 12: ambiguous start."""
    wf = cm.workflow("twice").then(load).then(total, id="first").then(cm.node(id="x")(lambda n: n)).build()
    both = (
        cm.workflow("both", params=Params)
        .then(load)
        .then(scale, id="one", by=2)
        .then(scale, id="two", by=Params.by)
        .build()
    )
    source = run(both)
    for start in (scale, "scale"):
        with pytest.raises(AmbiguousStart, match='"scale" may be each of one, two'):
            source.replay(from_=start)
    assert source.replay(from_=["two"]).status == "succeeded"
    with pytest.raises(LookupError, match="did you mean 'one'"):
        source.replay(from_="onee")
    assert run(wf).replay(from_="The sum").status == "succeeded"


def test_a_failed_run_may_begin_again_at_a_node(run: Run, app: App) -> None:
    flaws.append("total")
    with pytest.raises(cm.RunFailed) as failed:
        run(scaled)
    handle = failed.value.run
    assert isinstance(handle, type(app.last))
    flaws.clear()
    calls.clear()
    assert handle.resume(from_="scale").output == [{"total": 12}]
    assert calls == [*SCALES, "total", "shown"]
    with pytest.raises(RunError, match="has succeeded, and stays as it is"):
        handle.resume(from_="scale")


def test_what_was_taken_over_outlives_its_source(run: Run, stores: Stores) -> None:
    source = run(scaled)
    again = source.replay(from_="shown")
    payloads = stores.payloads
    assert isinstance(payloads, MemoryPayloads)
    payloads._tables.journal.pop(source.id)
    payloads._tables.runs.pop(source.id)
    assert again["scale"].items == [2, 4, 6]
    with pytest.raises(SourcePruned, match="the source was pruned"):
        source.replay(from_="shown")


def test_pins_are_refused_in_production_unless_they_are_allowed_by_name(stores: Stores, tmp_path: Path) -> None:
    settings = Settings(tmp_path, {"production": True, "allow_pins": "scaled/load, scaled/total"}, {})
    with App(Backend(stores=stores, close=lambda: None, describes="memory"), settings) as app:
        with pytest.raises(InputError, match="nothing is pinned: scaled/scale"):
            app.launch(Launch(workflow=scaled, params=Params(), pins={"scale": [1], "load": [1]}))
        run = app.launch(Launch(workflow=scaled, params=Params(), pins={"load": [5]}))
        run.wait()
        assert run.output == [{"total": 10}]


@cm.node(cache=True)
def costly(number: int, by: int) -> int:
    calls.append(f"costly {number}")
    return number * by


@cm.node(cache=True)
def source(params: Params) -> list[int]:
    calls.append("source")
    return [1, 2]


cached = cm.workflow("cached", params=Params).then(source).then(costly, by=Params.by).then(total).build()


def test_a_cached_node_takes_what_was_recorded_for_the_same_code_configuration_and_inputs(run: Run, app: App) -> None:
    """Semantics §4, incremental."""
    first = run(cached)
    assert calls == ["source", "costly 1", "costly 2", "total"]
    calls.clear()
    second = run(cached)
    assert calls == ["total"]
    assert second.output == first.output == 6
    assert second["costly"].why.what == "cached"
    assert second["costly"].why.because.endswith(f"run {first.id}")
    calls.clear()
    run(cached, by=3)
    assert calls == ["source", "costly 1", "costly 2", "total"]
    calls.clear()
    fresh = app.launch(Launch(workflow=cached, params=Params(), cache=False))
    fresh.wait()
    assert calls == ["source", "costly 1", "costly 2", "total"]


def test_a_session_that_takes_nothing_from_other_runs_takes_nothing_in_any_of_its_steps(run: Run, app: App) -> None:
    run(cached)
    calls.clear()
    for cache, called in ((True, ["total"]), (False, ["source", "costly 1", "costly 2", "total"])):
        session = begin(app, Launch(workflow=cached, params=Params(), cache=cache))
        session.continue_()
        assert calls == called
        calls.clear()


def test_what_is_cached_of_a_run_that_was_pruned_is_done_again(run: Run, stores: Stores) -> None:
    first = run(cached)
    payloads = stores.payloads
    assert isinstance(payloads, MemoryPayloads)
    calls.clear()
    payloads._tables.runs.pop(first.id)
    assert run(cached).output == 6
    assert calls == ["source", "costly 1", "costly 2", "total"]


def test_a_plan_says_beforehand_what_would_run(run: Run, app: App) -> None:
    def forecast(**more: object) -> dict[str, str]:
        launch = replace(Launch(workflow=cached, params=Params()), **more)
        return {node: why.what for node, why in ForecastHandle(app, launch).why().items()}

    assert forecast() == {"source": "will run", "costly": "will run", "total": "will run"}
    run(cached)
    assert forecast() == {"source": "cached", "costly": "cached", "total": "will run"}
    assert forecast(cache=False) == {"source": "will run", "costly": "will run", "total": "will run"}
    assert forecast(pins={"source": [1, 2]})["source"] == "pinned"
    assert forecast(pins={"total": 4}) == {"source": "skipped", "costly": "skipped", "total": "pinned"}
    assert "code, configuration or inputs" in str(
        ForecastHandle(app, Launch(workflow=cached, params=Params(by=9))).why()
    )


def test_a_diff_tells_of_params_code_columns_rows_and_timing(run: Run) -> None:
    @cm.node
    def flights() -> pl.DataFrame:
        return pl.DataFrame({"id": [1, 2, 3], "late": [5, 6, 7]})

    @cm.node
    def keep(flights: pl.DataFrame, by: int) -> pl.DataFrame:
        return flights.filter(pl.col("late") > by)

    def made(node: object) -> object:
        return cm.workflow("flights", params=Params).then(flights).then(node, by=Params.by).build()

    before = run(made(keep), by=5)

    @cm.node(id="keep")
    def kept(flights: pl.DataFrame, by: int) -> pl.DataFrame:
        return flights.with_columns(pl.lit("x").alias("mark"), late=pl.col("late") + 1)

    after = run(made(kept), by=6)
    diff = before.diff(after)
    assert [(one.name, one.before, one.after) for one in diff.params] == [("by", 5, 6)]
    assert [(one.node, one.what) for one in diff.code] == [("keep", "rewritten")]
    assert '+    return flights.with_columns(pl.lit("x").alias("mark")' in diff.code[0].text
    assert [(one.column, one.before) for one in diff.schema] == [("mark", "")]
    rows = diff.rows[0]
    assert (rows.by, rows.before, rows.after, rows.added, rows.removed, rows.changed) == ("id", 2, 3, 1, 0, 2)
    assert rows.added_keys == ("1",)
    text = str(diff)
    assert "by: 5 → 6" in text
    assert "2: late 6 → 7" in text
    assert before.diff(before).nothing


def test_a_connection_lists_attaches_and_opens_runs(app: App, run: Run) -> None:
    finished = run(scaled)
    session = begin(app, Launch(workflow=cached, params=Params())).step()
    connection = Connection(app, owned=False)
    assert [row.id for row in connection.runs()] == [session.id, finished.id]
    assert [row.id for row in connection.runs("scaled", status="succeeded")] == [finished.id]
    assert connection.attach("last").id == session.id
    assert connection.open(session.id) is session
    again = connection.open(finished.id, scaled)
    assert again.due == ()
    with pytest.raises(RunError, match="there is nothing to change"):
        again.back()


def test_a_session_whose_code_has_changed_is_shown_and_moves_when_it_is_told_to(
    app: App, stores: Stores, tmp_path: Path
) -> None:
    begun = begin(app, Launch(workflow=scaled, params=Params())).run_to("scale")
    begun.close()

    @cm.node(id="total")
    def doubled(numbers: list[int]) -> int:
        return sum(numbers) * 2

    changed = (
        cm.workflow("scaled", params=Params).then(load).then(scale, by=Params.by).then(doubled).then(shown).build()
    )
    calls.clear()
    with opened(stores, tmp_path) as other:
        session = Connection(other, owned=False).open(begun.id, changed)
        assert session["scale"].items == [2, 4, 6]
        with pytest.raises(DefinitionDrift, match="rewritten: total"):
            session.step()
        assert session.resume(with_changes=True).output == [{"total": 24}]
    assert calls == ["shown"]


@cm.node(cache=True)
def grown(number: int) -> int:
    return number + 1


def test_what_is_kept_late_is_kept_as_what_it_is(app: App) -> None:
    """Another thread may have gone round the loop before whoever has recorded a result keeps it at hand."""
    flow = cm.workflow("rounds", input=int).loop(lambda body: body.then(grown), until=lambda n: n >= 4, max=9).build()
    app.work()
    opened, outcome = app.started(flow, asked(app, Launch(workflow=flow, items=[1])))
    works: list[Performance] = []
    while opened.snapshot.turn(NodeId("grown")) < 3 or not opened.snapshot.reported(NodeId("grown")):
        claim = outcome.next
        assert claim is not None
        works.append(Performance(app.bench, opened, RunCode(nodes=flow.code, params=None), claim, Meter()))
        outcome = app.engine.deliver(opened, claim, *works[-1].perform(lambda: False))
    for work in works:
        work.keep()
    assert app.attach(opened.id)["grown"].items == [4]

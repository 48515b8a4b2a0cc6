"""Sessions: a run goes on when it is told to, and back, and only what has to run runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import codemation as cm
from codemation.core.errors import ContractError, InputError, RunError, RunFailed
from codemation.core.launch import Launch
from codemation.core.ports import Stores
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.opening import begin, reopen
from codemation.host.overview import run_view
from codemation.host.session import SessionHandle
from tests.host.runtime.conftest import Run, opened

calls: list[str] = []


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    calls.clear()
    yield
    calls.clear()


class Flight(cm.Params):
    id: int
    late: float = 0.0


@cm.node
def load() -> list[int]:
    calls.append("load")
    return [1, 2, 3]


@cm.node
def weather() -> list[int]:
    calls.append("weather")
    return [10]


@cm.node
def double(number: int) -> int:
    calls.append(f"double {number}")
    return number * 2


@cm.node
def total(numbers: list[int], weather: list[int]) -> int:
    calls.append("total")
    return sum(numbers) + sum(weather)


@cm.workflow("sums")
def sums(start: cm.Flow) -> cm.Flow:
    """Two branches that meet."""
    return start.then(load).then(double).then(total, weather=start.then(weather))


Debug = Callable[..., SessionHandle]


@pytest.fixture
def debug(app: App) -> Debug:
    def begun(workflow: Workflow[Any, ...], items: Any = None, **more: Any) -> SessionHandle:
        return begin(app, Launch(workflow=workflow, items=items, **more))

    return begun


def test_a_session_executes_nothing_until_it_is_told_to(debug: Debug) -> None:
    session = debug(sums)
    assert calls == []
    assert session.due == ("load", "weather")
    assert session.step().due == ("weather", "double")
    assert calls == ["load"]
    assert session.step(2)["double"].items == [2, 4, 6]


def test_run_to_executes_what_a_node_stands_on_and_no_more(debug: Debug) -> None:
    session = debug(sums).run_to(double)
    assert calls == ["load", "double 1", "double 2", "double 3"]
    assert session.run_to("double").due == ("weather",)


def test_continue_goes_to_the_end_as_a_run_does(debug: Debug, run: Run) -> None:
    session = debug(sums).continue_()
    assert session.status == "succeeded"
    assert session.output == run(sums).output == 22
    with pytest.raises(RunError, match="nothing is due: the run is succeeded"):
        session.step()


def test_back_takes_back_the_last_steps_and_only_these_are_done_again(debug: Debug) -> None:
    session = debug(sums).continue_()
    calls.clear()
    session.back(2)
    assert session.stale == ("double", "total")
    assert session.status == "running"
    assert session.continue_().output == 22
    assert calls == ["double 1", "double 2", "double 3", "total"]
    session.back().back()
    assert session.due == ("double",)
    with pytest.raises(RunError, match="only 2 of the last 3 steps"):
        session.back(3)


def test_goto_lets_count_what_counted_at_a_revision_forth_as_well(debug: Debug) -> None:
    session = debug(sums).continue_()
    end = session.revision
    calls.clear()
    session.goto(2)
    assert session.due == ("weather", "double")
    session.goto(end)
    assert (session.status, session.output, calls) == ("succeeded", 22, [])


def test_every_revision_stays_open_after_going_back(debug: Debug) -> None:
    """Acceptance 25: time travel to every revision equals what was recorded then."""
    session = debug(sums)
    seen = {}
    for act in (session.step, session.step, session.back, session.continue_, session.restart, session.step):
        act()
        seen[session.revision] = session.snapshot.fork()
    for revision, known in seen.items():
        assert session.at(revision).snapshot == known
        assert session.at(revision)["load"].items == ([1, 2, 3] if known.reported("load") else [])


def test_stepping_into_a_node_is_a_plain_call_that_records_nothing(debug: Debug) -> None:
    @cm.node(id="weather")
    async def forecast(ctx: cm.Context) -> list[int]:
        return [len(ctx.run_id)]

    session = debug(sums).edit(forecast)
    assert session.step_into() == [1, 2, 3]
    session.step().edit(forecast)
    assert session.due == ("weather", "double")
    assert session.step_into() == [36]
    session.step()
    revision = session.revision
    assert (session.step_into(), session.step_into(2)) == (2, 6)
    with pytest.raises(RunError, match="none at position 3"):
        session.step_into(3)
    session.step()
    with pytest.raises(RunError, match="once for all items"):
        session.step_into(0)
    assert session.step_into() == 48
    assert session.revision == revision + 1
    merged = cm.workflow("joined").then(load)
    with pytest.raises(RunError, match="has no code to step into"):
        debug(merged.merge(merged.then(double)).build()).step(2).step_into()


def test_restart_begins_anew_with_the_pins_as_they_are(debug: Debug) -> None:
    session = debug(sums)
    session["weather"].pin([100])
    session.continue_()
    calls.clear()
    assert session.restart().continue_().output == 112
    assert calls == ["load", "double 1", "double 2", "double 3", "total"]


def test_clear_does_a_node_again_and_what_stands_on_it(debug: Debug) -> None:
    """Acceptance 12: clear from a node."""
    session = debug(sums).continue_()
    calls.clear()
    session.clear("double").continue_()
    assert calls == ["double 1", "double 2", "double 3", "total"]


def test_a_pinned_node_is_completed_without_being_executed_and_says_so(debug: Debug) -> None:
    """Acceptance 12: pin and unpin."""
    session = debug(sums).run_to("double")
    assert [str(row.status) for row in run_view(session).nodes if row.id in session.due] == ["due"]  # nobody is at it
    pin = session["double"].pin([1, 1])
    assert (session["double"].items, session["double"].status) == ([1, 1], "succeeded")
    assert session["double"].why.what == "pinned"
    assert pin.provenance.origin == "by hand"
    assert [row.mark.caption for row in run_view(session).nodes if row.id == "double"] == ["pinned · 2"]
    assert session.continue_().output == 12
    session["double"].unpin()
    assert session.due == ("double",)
    assert session.continue_().output == 22
    session["double"].unpin()
    assert session.status == "succeeded"


def test_pinning_what_a_node_has_given_leaves_the_rest_as_it_is(debug: Debug) -> None:
    session = debug(sums).continue_()
    calls.clear()
    pin = session["double"].pin()
    assert pin.provenance.origin == f"run {session.id}"
    assert (session.due, session.status, session.output) == ((), "succeeded", 22)
    session["double"].unpin()
    assert session.continue_().output == 22
    assert calls == ["double 1", "double 2", "double 3", "total"]


def test_a_pin_is_checked_against_what_the_node_gives(debug: Debug) -> None:
    session = debug(sums)
    with pytest.raises(ContractError, match='item 1 of the pin "double" does not fit'):
        session["double"].pin([1, "two"])
    assert session.due == ("load", "weather")


def test_breakpoints_stop_before_a_node_when_the_data_says_so(debug: Debug) -> None:
    session = debug(sums).break_at(double, when=lambda number: number > 2)
    session.break_at(total, when=lambda number: number > 99).continue_()
    assert session.due == ("double",)
    assert session.continue_().status == "succeeded"
    session.restart().run_to("total")
    assert session.due == ("double",)


def test_an_edited_node_is_due_again_with_what_stands_on_it_alone(debug: Debug) -> None:
    session = debug(sums).continue_()
    calls.clear()

    @cm.node(id="double")
    def triple(number: int) -> int:
        return number * 3

    session.edit(triple)
    assert session.due == ("double",)
    assert session.stale == ("double", "total")
    assert session.continue_().output == 28
    assert calls == ["total"]
    assert session.back(2).continue_().output == 28
    session.edit(double)
    assert session.continue_().output == 22


def test_an_edit_that_cannot_work_changes_nothing(debug: Debug) -> None:
    session = debug(sums).continue_()

    @cm.node(id="double")
    def wrong(number: str) -> str:
        return number

    with pytest.raises(cm.AuthorError):
        session.edit(wrong)
    assert session.status == "succeeded"


def test_a_node_that_fails_stops_the_session_and_is_mended(debug: Debug) -> None:
    @cm.node(id="double")
    def broken(number: int) -> int:
        raise ValueError("no")

    session = debug(sums).edit(broken)
    with pytest.raises(RunFailed, match='stopped at "double": ValueError: no') as failed:
        session.continue_()
    assert isinstance(failed.value.__cause__, ValueError)
    with pytest.raises(RunError, match="nothing is due, for double failed"):
        session.step()
    calls.clear()
    assert session.edit(double).continue_().output == 22
    assert calls == ["double 1", "double 2", "double 3", "total"]


def test_pins_are_saved_as_files_and_given_to_other_runs(debug: Debug, app: App, tmp_path: Path) -> None:
    session = debug(sums).continue_()
    session["double"].pin([5])
    session["weather"].pin()
    folder = session.save_pins(tmp_path / "pins")
    assert (folder / "double.jsonl").read_text() == "5\n"
    calls.clear()
    run = app.launch(Launch(workflow=sums, pins=folder))
    run.wait()
    assert run.output == 15
    assert calls == ["total"]
    assert {node: why.what for node, why in run.why().items()} == {
        "load": "skipped",
        "double": "pinned",
        "weather": "pinned",
        "total": "ran",
    }


def test_pins_of_tables_survive_their_files(debug: Debug, app: App, tmp_path: Path) -> None:
    @cm.node
    def table() -> pl.DataFrame:
        calls.append("table")
        return pl.DataFrame({"a": [1, 2]})

    @cm.node
    def rows(table: pl.DataFrame) -> int:
        return table.height

    wf = cm.workflow("tables").then(table).then(rows).build()
    session = debug(wf, pins={"table": pl.DataFrame({"a": [1, 2, 3]})})
    assert session.due == ("rows",)
    folder = session.save_pins(tmp_path / "pins")
    run = app.launch(Launch(workflow=wf, pins=str(folder)))
    run.wait()
    assert run.output == 3
    assert run["table"].frame.to_dict(as_series=False) == {"a": [1, 2, 3]}
    assert calls == []


@pytest.mark.parametrize(
    ("pins", "said"),
    [
        ({"dubble": [1]}, "did you mean 'double'"),
        ({"double@other": [1]}, "has no port 'other'"),
        ("nowhere", "there is no folder of pins"),
    ],
)
def test_pins_of_what_is_not_there_are_refused(app: App, pins: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        app.launch(Launch(workflow=sums, pins=pins))


def test_a_session_is_opened_again_where_it_stood(debug: Debug, stores: Stores, tmp_path: Path) -> None:
    session = debug(sums).run_to("double")
    session["weather"].pin([7])
    session.close()
    calls.clear()
    with opened(stores, tmp_path) as other:
        again = reopen(other, session.id, sums)
        assert again.due == ("total",)
        assert again.continue_().output == 19
        assert again.back().due == ("total",)
    assert calls == ["total"]

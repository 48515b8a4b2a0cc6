"""What a run shows of its nodes: everything that was given, in the type that it was given in, and nothing else."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import HostError, RunError
from codemation.core.launch import Launch
from codemation.core.ports import Stores
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.handles import RunHandle
from codemation.host.nodes import UnknownPort
from codemation.host.settings import Settings

Run = Callable[..., RunHandle]
ROWS = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]


class Order(BaseModel):
    id: int
    name: str = ""


class Checked(cm.Ports):
    valid: Order = cm.port()
    rejected: Order = cm.port()


class Parts(cm.Ports):
    table: pl.DataFrame = cm.port()
    total: int = cm.port()


@cm.node
def orders() -> list[Order]:
    return [Order(id=at, name="abcd"[at]) for at in range(4)]


@cm.node
def check(order: Order) -> Checked:
    return Checked(valid=order) if order.id % 2 else Checked(rejected=order)


@cm.node
def count(things: list[Any]) -> int:
    return len(things)


@cm.node
def name(order: Order) -> str:
    return order.name


@cm.node
def fail_on_two(order: Order, ctx: cm.Context) -> Order:
    print("at", order.id)  # noqa: T201 - what is printed is shown
    ctx.log.warning("still at %d", order.id)
    if order.id == 2:
        raise ValueError("no twos")
    return order


@cm.node
def nothing() -> list[Order]:
    return []


@cm.node
def maybe(orders: list[Order]) -> Order | None:
    return next((order for order in orders if order.id > 100), None)


@cm.node
def drain(order: Order) -> None: ...


def _ids(orders: list[Order]) -> list[int]:
    return [order.id for order in orders]


def test_items_are_shown_as_the_models_that_they_are(run: Run) -> None:
    done = run(cm.workflow("x").then(orders).then(name).then(count, id="n").build())
    result = done["orders"]
    assert (result.status, result.count, result.attempts, result.error, result.failures) == (
        "succeeded",
        4,
        1,
        None,
        [],
    )
    assert _ids(result.items) == _ids(result.output) == [0, 1, 2, 3]
    assert {type(item) for item in result.items} == {Order}
    assert result.schema == (("id", "int64"), ("name", "string"))
    assert (done["name"].items, done["name"].output) == (["a", "b", "c", "d"], ["a", "b", "c", "d"])
    assert _ids(done["name"].input) == [0, 1, 2, 3]
    assert (done["n"].output, done["n"].item, done["n"].items) == (4, 4, [4])
    assert repr(result) == "<orders: succeeded, main 4>"


def test_a_node_without_data_has_no_input_and_several_inputs_are_shown_by_name(run: Run) -> None:
    @cm.node
    def both(order: Order, names: list[str]) -> str:
        return f"{order.name}{len(names)}"

    start = cm.workflow("x").then(orders)
    done = run(start.then(both, names=start.then(name)).build())
    assert done["orders"].input == {}
    assert (_ids(done["both"].input["order"]), done["both"].input["names"]) == ([0, 1, 2, 3], ["a", "b", "c", "d"])


def test_the_only_item_is_asked_for_where_there_is_only_one(run: Run) -> None:
    done = run(cm.workflow("x").then(orders).build())
    with pytest.raises(RunError) as raised:
        _ = done["orders"].item
    assert str(raised.value) == '"orders" gave 4 items, not one\n→ run["orders"].items'


@pytest.mark.parametrize("made", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_table_is_shown_in_the_library_of_its_node_and_in_every_other(run: Run, made: Any) -> None:
    kind = type(made({"id": [1]}))

    def load() -> Any:
        return made({"id": [1, 2], "name": ["a", "b"]})

    load.__annotations__ = {"return": kind}
    done = run(cm.workflow("x").then(cm.node(load)).build())
    result = done["load"]
    assert (result.count, result.items) == (2, ROWS)
    for shown in (result.output, result.frame, done.output, done.result()):
        assert type(shown) is kind
    assert result.polars.to_dicts() == result.arrow.to_pylist() == result.pandas.to_dict("records") == ROWS
    assert [column for column, _ in result.schema] == ["id", "name"]


def test_items_become_a_table_of_the_library_that_is_set(stores: Stores, tmp_path: Path) -> None:
    workflow = cm.workflow("x").then(orders).build()
    wanted = {"polars": pl.DataFrame, "pandas": pd.DataFrame, "arrow": pa.Table, None: pl.DataFrame}
    for frames, kind in wanted.items():
        settings = Settings(tmp_path, {"frames": frames}, {})
        with App(Backend(stores=stores, close=lambda: None, describes="memory"), settings) as app:
            handle = app.launch(Launch(workflow=workflow))
            handle.wait()
            assert type(handle["orders"].frame) is kind
            assert list(handle["orders"].pandas["id"]) == [0, 1, 2, 3]


def test_items_that_have_no_fields_make_no_table(run: Run) -> None:
    done = run(cm.workflow("x").then(orders).then(name).build())
    with pytest.raises(Exception, match="named fields") as raised:
        _ = done["name"].frame
    assert isinstance(raised.value, cm.CodemationError)


def test_a_node_with_several_ports_shows_each_and_none_by_accident(run: Run) -> None:
    done = run(cm.workflow("x").then(orders).then(check).route(valid=name).build())
    result = done["check"]
    assert _ids(result["valid"].items) == [1, 3]
    assert _ids(result["rejected"].items) == _ids(result["rejected"].output) == [0, 2]
    assert (result.status, result.attempts) == ("succeeded", 1)
    assert repr(result) == "<check: succeeded, valid 2, rejected 2>"
    assert repr(result["valid"]) == "<check: succeeded, valid 2>"
    for show in ("items", "item", "count", "output", "frame", "batch", "schema"):
        with pytest.raises(RunError) as raised:
            getattr(result, show)
        assert raised.value.way_out == 'run["check"]["valid"] or run["check"]["rejected"]'


def test_ports_have_the_types_that_they_were_declared_with(run: Run) -> None:
    @cm.node
    def parts() -> Parts:
        return Parts(table=pl.DataFrame(ROWS), total=2)

    done = run(cm.workflow("x").then(parts)["total"].map(lambda total: total + 1).build())
    assert type(done["parts"]["table"].output) is pl.DataFrame
    assert (done["parts"]["total"].output, done["parts"]["total"].items) == (2, [2])


def test_an_unknown_port_is_refused_with_the_one_that_was_meant(run: Run) -> None:
    done = run(cm.workflow("x").then(orders).then(check).route(valid=name).build())
    with pytest.raises(UnknownPort) as raised:
        done["check"]["vaild"]
    assert str(raised.value) == "\"check\" has no port 'vaild'\n→ did you mean 'valid'?"
    with pytest.raises(UnknownPort, match="it has main"):
        done["orders"]["zzz"]


def test_verbs_that_pass_items_on_give_items_whatever_their_function_returns(run: Run) -> None:
    start = cm.workflow("x").then(orders)
    flow = start.filter(lambda order: order.id == 1, id="ones").tap(count).branch(lambda order: True, id="all")
    done = run(flow.build())
    assert _ids(done["ones"].output) == _ids(done["count"].output) == _ids(done["all"]["yes"].output) == [1]
    assert done["all"]["no"].output == []


def test_failed_items_are_shown_with_what_went_in(run: Run) -> None:
    done = run(cm.workflow("x").then(orders).then(fail_on_two, on_error="port").build())
    result = done["fail_on_two"]
    assert (result.status, _ids(result.items), result.count) == ("succeeded", [0, 1, 3], 3)
    (failure,) = result.failures
    assert (failure.item, failure.type, failure.error, failure.node) == (
        Order(id=2, name="c"), "ValueError", "no twos", "fail_on_two",
    )  # fmt: skip
    assert result["error"].items == result["error"].output == result.failures
    assert repr(result) == "<fail_on_two: succeeded, main 3, error 1>"


def test_a_batch_that_failed_is_one_failure_in_a_list(run: Run) -> None:
    @cm.node
    def refuse(orders: list[Order]) -> int:
        raise ValueError("no")

    done = run(cm.workflow("x").then(orders).then(refuse, on_error="port").build())
    assert [failure.type for failure in done["refuse"]["error"].output] == ["ValueError"]
    assert done["refuse"].output == []


def test_dropped_items_are_no_failures_that_could_be_shown(run: Run) -> None:
    done = run(cm.workflow("x").then(orders).then(fail_on_two, on_error="drop").build())
    assert (_ids(done["fail_on_two"].items), done["fail_on_two"].failures) == ([0, 1, 3], [])


def test_what_a_node_prints_and_logs_is_shown_line_by_line(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    done = run(cm.workflow("x").then(orders).then(fail_on_two, on_error="drop").build())
    lines = done["fail_on_two"].logs.splitlines()
    assert [line for line in lines if line.startswith("at")] == ["at 0", "at 1", "at 2", "at 3"]
    assert sum("still at" in line for line in lines) == 4
    assert done["orders"].logs == ""


def test_skipped_nodes_hold_nothing(run: Run) -> None:
    done = run(cm.workflow("x").then(nothing).then(name).then(count, id="n").build())
    assert done.status == "succeeded"
    for node in ("name", "n"):
        result = done[node]
        assert (result.status, result.items, result.output, result.count, result.attempts) == ("skipped", [], [], 0, 0)
        assert (result.error, result.logs, result.input) == (None, "", [])
    assert (done["nothing"].status, done["nothing"].output, done.output) == ("succeeded", [], [])


def test_a_batch_that_gave_none_and_a_line_that_ends_hold_nothing(run: Run) -> None:
    done = run(cm.workflow("x").then(orders).also(lambda flow: flow.then(drain)).then(maybe).build())
    assert (done["maybe"].status, done["maybe"].items, done["maybe"].output) == ("succeeded", [], [])
    assert (done["drain"].status, done["drain"].items) == ("succeeded", [])


def test_pending_nodes_and_failed_ones_are_shown_beside_the_finished(launch: Run) -> None:
    handle = launch(cm.workflow("x").then(orders).then(fail_on_two).then(name).build())
    assert (handle["orders"].status, handle["orders"].attempts) == ("due", 1)
    assert (handle["name"].status, handle["name"].items, handle["name"].attempts) == ("pending", [], 0)
    with pytest.raises(cm.RunFailed):
        handle.wait()
    failed = handle["fail_on_two"]
    assert (failed.status, failed.items, failed.attempts) == ("failed", [], 1)
    assert failed.error is not None
    assert (failed.error.type, failed.error.error, failed.error.attempts) == ("ValueError", "no twos", 1)
    assert failed.error.traceback.startswith("Traceback (most recent call last):\n  File")
    assert "/codemation/" not in failed.error.traceback
    assert _ids(failed.input) == [0, 1, 2, 3]
    assert "at 2" in failed.logs
    assert (handle["name"].status, handle["name"].items, handle["name"].input) == ("pending", [], [])


def test_what_a_run_was_given_is_the_output_of_its_start(run: Run) -> None:
    done = run(cm.workflow("x", input=Order).then(name).build(), [{"id": 1, "name": "z"}])
    assert done["start"].items == [Order(id=1, name="z")]


def test_branches_give_their_items_in_the_order_in_which_they_parted(run: Run) -> None:
    flow = (
        cm.workflow("x")
        .then(orders)
        .branch(lambda order: order.id % 2 == 0, yes=name, no=lambda f: f.then(name, id="n2"))
    )
    done = run(flow.build())
    assert done["name"].items == ["a", "c"]
    assert done.output == done.outputs["main"] == done.result() == ["a", "b", "c", "d"]


def test_tables_that_branches_give_together_are_one_table(run: Run) -> None:
    @cm.node
    def left(orders: list[Order]) -> pl.DataFrame:
        return pl.DataFrame({"id": [order.id for order in orders]})

    flow = cm.workflow("x").then(orders).parallel(a=left, b=lambda f: f.then(left, id="right"))
    done = run(flow.build())
    assert type(done.output) is pl.DataFrame
    assert done.output["id"].to_list() == [0, 1, 2, 3, 0, 1, 2, 3]


def test_large_outputs_are_read_from_where_they_are_stored(run: Run) -> None:
    @cm.node
    def many() -> Iterator[str]:
        for at in range(300):
            yield f"{at:05}" * 20

    done = run(cm.workflow("x").then(many).build())
    assert done["many"].batch.ref.startswith("j:") is False
    assert done.output == [f"{at:05}" * 20 for at in range(300)]


def test_a_library_that_is_not_installed_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(cm.workflow("x").then(orders).build())
    assert done["orders"].arrow.num_rows == done["orders"].count  # Arrow looks once whether pandas is there
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(HostError, match="install pandas"):
        _ = done["orders"].pandas

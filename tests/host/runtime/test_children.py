"""Runs that let runs of other workflows do some of their work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import RunError, RunFailed
from codemation.core.ids import RunId
from codemation.core.launch import Launch
from codemation.core.ports import Stores
from codemation.host.app import App
from codemation.host.connecting import Connection
from codemation.host.handles import RunHandle
from codemation.host.memory.children import MemoryChildren
from codemation.host.opening import begin
from tests.host.runtime.conftest import opened

SOON = 20.0


class Order(BaseModel):
    """What is worked on."""

    id: str
    lines: int = 1


class Rates(cm.Params):
    """What the inner workflow wants to know."""

    factor: int
    note: str = "-"


class Outer(cm.Params):
    """What the outer workflow is given."""

    factor: int = 3


ORDERS = [Order(id="a", lines=2), Order(id="b", lines=0), Order(id="c", lines=3)]


@cm.node
def scaled(order: Order, params: Rates) -> dict[str, Any]:
    if order.id == "bad":
        raise ValueError("no such order")
    return {"id": order.id, "scaled": order.lines * params.factor, "note": params.note}


scale = cm.workflow("orders.scale", input=Order, params=Rates).then(scaled).build()
split = (
    cm.workflow("orders.split", input=Order).split(lambda order: [f"{order.id}{n}" for n in range(order.lines)]).build()
)


def orders(**options: Any) -> Any:
    return cm.workflow("orders", input=Order, **options)


def begun(app: App, flow: Any, items: Any = ORDERS) -> RunHandle:
    """A run that has gone as far as it can."""
    return app.launch(Launch(workflow=flow.build(), items=items)).go()


def test_one_run_works_on_the_whole_batch_and_what_it_gives_comes_back_in_its_place(app: App) -> None:
    handle = begun(app, orders().subworkflow(split).map(str.upper, id="shout"))
    assert handle.result(timeout=SOON) == ["A0", "A1", "C0", "C1", "C2"]
    (child,) = handle.children
    assert (child.status, child.definition.workflow) == ("succeeded", "orders.split")
    assert child["start"].items == ORDERS
    assert child.parent is not None
    assert (child.parent.id, handle.parent) == (handle.id, None)
    assert [one.position for one in handle["split"].trace(3).ancestors] == [2]


def test_a_run_for_each_item_gives_what_it_gives_in_the_place_of_the_item(app: App) -> None:
    handle = begun(app, orders().subworkflow(split, per="item"))
    assert handle.result(timeout=SOON) == ["a0", "a1", "c0", "c1", "c2"]
    assert len(handle.children) == 3
    assert [one.position for one in handle["split"].trace(4).ancestors] == [2]


def test_runs_that_work_for_others_are_listed_for_who_asks_for_them(app: App) -> None:
    handle = begun(app, orders().subworkflow(split, per="item"))
    handle.wait()
    connection = Connection(app, owned=False)
    assert [row.id for row in connection.runs()] == [handle.id]
    assert len(connection.runs(children=True)) == 1 + len(ORDERS)
    assert connection.runs("orders.split") == []
    assert len(connection.runs("orders.split", children=True)) == len(ORDERS)


def test_branches_around_a_subworkflow_are_joined_in_the_order_in_which_they_parted(app: App) -> None:
    flow = orders().branch(
        lambda order: order.id == "b",
        no=lambda rest: rest.subworkflow(split),
        yes=lambda b: b.map(lambda order: order.id, id="name"),
    )
    assert begun(app, flow).result(timeout=SOON) == ["a0", "a1", "b", "c0", "c1", "c2"]


def test_params_are_values_params_of_the_run_and_what_is_computed(app: App) -> None:
    fixed = orders(params=Outer).subworkflow(
        scale, per="item", factor=Outer.factor, note=cm.expr(lambda one: one.id * 2)
    )
    given = begun(app, fixed).result(timeout=SOON)
    assert given == [
        {"id": "a", "scaled": 6, "note": "aa"},
        {"id": "b", "scaled": 0, "note": "bb"},
        {"id": "c", "scaled": 9, "note": "cc"},
    ]
    whole = orders().subworkflow(scale, factor=2, note=cm.expr(lambda all_: f"{len(all_)}"))
    assert [one["note"] for one in begun(app, whole).result(timeout=SOON)] == ["3", "3", "3"]
    options = orders().subworkflow(scale.options(params=Rates(factor=5)), note="x")
    assert begun(app, options).result(timeout=SOON)[0] == {"id": "a", "scaled": 10, "note": "x"}


def test_a_table_goes_in_and_comes_back_as_a_table(app: App) -> None:
    @cm.node
    def numbers() -> pl.DataFrame:
        return pl.DataFrame({"n": [1, 2, 3]})

    @cm.node
    def more(table: pl.DataFrame) -> pl.DataFrame:
        return table.with_columns(m=pl.col("n") * 10)

    inner = cm.workflow("inner").then(more).build()
    handle = begun(app, cm.workflow("outer").then(numbers).subworkflow(inner), None)
    assert handle.output.to_dicts() == [{"n": 1, "m": 10}, {"n": 2, "m": 20}, {"n": 3, "m": 30}]
    assert handle["inner"].batch.kind == "table"


def test_each_output_of_a_workflow_has_a_port(app: App) -> None:
    inner = (
        cm.workflow("inner", input=Order)
        .also(lambda one: one.map(lambda order: order.lines, id="count"))
        .map(lambda order: order.id, id="name")
        .build()
    )
    flow = orders().subworkflow(inner)
    flow = flow.also(lambda _: flow["count"].aggregate(sum, id="total"))
    handle = begun(app, flow)
    handle.wait(timeout=SOON)
    assert handle.outputs == {"main": ["a", "b", "c"], "total": 5}


def test_files_go_in_and_come_back(app: App) -> None:
    @cm.node
    def written(order: Order, ctx: cm.Context) -> Order:
        ctx.attach("note.txt", BytesIO(order.id.encode()), "text/plain")
        return order

    @cm.node(keep_attachments=True)
    def longer(order: cm.Item[Order], ctx: cm.Context) -> Order:
        ctx.attach("more.txt", BytesIO(order.attachments["note.txt"].read() * 2), "text/plain")
        return order.value

    @cm.node
    def read(order: cm.Item[Order]) -> list[str]:
        return sorted(file.read().decode() for file in order.attachments.values())

    inner = cm.workflow("inner", input=Order).then(longer).build()
    for per in ("batch", "item"):
        flow = orders().then(written).subworkflow(inner, per=per).then(read)
        assert begun(app, flow).result(timeout=SOON) == ["a", "aa", "b", "bb", "c", "cc"]


def test_a_run_that_fails_fails_the_node_and_says_where(app: App) -> None:
    bad = [ORDERS[0], Order(id="bad")]
    for per, item in (("batch", None), ("item", 1)):
        with pytest.raises(RunFailed) as caught:
            begun(app, orders().subworkflow(scale, per=per, factor=1), bad)
        handle = caught.value.run
        assert isinstance(handle, RunHandle)
        error = handle.snapshot.nodes[handle.snapshot.failed()[0]].error
        assert error is not None
        assert (error.type, error.item) == ("ChildFailed", item)
        assert '"scaled": ValueError: no such order' in error.message
        assert handle.children[-1].id in error.message
        assert handle.children[-1].status == "failed"


def test_items_whose_runs_fail_are_dropped_or_go_their_own_way(app: App) -> None:
    mixed = [ORDERS[0], Order(id="bad"), ORDERS[2]]
    dropped = begun(app, orders().subworkflow(scale, per="item", factor=1, on_error="drop"), mixed)
    assert [one["id"] for one in dropped.result(timeout=SOON)] == ["a", "c"]

    @cm.node
    def told(failed: cm.Failure[Order]) -> dict[str, Any]:
        return {"id": failed.item.id, "type": failed.type}

    flow = orders().subworkflow(scale, per="item", factor=1, on_error=told)
    assert begun(app, flow, mixed).result(timeout=SOON) == [
        {"id": "a", "scaled": 2, "note": "-"},
        {"id": "bad", "type": "ChildFailed"},
        {"id": "c", "scaled": 3, "note": "-"},
    ]
    whole = begun(app, orders().subworkflow(scale, factor=1, on_error="port"), mixed)
    (failure,) = whole["scale"]["error"].items
    assert [one.id for one in failure.item] == ["a", "bad", "c"]


def test_an_item_that_does_not_fit_the_input_of_the_workflow_is_an_error_of_the_item(app: App) -> None:
    rows = [{"id": "a"}, {"name": "b"}]
    flow = cm.workflow("loose").subworkflow(scale, per="item", factor=1, on_error="port")
    handle = begun(app, flow, rows)
    assert [one["id"] for one in handle["scale"].items] == ["a"]
    (failure,) = handle["scale"]["error"].items
    assert (failure.item, failure.type) == ({"name": "b"}, "ContractError")
    assert len(handle.children) == 1
    with pytest.raises(RunFailed, match="does not fit Order"):
        begun(app, cm.workflow("loose").subworkflow(scale, per="item", factor=1), rows)


def test_a_child_that_waits_lets_its_parent_wait_and_no_thread(app: App) -> None:
    inner = cm.workflow("inner", input=Order).approve(None).map(lambda decided: decided.item.id, id="name").build()
    handle = begun(app, orders().subworkflow(inner, per="item"))
    assert handle.status == "waiting"
    assert [(wait.kind, wait.item) for wait in handle.waits] == [("child", 0), ("child", 1), ("child", 2)]
    children = handle.children
    assert [child.status for child in children] == ["waiting"] * 3
    for child in children[1:]:
        child.approve()
    assert handle.status == "waiting"
    children[0].reject()
    assert handle.result(timeout=SOON) == ["b", "c"]
    assert handle.waits == []


def test_a_cancel_goes_down_to_the_children_and_theirs(app: App) -> None:
    leaf = cm.workflow("leaf", input=Order).approve(None).build()
    middle = cm.workflow("middle", input=Order).subworkflow(leaf, per="item").build()
    handle = begun(app, orders().subworkflow(middle))
    (child,) = handle.children
    assert [one.status for one in child.children] == ["waiting"] * 3
    handle.cancel()
    assert handle.status == "cancelled"
    deadline = time.monotonic() + SOON
    below = [child, *child.children]
    while any(one.status != "cancelled" for one in below) and time.monotonic() < deadline:
        app.caretaker.fold()
    assert [one.status for one in below] == ["cancelled"] * 4
    assert app.stores.waits.open() == ()


def test_a_cancel_stops_the_nodes_of_a_child_at_work(app: App) -> None:
    begun_, let = threading.Event(), threading.Event()

    @cm.node
    def slow(order: Order, ctx: cm.Context) -> Order:
        begun_.set()
        while not ctx.cancelled and not let.wait(0.01):
            pass
        return order

    inner = cm.workflow("inner", input=Order).then(slow).build()
    handle = app.launch(Launch(workflow=orders().subworkflow(inner).build(), items=ORDERS)).serve()
    assert begun_.wait(SOON)
    (child,) = handle.children
    handle.cancel()
    let.set()
    deadline = time.monotonic() + SOON
    while child.status != "cancelled" and time.monotonic() < deadline:
        app.caretaker.fold()
    assert (handle.status, child.status) == ("cancelled", "cancelled")


def test_a_child_that_somebody_cancels_has_failed_for_its_parent(app: App) -> None:
    inner = cm.workflow("inner", input=Order).approve(None).build()
    handle = begun(app, orders().subworkflow(inner))
    handle.children[0].cancel()
    with pytest.raises(RunFailed, match="was cancelled"):
        handle.result(timeout=SOON)


def test_a_run_whose_time_is_over_stops_its_children(app: App) -> None:
    inner = cm.workflow("inner", input=Order).approve(None).build()
    handle = begun(app, orders(timeout=timedelta(milliseconds=300)).subworkflow(inner))
    with pytest.raises(RunFailed):
        handle.result(timeout=SOON)
    (child,) = handle.children
    deadline = time.monotonic() + SOON
    while child.status != "cancelled" and time.monotonic() < deadline:
        app.caretaker.fold()
    assert child.status == "cancelled"


def nested(depth: int) -> Any:
    """A workflow whose runs stand so many deep."""
    flow = cm.workflow("deep-0").map(lambda n: n + 1, id="more").build()
    for level in range(1, depth + 1):
        flow = cm.workflow(f"deep-{level}").subworkflow(flow, id="below").build()
    return flow


def test_all_children_are_stopped_however_few_are_found_at_a_look(app: App) -> None:
    """There may be more of them than a look gives."""

    class OneByOne(MemoryChildren):
        def unwanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[RunId, ...]:
            return super().unwanted(run, 1)

    children = app.stores.children
    assert isinstance(children, MemoryChildren)
    app.engine.stores = replace(app.stores, children=OneByOne(children._tables))
    stuck = cm.workflow("stuck", input=Order).approve().build()
    late = cm.workflow("late", input=Order, timeout="200ms").subworkflow(stuck, per="item").build()
    handle = app.launch(Launch(workflow=late, items=ORDERS))
    with pytest.raises(RunFailed, match="within the timeout"):
        handle.go().result(timeout=SOON)
    app.family.changed(app.engine.open(handle.id))
    assert app.engine.stores.children.unwanted(handle.id) == ()


def test_runs_may_stand_as_deep_as_the_limit_says_with_one_thread(app: App) -> None:
    threads = threading.active_count()
    handle = app.launch(Launch(workflow=nested(32), items=[1])).go()
    assert handle.result(timeout=SOON) == [2]
    below, depth = handle, 0
    while below.children:
        (below,) = below.children
        depth += 1
    assert depth == 32
    assert threading.active_count() < threads + 16  # those of the app, and none for a run


def test_what_would_stand_too_deep_is_refused_with_what_and_how_much(app: App) -> None:
    with pytest.raises(RunFailed) as caught:
        app.launch(Launch(workflow=nested(33), items=[1])).go()
    run = caught.value.run
    assert isinstance(run, RunHandle)
    while run.children:
        (run,) = run.children
    assert 'would start a run of "deep-0" 33 runs deep, and the limit is 32' in str(run.snapshot.nodes["below"].error)


def test_children_inherit_the_limits_of_their_parents(app: App) -> None:
    inner = cm.workflow("inner", limits=cm.Limits(items=500, activations=50)).map(lambda n: n, id="same").build()
    middle = cm.workflow("middle").subworkflow(inner).build()
    outer = cm.workflow("outer", limits=cm.Limits(items=100, depth=3)).subworkflow(middle)
    handle = begun(app, outer, [1])
    handle.wait(timeout=SOON)
    leaf = handle.children[0].children[0].snapshot.limits
    assert (leaf.items, leaf.activations, leaf.depth) == (100, 50, 3)
    shallow = cm.workflow("outer", limits=cm.Limits(depth=1)).subworkflow(middle)
    with pytest.raises(RunFailed, match="2 runs deep, and the limit is 1"):
        begun(app, shallow, [1])


class Key(cm.Credential):
    token: cm.Secret


def test_credentials_of_children_are_looked_for_before_anything_starts(app: App) -> None:
    @cm.node
    def locked(order: Order, key: Key) -> str:
        return order.id

    inner = cm.workflow("inner", input=Order).then(locked).build()
    with pytest.raises(cm.CodemationError, match="locked"):
        begun(app, cm.workflow("middle", input=Order).subworkflow(orders().subworkflow(inner).build()))
    assert app.stores.runs.page() == ()


def test_children_inherit_the_priority_of_their_parents(app: App) -> None:
    handle = app.launch(Launch(workflow=orders().subworkflow(split).build(), items=ORDERS, priority=7)).go()
    handle.wait(timeout=SOON)
    assert [child.row.priority for child in handle.children] == [7]


class World:
    """What nodes find: it fails as often as it is told to."""

    def __init__(self) -> None:
        self.failures = 0
        self.calls: list[str] = []

    def flow(self) -> Any:
        @cm.node
        def first(order: Order) -> Order:
            self.calls.append(f"first {order.id}")
            return order

        @cm.node
        def second(order: Order) -> str:
            self.calls.append(f"second {order.id}")
            if order.id == "b" and self.failures:
                self.failures -= 1
                raise OSError("not now")
            return order.id

        return cm.workflow("inner", input=Order).then(first).then(second).build()


@pytest.fixture
def world() -> World:
    return World()


def test_a_retry_of_the_node_goes_on_with_the_run_that_has_failed(app: App, world: World) -> None:
    world.failures = 1
    flow = orders(defaults={"retry": cm.Retry(2, delay="10ms")}).subworkflow(world.flow(), per="item")
    assert begun(app, flow).result(timeout=SOON) == ["a", "b", "c"]
    assert [world.calls.count(one) for one in ("first b", "second b")] == [1, 2]
    assert world.calls.count("second a") == 1


def test_a_resume_of_the_parent_goes_on_with_the_child_that_has_failed(app: App, world: World) -> None:
    world.failures = 1
    with pytest.raises(RunFailed) as caught:
        begun(app, orders().subworkflow(world.flow()))
    handle = caught.value.run
    assert isinstance(handle, RunHandle)
    assert handle.resume().result(timeout=SOON) == ["a", "b", "c"]
    assert world.calls.count("first b") == 1
    assert len(handle.children) == 1


def test_a_child_that_was_resumed_by_hand_is_taken_by_its_parent(app: App, world: World) -> None:
    world.failures = 1
    with pytest.raises(RunFailed) as caught:
        begun(app, orders().subworkflow(world.flow()))
    handle = caught.value.run
    assert isinstance(handle, RunHandle)
    (child,) = handle.children
    assert child.resume().result(timeout=SOON) == ["a", "b", "c"]
    before = list(world.calls)
    assert handle.resume().result(timeout=SOON) == ["a", "b", "c"]
    assert world.calls == before


def test_a_child_that_fails_again_fails_its_parent_again(app: App, world: World) -> None:
    world.failures = 2
    with pytest.raises(RunFailed) as caught:
        begun(app, orders().subworkflow(world.flow()))
    handle = caught.value.run
    assert isinstance(handle, RunHandle)
    with pytest.raises(RunFailed):
        handle.resume()
    assert handle.resume().result(timeout=SOON) == ["a", "b", "c"]
    assert len(handle.children) == 1


def test_a_resume_after_a_cancel_goes_on_with_the_children_that_were_stopped(app: App) -> None:
    calls: list[str] = []

    @cm.node
    def first(order: Order) -> Order:
        calls.append(order.id)
        return order

    inner = cm.workflow("inner", input=Order).then(first).approve(None).map(lambda it: it.item.id, id="name").build()
    handle = begun(app, orders().subworkflow(inner, per="item"))
    handle.children[0].approve()
    deadline = time.monotonic() + SOON
    while len(handle.waits) > 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    handle.cancel()
    assert [child.status for child in handle.children] == ["succeeded", "cancelled", "cancelled"]
    again = app.resume(handle.id, app.known(handle.definition.digest) or inner).go()
    assert [child.status for child in again.children] == ["succeeded", "waiting", "waiting"]
    for child in again.children[1:]:
        child.approve()
    assert again.result(timeout=SOON) == ["a", "b", "c"]
    assert sorted(calls) == ["a", "b", "c"]


@pytest.fixture
def both(stores: Stores, tmp_path: Path) -> Iterator[tuple[App, App]]:
    """Two apps on one database, as two processes have."""
    with opened(stores, tmp_path) as one, opened(stores, tmp_path) as other:
        yield one, other


def test_another_process_takes_up_a_run_with_its_children(stores: Stores, tmp_path: Path) -> None:
    inner = cm.workflow("inner", input=Order).approve(None).map(lambda decided: decided.item.id, id="name").build()
    flow = orders().subworkflow(inner, per="item").build()
    with opened(stores, tmp_path) as first:
        handle = first.launch(Launch(workflow=flow, items=ORDERS)).go()
        assert handle.status == "waiting"
    with opened(stores, tmp_path) as second:
        for child in second.attach(handle.id).children:
            child.approve()
        assert second.resume(handle.id, flow).go().result(timeout=SOON) == ["a", "b", "c"]


def test_a_wait_whose_child_was_never_started_gets_it_from_whoever_looks(stores: Stores, tmp_path: Path) -> None:
    flow = orders().subworkflow(split).build()
    with opened(stores, tmp_path) as first:
        first.scheduler.recorded = lambda run, activation: None  # it dies between the wait and the start
        handle = first.launch(Launch(workflow=flow, items=ORDERS))
        first.scheduler.drive(handle.watched, lambda: handle.snapshot.at_rest)  # type: ignore[arg-type]
        assert len(stores.children.wanted(handle.id)) == 1
        assert handle.children == []
    with opened(stores, tmp_path) as second:
        resumed = second.resume(handle.id, flow).go()
        assert resumed.result(timeout=SOON) == ["a0", "a1", "c0", "c1", "c2"]
        assert len(resumed.children) == 1


def test_who_has_not_the_code_starts_a_child_for_others(stores: Stores, tmp_path: Path) -> None:
    flow = orders().subworkflow(split).build()
    with opened(stores, tmp_path) as first, opened(stores, tmp_path) as other:
        first.scheduler.recorded = lambda run, activation: None
        handle = first.launch(Launch(workflow=flow, items=ORDERS))
        first.scheduler.drive(handle.watched, lambda: handle.snapshot.at_rest)  # type: ignore[arg-type]
        other.family.tend()
        (child,) = handle.children
        assert child.status == "running"
        assert stores.children.wanted() == ()
        first.family.take_up(handle.id)
        assert handle.go().result(timeout=SOON) == ["a0", "a1", "c0", "c1", "c2"]


def test_a_session_steps_over_a_subworkflow(app: App) -> None:
    flow = orders().subworkflow(split).map(str.upper, id="shout").build()
    session = begin(app, Launch(workflow=flow, items=ORDERS))
    session.step()
    assert session.due == ("shout",)
    session.step()
    assert session.output == ["A0", "A1", "C0", "C1", "C2"]
    session.back(2)
    assert session.due == ("split",)
    assert session.continue_().output == ["A0", "A1", "C0", "C1", "C2"]
    assert len(session.children) == 2


def test_a_session_steps_into_the_run_that_would_do_the_work(app: App) -> None:
    flow = orders().subworkflow(split, per="item").subworkflow(cm.workflow("w").map(len).build(), id="count").build()
    session = begin(app, Launch(workflow=flow, items=ORDERS))
    inside = session.step_into(2)
    assert (inside.definition.workflow, inside.due) == ("orders.split", ("split",))
    assert inside.step().output == ["c0", "c1", "c2"]
    assert (session.due, session.children) == (("split",), [])
    with pytest.raises(RunError, match="is given 3 items, and none at position 3"):
        session.step_into(3)
    session.step()
    assert session.step_into().step().output == [2] * 5


def test_a_session_stops_at_a_child_that_fails_and_waits_for_one_that_waits(app: App, world: World) -> None:
    world.failures = 1
    ask = cm.workflow("ask", input=str).approve(None, per="batch").map(lambda decided: decided.item, id="item").build()
    flow = orders().subworkflow(world.flow()).subworkflow(ask, id="ask").build()
    session = begin(app, Launch(workflow=flow, items=ORDERS))
    with pytest.raises(RunFailed, match=r"stopped at .*ChildFailed"):
        session.step()
    session.back()
    session.step()
    assert session.due == ("ask",)
    session.step()
    assert (session.status, session.due) == ("waiting", ())
    with pytest.raises(RunError, match="waits for the world"):
        session.step()
    session.children[-1].approve()
    session.step()
    assert session.output == ["a", "b", "c"]


def test_nobody_stops_a_child_that_goes_on_by_itself(app: App, world: World) -> None:
    world.failures = 1
    with pytest.raises(RunFailed) as caught:
        begun(app, orders().subworkflow(world.flow()))
    handle = caught.value.run
    assert isinstance(handle, RunHandle)
    (child,) = handle.children
    child.resume()
    app.family.tend()
    assert app.attach(RunId(child.id)).status == "succeeded"
    with pytest.raises(RunError):
        child.resume()

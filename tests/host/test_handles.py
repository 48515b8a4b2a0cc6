"""A run in the hand: what it says of itself, how it is waited for, and how one goes on with it or back in it."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import DefinitionDrift, InputError, RunError, UnknownRun
from codemation.core.ids import NodeId, RunId
from codemation.core.ports import Stores
from codemation.core.snapshot import Snapshot
from codemation.core.states import RunStatus
from codemation.core.workflow import UnknownNode, Workflow
from codemation.host.app import App
from codemation.host.handles import RunHandle
from tests.host.runtime.conftest import PATIENCE, opened

Run = Callable[..., RunHandle]


class Order(BaseModel):
    id: int


class Params(cm.Params):
    bad: int = -1
    label: str = "x"


@cm.node
def orders() -> list[Order]:
    return [Order(id=at) for at in range(4)]


@cm.node
def book(order: Order, bad: int = -1) -> Order:
    if order.id == bad:
        raise ValueError(f"cannot book {bad}")
    return order


@cm.node
def total(orders: list[Order]) -> int:
    return sum(order.id for order in orders)


@cm.node
def broken(orders: list[Order]) -> int:
    return _deeper(orders)


def _deeper(orders: list[Order]) -> int:
    return orders[99].id


def _booking(name: str = "booking") -> Workflow[Any, ...]:
    return cm.workflow(name, params=Params).then(orders).then(book, bad=Params.bad).then(total).build()


BOOKING = _booking()


class Gate:
    """A node that stands still until it is let go."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def workflow(self, name: str = "gated") -> Workflow[Any, ...]:
        @cm.node
        def gate(orders: list[Order]) -> int:
            self.reached.set()
            assert self.open.wait(PATIENCE)
            return len(orders)

        return cm.workflow(name).then(orders).then(gate).build()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


@pytest.fixture
def other(stores: Stores, tmp_path: Path) -> Iterator[App]:
    """Another process with the same database, as far as anybody can see from there."""
    with opened(stores, tmp_path) as app:
        yield app


def test_a_run_says_of_itself_all_there_is_to_say(run: Run) -> None:
    done = run(BOOKING, label="y")
    assert (done.status, done.reason, done.output, done.outputs) == ("succeeded", "", 6, {"main": 6})
    assert (done.params, done.workflow) == (Params(label="y"), BOOKING)
    assert done.revision == 4
    assert repr(done) == f'<Run {done.id} of "booking": succeeded>'
    assert done.result() == done.result(timeout=0) == 6


def test_several_outputs_are_given_by_name(run: Run) -> None:
    start = cm.workflow("x").then(orders)
    done = run(start.also(lambda f: f.then(total)).then(book).end().build())
    assert done.outputs == done.result() == {"total": 6, "book": [Order(id=at) for at in range(4)]}
    with pytest.raises(RunError, match="no single output; it has: ") as raised:
        _ = done.output
    assert raised.value.way_out == "run.outputs, or run[node].output"


def test_a_workflow_that_gives_nothing_has_no_output(run: Run) -> None:
    @cm.node
    def sink(order: Order) -> None: ...

    done = run(cm.workflow("x").then(orders).then(sink).build())
    assert (done.result(), done.outputs) == (None, {})
    with pytest.raises(RunError, match="it has: none"):
        _ = done.output


def test_a_node_is_named_by_its_id_or_by_itself(run: Run) -> None:
    done = run(BOOKING)
    typed: list[Order] = done[book].items
    assert typed == done["book"].items == [Order(id=at) for at in range(4)]
    assert done[total].item == 6


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("bok", "has no node 'bok'\n→ did you mean 'book'?"),
        ("zzz", "has no node 'zzz'\n→ it has orders, book, total"),
        (5, "5 is no node\n→ give the id of a node, or the node itself"),
        (broken, 'workflow "booking" does not have the node "broken"'),
    ],
)
def test_an_unknown_node_is_refused_with_what_may_be_meant(run: Run, named: Any, said: str) -> None:
    done = run(BOOKING)
    with pytest.raises(UnknownNode) as raised:
        done[named]
    assert said in str(raised.value)
    assert isinstance(raised.value, LookupError)


def test_a_node_that_stands_in_a_workflow_twice_is_not_guessed(run: Run) -> None:
    done = run(cm.workflow("x").then(orders).then(book).then(book, id="again").build())
    with pytest.raises(UnknownNode, match="book, again"):
        done[book]


def test_a_failed_run_is_raised_with_its_place_its_cause_and_the_way_out(launch: Run) -> None:
    handle = launch(BOOKING, bad=2)
    with pytest.raises(cm.RunFailed) as raised:
        handle.result()
    error = raised.value
    assert error.run is handle
    assert error.message == f'run {handle.id} of "booking" failed at "book", item 2: ValueError: cannot book 2'
    assert error.way_out == f"codemation runs show {handle.id}; after the fix: codemation runs resume {handle.id}"
    assert (handle.status, handle.reason) == ("failed", '"book" failed')
    with pytest.raises(cm.RunFailed) as again:
        handle.result()
    assert again.value.__cause__ is error.__cause__
    assert repr(error.__cause__) == "ValueError('cannot book 2')"


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("timeout", [None, "30s"])
def test_the_traceback_of_the_cause_begins_in_the_users_frame(
    launch: Run, asynchronous: bool, timeout: str | None
) -> None:
    async def waiting(orders: list[Order]) -> int:
        return _deeper(orders)

    options = {"timeout": timeout} if timeout else {}
    node: Any = cm.node(waiting) if asynchronous else broken
    handle = launch(cm.workflow("x").then(orders).then(node.options(**options)).build())
    with pytest.raises(cm.RunFailed) as raised:
        handle.wait()
    assert isinstance(raised.value.__cause__, IndexError)
    frames = traceback.extract_tb(raised.value.__cause__.__traceback__)
    assert [frame.name for frame in frames] == [node.id, "_deeper"]
    assert {frame.filename for frame in frames} == {__file__}


def test_what_does_not_fit_a_node_has_no_frames_of_anybody(launch: Run) -> None:
    handle = launch(cm.workflow("x").then(orders).map(lambda order: order.id).then(_untyped()).then(book).build())
    with pytest.raises(cm.RunFailed) as raised:
        handle.wait()
    assert type(raised.value.__cause__).__name__ == "ContractError"
    assert traceback.extract_tb(raised.value.__cause__.__traceback__ if raised.value.__cause__ else None) == []


def _untyped() -> Any:
    @cm.node
    def untyped(value: Any) -> Any:
        return value

    return untyped


def test_a_run_that_failed_elsewhere_is_raised_without_a_cause(app: App, other: App, launch: Run) -> None:
    handle = launch(BOOKING, bad=2)
    with pytest.raises(cm.RunFailed):
        handle.wait()
    seen = other.attach(handle.id)
    with pytest.raises(cm.RunFailed, match="cannot book 2") as raised:
        seen.result()
    assert raised.value.__cause__ is None
    assert seen["book"].error is not None


def test_without_the_code_params_are_a_dict_and_outputs_are_lists(other: App, run: Run) -> None:
    done = run(BOOKING, label="y")
    seen = other.attach(done.id)
    assert (seen.workflow, seen.params) == (None, {"bad": -1, "label": "y"})
    assert (seen.output, seen["total"].items, seen[total].items) == ([6], [6], [6])
    with pytest.raises(RunError, match="is not at hand"):
        seen.resume()
    other.know(BOOKING)
    assert (other.attach(done.id).params, other.attach(done.id).output) == (Params(label="y"), 6)


def test_an_unknown_run_is_refused(app: App) -> None:
    with pytest.raises(UnknownRun, match="0000"):
        app.attach(RunId("00000000-0000-7000-8000-000000000000"))


def test_a_started_run_is_worked_on_while_its_caller_does_something_else(launch: Run, gate: Gate) -> None:
    handle = launch(gate.workflow()).serve()
    assert gate.reached.wait(PATIENCE)
    assert (handle.status, handle["orders"].status, handle["gate"].status) == ("running", "succeeded", "due")
    with pytest.raises(TimeoutError, match="is still running after"):
        handle.result(timeout=0.01)
    gate.open.set()
    assert handle.result(timeout=PATIENCE) == 4


def test_a_run_that_another_process_works_on_is_waited_for(app: App, other: App, launch: Run, gate: Gate) -> None:
    workflow = gate.workflow()
    handle = launch(workflow).serve()
    assert gate.reached.wait(PATIENCE)
    other.know(workflow)
    seen = other.attach(handle.id)
    assert (seen.status, seen["orders"].count) == ("running", 4)
    with pytest.raises(TimeoutError):
        seen.result(timeout=0.05)
    with pytest.raises(RunError, match="is being worked on by process"):
        seen.resume()
    gate.open.set()
    assert seen.result(timeout=PATIENCE) == 4
    assert handle.result(timeout=PATIENCE) == 4


def test_a_cancelled_run_is_raised_as_such_and_goes_on_when_resumed(launch: Run) -> None:
    reached, resumed = threading.Event(), threading.Event()

    @cm.node
    def linger(orders: list[Order], ctx: cm.Context) -> int:
        reached.set()
        while not (ctx.cancelled or resumed.is_set()):
            resumed.wait(0.01)
        return len(orders)

    handle = launch(cm.workflow("x").then(orders).then(linger).build()).serve()
    assert reached.wait(PATIENCE)
    handle.cancel()
    with pytest.raises(cm.RunCancelled) as raised:
        handle.result(timeout=PATIENCE)
    assert raised.value.run is handle
    assert (handle.status, handle["linger"].items) == ("cancelled", [])
    resumed.set()
    assert handle.resume().result() == 4


def test_a_cancelled_run_that_is_over_stays_as_it_is(run: Run) -> None:
    done = run(BOOKING)
    done.cancel()
    assert (done.status, done.result()) == ("succeeded", 6)


def test_resuming_repeats_nothing_that_has_succeeded(launch: Run) -> None:
    calls: list[str] = []

    @cm.node
    def first() -> list[int]:
        calls.append("first")
        return [1, 2, 3]

    @cm.node
    def second(n: int) -> int:
        calls.append(f"second {n}")
        if n == 2 and calls.count("second 2") == 1:
            raise OSError("not yet")
        return n

    handle = launch(cm.workflow("x").then(first).then(second).build())
    with pytest.raises(cm.RunFailed):
        handle.wait()
    resumed = handle.resume()
    assert resumed.output == [1, 2, 3]
    assert calls == ["first", "second 1", "second 2", "second 2", "second 3"]
    assert (handle.status, handle.output, handle.id) == ("succeeded", [1, 2, 3], resumed.id)
    with pytest.raises(RunError, match="is succeeded, so there is nothing to resume"):
        handle.resume()


def _fixed(*, rewrite_orders: bool = False, **given: Any) -> Workflow[Any, ...]:
    """The workflow after its author has repaired `book`."""

    @cm.node(id="book")
    def mended(order: Order, bad: int = -1) -> Order:
        return Order(id=order.id + 100 * (order.id == bad))

    @cm.node(id="orders")
    def others() -> list[Order]:
        return [Order(id=1)]

    begin = others if rewrite_orders else orders
    model: type[Params] = given.get("params", Params)
    return cm.workflow("booking", params=model).then(begin).then(mended, bad=model.bad).then(total).build()


@pytest.fixture
def failed(launch: Run) -> RunHandle:
    handle = launch(BOOKING, bad=2)
    with pytest.raises(cm.RunFailed):
        handle.wait()
    return handle


def test_changed_code_is_refused_unless_that_is_asked_for(app: App, failed: RunHandle) -> None:
    with pytest.raises(DefinitionDrift) as raised:
        app.resume(failed.id, _fixed())
    assert raised.value.message == (
        f'the code of "booking" has changed since run {failed.id} was started (rewritten: book)'
    )
    assert f"codemation runs resume {failed.id} --with-changes" in raised.value.way_out
    assert app.attach(failed.id).revision == failed.revision


def test_changed_code_keeps_what_has_succeeded(app: App, failed: RunHandle) -> None:
    before = failed.revision
    moved = app.resume(failed.id, _fixed(), with_changes=True)
    assert moved.result() == 106
    assert moved["orders"].attempts == 1
    assert [handle["orders"].record for handle in (moved, failed)] == [failed["orders"].record] * 2
    assert moved.definition.digest == _fixed().digest
    past = moved.at(before)
    assert (past.definition.digest, past.status) == (BOOKING.digest, "failed")


def test_changed_code_that_spoils_what_has_succeeded_is_refused(app: App, failed: RunHandle) -> None:
    with pytest.raises(DefinitionDrift, match=r"has finished orders, which the code has changed since") as raised:
        app.resume(failed.id, _fixed(rewrite_orders=True), with_changes=True)
    assert raised.value.way_out == "start anew: codemation run booking"
    assert app.attach(failed.id).revision == failed.revision


def test_an_unfinished_run_never_moves_to_changed_code(app: App, launch: Run) -> None:
    handle = launch(BOOKING)
    app.scheduler.pause(handle.watched, grace=0.0)  # type: ignore[arg-type]  # it is worked on here
    with pytest.raises(DefinitionDrift) as raised:
        app.resume(handle.id, _fixed(), with_changes=True)
    assert raised.value.way_out.startswith(f"codemation runs cancel {handle.id}, then codemation runs resume")
    assert app.resume(handle.id, BOOKING).result() == 6


def test_params_that_the_changed_code_does_not_have_are_refused_before_anything_happens(
    app: App, failed: RunHandle
) -> None:
    class More(Params):
        day: int

    with pytest.raises(InputError, match="day: is missing"):
        app.resume(failed.id, _fixed(params=More), with_changes=True)
    assert app.attach(failed.id).status == "failed"
    assert app.resume(failed.id, _fixed(), with_changes=True).result() == 106


def _pictures(app: App) -> dict[int, Snapshot]:
    """A snapshot for each revision, taken when it came about."""
    taken: dict[int, Snapshot] = {}

    def take(run: RunId, revision: int, _events: object) -> None:
        taken[revision] = app.engine.open(run).snapshot

    app.listeners.append(take)
    return taken


def test_every_revision_that_is_opened_equals_what_was_recorded_then(app: App, launch: Run) -> None:
    pictures = _pictures(app)
    flow = (
        cm.workflow("x", params=Params)
        .then(orders)
        .branch(
            lambda order: order.id > 1,
            yes=lambda f: f.then(book, bad=Params.bad),
            no=lambda f: f.then(book, id="low"),
        )
    )
    handle = launch(flow.then(total).build(), bad=3)
    with pytest.raises(cm.RunFailed):
        handle.wait()
    with pytest.raises(cm.RunFailed):
        handle.resume()
    assert sorted(pictures) == list(range(1, handle.revision + 1))
    for revision, picture in pictures.items():
        past = handle.at(revision)
        assert (past.snapshot, past.revision, past.status) == (picture, revision, picture.status)
        for node in handle.definition.plan.nodes:
            assert past[node].status == (picture.nodes[node].status if node in picture.nodes else "pending")
    assert handle.at(2)["orders"].items == [Order(id=at) for at in range(4)]
    assert handle.at(1)["orders"].items == []


@pytest.mark.parametrize("revision", [0, -1, 5, 99])
def test_a_revision_that_never_was_is_refused(run: Run, revision: int) -> None:
    done = run(BOOKING)
    with pytest.raises(RunError, match=f"has the revisions 1 to 4, not {revision}"):
        done.at(revision)


def test_the_past_is_looked_at_and_neither_waited_for_nor_changed(failed: RunHandle) -> None:
    past = failed.at(2)
    for change in (past.result, past.wait, past.resume, past.cancel):
        with pytest.raises(RunError, match="as it was at revision 2, where it stays running") as raised:
            change()
        assert raised.value.way_out == "use the handle of the run itself"
    with pytest.raises(cm.RunFailed):
        failed.at(failed.revision).result()
    assert failed.status is RunStatus.FAILED


def test_a_node_of_the_past_is_found_after_the_code_has_moved_on(app: App, failed: RunHandle) -> None:
    revision = failed.revision

    @cm.node
    def sum_up(orders: list[Order]) -> int:
        return len(orders)

    changed = cm.workflow("booking", params=Params).then(orders).then(sum_up).build()
    moved = app.resume(failed.id, changed, with_changes=True)
    assert moved.result() == 4
    assert moved.at(revision)["book"].status == "failed"
    with pytest.raises(UnknownNode):
        moved["book"]
    assert NodeId("sum_up") not in moved.at(revision).definition.plan.nodes


def test_many_wait_for_one_run(launch: Run, gate: Gate) -> None:
    handle = launch(gate.workflow()).serve()

    async def crowd() -> list[Any]:
        waits = [asyncio.to_thread(handle.result, PATIENCE) for _ in range(4)]
        gate.open.set()
        return await asyncio.gather(*waits)

    assert asyncio.run(crowd()) == [4, 4, 4, 4]

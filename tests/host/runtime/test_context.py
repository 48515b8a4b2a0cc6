"""What a node sees of the world: context, attachments, keys (semantics §2, "attachments"; §3, "context")."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.host.app import App
from codemation.host.handles import RunHandle
from tests.host.runtime.conftest import Run


class Order(BaseModel):
    id: int


ORDERS = [Order(id=0), Order(id=1)]


class Endless(io.RawIOBase):
    """A stream that counts how much is asked for at once."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.most = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.most = max(self.most, len(buffer))
        size = min(self.left, len(buffer))
        buffer[:size] = b"x" * size
        self.left -= size
        return size


@cm.node
def attach(order: Order, ctx: cm.Context) -> Order:
    ctx.attach("note", io.BytesIO(f"note {order.id}".encode()), "text/plain")
    return order


@cm.node
def read(order: cm.Item[Order]) -> str:
    return ",".join(f"{name}={file.read().decode()} {file.mime}" for name, file in order.attachments.items())


def test_a_file_stands_beside_the_item_and_can_be_read_by_the_next_node(run: Run) -> None:
    handle = run(cm.workflow("w", input=Order).then(attach).then(read).build(), ORDERS)
    assert handle.output == ["note=note 0 text/plain", "note=note 1 text/plain"]


@pytest.mark.parametrize(("keep", "given"), [(False, [""]), (True, ["note=note 0 text/plain"])])
def test_files_go_through_a_node_only_if_it_keeps_them(run: Run, keep: bool, given: list[str]) -> None:
    @cm.node
    def same(order: Order) -> Order:
        return order

    workflow = cm.workflow("w", input=Order).then(attach).then(same.options(keep_attachments=keep)).then(read).build()
    assert run(workflow, ORDERS[:1]).output == given


def test_filters_branches_taps_merges_and_error_ports_pass_files_on(run: Run) -> None:
    @cm.node
    def fails(order: Order) -> Order:
        raise ValueError("no")

    @cm.node
    def look(orders: list[Order]) -> None:
        return None

    @cm.node
    def from_failure(failure: cm.Item[cm.Failure[Order]]) -> str:
        return ",".join(failure.attachments)

    kept = (
        cm.workflow("w", input=Order)
        .then(attach)
        .filter(lambda order: True)
        .tap(look)
        .branch(lambda order: order.id == 0)
    )
    assert run(kept.merge(by="origin").then(read).build(), ORDERS).output[1] == "note=note 1 text/plain"
    assert run(kept.merge(by="position").then(read).build(), ORDERS).output[0] == "note=note 0 text/plain"
    workflow = kept.then(fails, on_error=lambda failed: failed.then(from_failure)).build()
    assert run(workflow, ORDERS).outputs["main"] == ["note", "note"]


def test_an_item_that_is_given_with_files_keeps_them_and_those_that_the_call_attached(run: Run) -> None:
    @cm.node
    def relay(order: cm.Item[Order], ctx: cm.Context) -> Iterator[cm.Item[Order]]:
        ctx.attach("more", io.BytesIO(b"m"))
        yield cm.Item(order.value, order.attachments)

    handle = run(cm.workflow("w", input=Order).then(attach).then(relay).then(read).build(), ORDERS[:1])
    assert handle.output == ["more=m application/octet-stream,note=note 0 text/plain"]


def test_a_file_of_any_length_is_read_in_pieces(run: Run) -> None:
    stream = Endless(3_000_000)

    @cm.node
    def big(orders: list[Order], ctx: cm.Context) -> Order:
        file = ctx.attach("big", stream)  # type: ignore[arg-type]  # it has what a stream needs
        assert (file.size, len(file.sha256)) == (3_000_000, 64)
        return orders[0]

    @cm.node
    def size(order: cm.Item[Order]) -> int:
        opened: BinaryIO = order.attachments["big"].open()
        with opened:
            return len(opened.read(10))

    assert run(cm.workflow("w", input=Order).then(big).then(size).build(), ORDERS).output == [10]
    assert stream.most <= 1_000_000


def test_the_context_names_run_workflow_node_and_attempt(run: Run) -> None:
    @cm.node
    def about(orders: list[Order], ctx: cm.Context) -> str:
        assert isinstance(ctx.now(), datetime)
        assert ctx.now().tzinfo is not None
        return f"{ctx.run_id} {ctx.workflow_id} {ctx.node_id} {ctx.attempt} {ctx.cancelled} {ctx.params}"

    handle = run(cm.workflow("flow", input=Order).then(about).build(), ORDERS)
    assert handle.output == f"{handle.id} flow about 1 False None"


def test_a_key_is_the_same_over_retries_and_resumes_and_another_for_each_item(app: App, launch: Run) -> None:
    keys: list[str] = []

    @cm.node(retry=cm.Retry(2, backoff="none"))
    def each(order: Order, ctx: cm.Context) -> Order:
        keys.append(ctx.idempotency_key)
        if len(keys) < 4:
            raise ValueError("no")
        return order

    @cm.node(retry=cm.Retry(2, backoff="none"))
    def all_(orders: list[Order], ctx: cm.Context) -> int:
        keys.append(ctx.idempotency_key)
        if len(keys) < 8:
            raise ValueError("no")
        return 1

    workflow = cm.workflow("w", input=Order).then(each).then(all_).build()
    handle = launch(workflow, ORDERS)
    for _ in range(3):
        try:
            handle.result()
        except RunFailed:
            handle = app.resume(handle.id, workflow)
    assert handle.result() == 1
    first, second, batch = f"{handle.id}/each/1/0", f"{handle.id}/each/1/1", f"{handle.id}/all_/1"
    assert keys == [first, first, first, first, second, batch, batch, batch]


def test_progress_shows_while_the_node_works(app: App, launch: Run) -> None:
    seen: list[tuple[int, int | None]] = []
    handle: RunHandle

    @cm.node
    def long(orders: list[Order], ctx: cm.Context) -> int:
        ctx.progress(3, 10)
        reading = handle.watched.meter.readings()["long"]  # type: ignore[union-attr, index]
        seen.append((reading.done, reading.total))
        return 1

    handle = launch(cm.workflow("w", input=Order).then(long).build(), ORDERS)
    watched = handle.watched
    handle.wait()
    assert seen == [(3, 10)]
    assert watched is not None
    assert watched.meter.readings() == {}


@pytest.mark.parametrize("batch", [False, True])
def test_a_node_sees_that_its_run_was_cancelled(app: App, launch: Run, batch: bool) -> None:
    begun = threading.Event()
    seen: list[bool] = []

    def work(ctx: cm.Context) -> int:
        begun.set()
        waiter = threading.Event()
        while not ctx.cancelled:
            waiter.wait(0.01)
        seen.append(ctx.cancelled)
        return 1

    @cm.node
    def each(order: Order, ctx: cm.Context) -> int:
        return work(ctx)

    @cm.node
    def all_(orders: list[Order], ctx: cm.Context) -> int:
        return work(ctx)

    handle = launch(cm.workflow("w", input=Order).then(all_ if batch else each).build(), ORDERS).serve()
    assert begun.wait(20)
    app.cancel(handle.id, reason="enough")
    with pytest.raises(cm.CodemationError, match="was cancelled: enough"):
        handle.result(timeout=20)
    assert seen == [True]
    assert handle.status == "cancelled"
    assert app.stores.runs.tickets(handle.id) == ()


def test_what_a_node_prints_and_logs_is_kept_beside_it_and_still_printed(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    @cm.node
    def talk(order: Order, ctx: cm.Context) -> int:
        print("printed", order.id)  # noqa: T201 - what is tested
        ctx.log.info("logged %d", order.id)
        return 1

    handle = run(cm.workflow("w", input=Order).then(talk).build(), ORDERS)
    assert handle["talk"].logs.splitlines() == ["printed 0", "logged 0", "printed 1", "logged 1"]
    assert capsys.readouterr().out == "printed 0\nprinted 1\n"


def test_a_tap_passes_the_very_batch_on_without_storing_it_again(run: Run) -> None:
    @cm.node
    def source() -> list[Order]:
        return [Order(id=n) for n in range(3)]

    @cm.node
    def look(orders: list[Order]) -> int:
        return 99

    @cm.node
    def look_each(order: Order) -> None:
        return None

    handle = run(cm.workflow("w").then(source).tap(look).tap(look_each).build())
    assert handle["look"].batch == handle["source"].batch
    assert handle["look_each"].items == handle["source"].items


def test_a_tap_after_branches_passes_on_what_joined_in_order(run: Run) -> None:
    @cm.node
    def look(orders: list[Order]) -> None:
        return None

    flow = cm.workflow("w", input=Order).branch(
        lambda order: order.id == 0, yes=lambda f: f.map(lambda order: Order(id=order.id + 10))
    )
    assert run(flow.tap(look).build(), ORDERS).output == [Order(id=10), Order(id=1)]


def test_a_node_sees_what_finished_nodes_have_given(run: Run) -> None:
    said: list[str] = []

    @cm.node
    def look(n: int, ctx: cm.Context) -> int:
        for name in ("nowhere", ("doubled", "side"), "last"):
            try:
                _ = ctx.outputs[name]
            except KeyError as error:
                said.append(error.args[0])
        return int(sum(ctx.outputs["start"]) + sum(ctx.outputs["doubled", "main"]) + n)

    flow = cm.workflow("w", input=int).map(lambda n: 2 * n, id="doubled").then(look).map(lambda n: n, id="last")
    assert run(flow.build(), [1, 2]).output == [11, 13]
    assert said[:3] == [
        "there is no node 'nowhere'; there are: start, doubled, look, last",
        "there is no port 'side' of 'doubled'; there are: main",
        "'last' has not finished; what 'look' stands on has",
    ]
    with pytest.raises(RuntimeError, match="belongs to no run"):
        _ = cm.Context().outputs["start"]

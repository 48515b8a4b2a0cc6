"""The inline scheduler: threads, limits, Ctrl-C, what others do to a run, and what breaks beneath it."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import PayloadLost, RunFailed, RunPaused, StoreUnavailable
from codemation.core.ids import ActivationId
from codemation.core.launch import Launch
from codemation.core.opening import OpenRun
from codemation.core.ports import Stores
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.runtime.scheduler import InlineScheduler
from tests.core.simulation.faults import Fault, befallen, reached
from tests.host.runtime.conftest import PATIENCE, Run, opened


class Order(BaseModel):
    id: int


@cm.node
def one() -> int:
    return 1


@cm.node
def plus(n: int) -> int:
    return n + 1


def first(ns: list[int]) -> int:
    return ns[0]


@cm.node
def total(ns: list[int]) -> int:
    return sum(ns)


def fork(work: Callable[[list[int]], int], width: int, limit: int | None = None) -> Workflow[Any, ...]:
    """A source and so many branches side by side that are summed up."""
    node = cm.node(work)
    flow = cm.workflow("fork", max_parallel=limit).then(one)

    def following(at: int) -> Callable[[cm.Flow[int]], cm.Flow[int]]:
        return lambda branch: branch.then(node, id=f"b{at}")

    return flow.parallel(**{f"b{at}": following(at) for at in range(width)}).then(total).build()


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether something comes true within the patience of a test."""
    waiter = threading.Event()
    return any(holds() or waiter.wait(0.02) for _ in range(int(PATIENCE / 0.02)))


@pytest.mark.parametrize("served", [False, True])
def test_all_that_is_ready_runs_side_by_side(launch: Run, served: bool) -> None:
    meet = threading.Barrier(4)

    def together(ns: list[int]) -> int:
        meet.wait(PATIENCE)
        return 1

    handle = launch(fork(together, 4))
    assert (handle.serve() if served else handle).result(timeout=PATIENCE if served else None) == 4


@pytest.mark.parametrize("limit", [1, 2])
def test_max_parallel_bounds_the_activations_at_a_time(run: Run, limit: int) -> None:
    guard, waiter = threading.Lock(), threading.Event()
    now, most = [0], [0]

    def counted(ns: list[int]) -> int:
        with guard:
            now[0] += 1
            most[0] = max(most[0], now[0])
        waiter.wait(0.02)
        with guard:
            now[0] -= 1
        return 1

    assert run(fork(counted, 6, limit)).output == 6
    assert most[0] <= limit


def test_a_run_that_nobody_waits_for_is_worked_on_and_let_go_of(app: App, launch: Run) -> None:
    handle = launch(cm.workflow("w").then(one).then(plus).build()).serve()
    assert eventually(lambda: handle.status == "succeeded")
    assert eventually(lambda: app.scheduler.watched() == [])


def test_two_hundred_runs_side_by_side(app: App, launch: Run) -> None:
    workflow = fork(lambda ns: 1, 3)
    handles = [launch(workflow).serve() for _ in range(200)]
    assert [handle.result(timeout=4 * PATIENCE) for handle in handles] == [3] * 200
    assert app.stores.runs.unattended() == ()


def test_who_is_late_to_let_go_of_a_ticket_takes_it_from_nobody(app: App, launch: Run) -> None:
    begun, told = threading.Event(), threading.Event()
    tell = app.scheduler.recorded

    def last(n: int) -> int:
        begun.set()
        assert told.wait(PATIENCE)
        time.sleep(0.1)  # whoever had the ticket before lets go of it now
        return n + 1

    def recorded(run: OpenRun, activation: ActivationId) -> None:
        tell(run, activation)
        if activation == "one/1":
            assert begun.wait(PATIENCE)
            told.set()

    app.scheduler.recorded = recorded
    app.scheduler._walker.tired = lambda chain: True  # so that each step leaves its ticket to any thread
    handle = launch(cm.workflow("chain").then(one).then(cm.node(last)).then(plus).build())
    app.scheduler.serve(next(iter(app.scheduler.watched())))
    assert handle.result(PATIENCE) == [3]


def test_a_second_run_on_the_same_app_and_runs_from_several_threads(run: Run) -> None:
    workflow = cm.workflow("w").then(one).then(plus).build()
    assert [run(workflow).output for _ in range(2)] == [[2], [2]]
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(run(workflow).output)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert found == [[2]] * 4


def test_waiting_with_a_timeout_ends_in_time_and_the_run_goes_on(launch: Run) -> None:
    go_on = threading.Event()

    @cm.node
    def slow() -> int:
        go_on.wait(PATIENCE)
        return 1

    handle = launch(cm.workflow("w").then(slow).build())
    with pytest.raises(TimeoutError):
        handle.result(timeout=0.05)
    go_on.set()
    assert handle.result(timeout=PATIENCE) == 1


def test_threads_end_when_there_is_nothing_to_do(app: App, launch: Run) -> None:
    bench = app.scheduler._bench
    app.scheduler = InlineScheduler(app.engine, bench, 4, idle=0.05, look=0.02)
    meet, own = threading.Barrier(3), set[threading.Thread]()

    def together(ns: list[int]) -> int:
        own.add(threading.current_thread())
        meet.wait(PATIENCE)
        return 1

    assert launch(fork(together, 3)).serve().result(timeout=PATIENCE) == 3
    assert {thread.name for thread in own} == {"codemation-worker"}
    assert eventually(lambda: not any(thread.is_alive() for thread in own))


def test_threads_that_cannot_be_started_take_no_place_and_lose_no_run(
    app: App, launch: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refused = threading.Thread.start, list[str]()
    app.work()

    def says(ns: list[int]) -> int:
        logging.getLogger().warning("here")
        return 1

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("codemation-"):
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            assert launch(fork(says, 4)).result() == 4  # whoever waits does all of it
    assert {"codemation-worker", "codemation-logs"} <= set(refused)
    assert app.scheduler.starved
    line = threading.Barrier(4)

    def meet(ns: list[int]) -> int:
        line.wait(PATIENCE)
        return 1

    assert launch(fork(meet, 4)).serve().result(timeout=PATIENCE) == 4
    assert not app.scheduler.starved


def test_a_thread_stays_for_a_retry_that_comes_later(app: App, launch: Run) -> None:
    app.scheduler = InlineScheduler(app.engine, app.scheduler._bench, 4, idle=0.01, look=0.01)

    @cm.node(retry=cm.Retry(2, backoff="fixed", delay="200ms", jitter=False))
    def flaky(ns: list[int], ctx: cm.Context) -> int:
        if ctx.attempt == 1:
            raise ValueError("no")
        return ctx.attempt

    handle = launch(cm.workflow("w").then(one).then(flaky).build()).serve()
    assert eventually(lambda: handle.status == "succeeded")


def interrupted(app: App, workflow: Workflow[Any, ...]) -> RunHandle:
    """A run that Ctrl-C paused while a node of it worked in this very thread."""
    handle = app.launch(Launch(workflow=workflow, items=[Order(id=n) for n in range(4)]))
    with pytest.raises(RunPaused, match=f"codemation runs resume {handle.id}"):
        handle.result()
    return handle


@pytest.mark.parametrize("batch", [False, True])
def test_ctrl_c_reaches_the_node_hands_everything_back_and_a_resume_goes_on(app: App, batch: bool) -> None:
    calls: list[int] = []

    def press(at: int) -> None:
        calls.append(at)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)

    @cm.node
    def each(order: Order) -> int:
        press(order.id)
        return order.id

    @cm.node
    def all_(orders: list[Order]) -> int:
        for order in orders:
            press(order.id)
        return 6

    workflow = cm.workflow("w", input=Order).then(all_ if batch else each).build()
    handle = interrupted(app, workflow)
    (ticket,) = app.stores.runs.tickets(handle.id)
    assert (ticket.state, handle.status) == ("ready", "running")
    assert app.scheduler.watched() == []
    assert app.resume(handle.id, workflow).result() == (6 if batch else [0, 1, 2, 3])
    assert calls == ([0, 1, 2, 0, 1, 2, 3] if batch else [0, 1, 2, 2, 3])


def test_pausing_gives_nodes_in_other_threads_a_grace_and_refuses_what_comes_later(app: App, launch: Run) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def long(ns: list[int]) -> int:
        begun.release()
        go_on.wait(PATIENCE)
        return 1

    workflow = fork(long, 2)
    handle = launch(workflow).serve()
    assert begun.acquire(timeout=PATIENCE)
    assert begun.acquire(timeout=PATIENCE)
    assert handle.watched is not None
    app.scheduler.pause(handle.watched, grace=0.05)
    assert {row.state for row in app.stores.runs.tickets(handle.id)} == {"ready"}
    go_on.set()
    assert app.resume(handle.id, workflow).result() == 2


def test_a_run_that_was_never_begun_is_handed_back_when_the_app_closes(stores: Stores, tmp_path: Path) -> None:
    with opened(stores, tmp_path) as first:
        handle = first.launch(Launch(workflow=cm.workflow("w").then(one).build()))
    (ticket,) = stores.runs.tickets(handle.id)
    assert ticket.state == "ready"


def test_what_breaks_beneath_a_run_reaches_whoever_waits_and_the_ticket_is_free(stores: Stores, tmp_path: Path) -> None:
    def asked(name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name == "journal.step" and armed:
            raise RuntimeError("the engine is broken")
        return method(*args, **kwargs)

    armed = [True]
    workflow = cm.workflow("w").then(one).build()
    with opened(reached(stores, asked), tmp_path) as app:
        handle = app.launch(Launch(workflow=workflow))
        with pytest.raises(RuntimeError, match="the engine is broken"):
            handle.result()
        (ticket,) = stores.runs.tickets(handle.id)
        assert ticket.state == "ready"
        armed.clear()
        assert app.resume(handle.id, workflow).result() == 1


def test_a_database_that_stays_away_for_longer_than_the_patience_breaks_the_run_off(
    stores: Stores, tmp_path: Path
) -> None:
    away = [False]

    def asked(name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if away[0]:
            raise StoreUnavailable("away")
        return method(*args, **kwargs)

    @cm.node
    def cut() -> int:
        away[0] = True
        return 1

    app = opened(reached(stores, asked), tmp_path)
    app.engine._courier._means.patience._limit = 0.1  # type: ignore[attr-defined]  # the setting, without its file
    handle = app.launch(Launch(workflow=cm.workflow("w").then(cut).build()))
    with pytest.raises(StoreUnavailable):
        handle.result()
    away[0] = False
    app.close()


@pytest.mark.parametrize("fault", [Fault.ASK_LOST, Fault.ANSWER_LOST])
@pytest.mark.parametrize("call", ["tickets.claim", "journal.step", "journal.start", "payloads.get", "tickets.fire"])
def test_a_lost_call_is_made_good_by_threads_that_share_a_run(
    stores: Stores, tmp_path: Path, fault: Fault, call: str
) -> None:
    guard, left = threading.Lock(), [1, 1]

    def asked(name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with guard:
            strikes = bool(name == call and left and left.pop())
        return befallen(fault if strikes else None, lambda: method(*args, **kwargs))

    with opened(reached(stores, asked), tmp_path) as app:
        app.scheduler = InlineScheduler(app.engine, app.scheduler._bench, 4, look=0.05)
        handle = app.launch(Launch(workflow=fork(lambda ns: 1, 3)))
        assert handle.result() == 3
    assert stores.runs.tickets(handle.id) == ()


def test_a_run_that_another_process_goes_on_with_is_waited_for_to_its_end(stores: Stores, tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @cm.node
    def slow() -> int:
        if begun.is_set():
            return 2
        begun.set()
        go_on.wait(PATIENCE)
        return 1

    workflow = cm.workflow("w").then(slow).then(plus).build()
    with opened(stores, tmp_path) as first, opened(stores, tmp_path) as second:
        handle = first.launch(Launch(workflow=workflow)).serve()
        assert begun.wait(PATIENCE)
        stores.workers.bury([first.engine.worker])  # as if it had been silent for too long
        stores.tickets.take_over([first.engine.worker])
        assert second.resume(handle.id, workflow).result() == [3]
        go_on.set()
        assert handle.result(timeout=PATIENCE) == [3]


def test_a_payload_that_is_lost_fails_the_node_that_needs_it(stores: Stores, tmp_path: Path) -> None:
    def asked(name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name == "payloads.get":
            raise PayloadLost("it is not there")
        return method(*args, **kwargs)

    with opened(reached(stores, asked), tmp_path) as app:
        bench = app.scheduler._bench
        forgetful = replace(bench, recent=type(bench.recent)(0))
        app.scheduler = InlineScheduler(app.engine, forgetful, 2)
        handle = app.launch(Launch(workflow=fork(first, 2)))  # the first branch has it from whoever gives it
        with pytest.raises(RunFailed, match='failed at "b1": PayloadLost: it is not there'):
            handle.result()


def test_a_process_without_the_code_of_a_node_fails_the_node_and_says_so(app: App) -> None:
    workflow = cm.workflow("w").then(one).then(total).then(plus).build()
    handle = app.launch(Launch(workflow=workflow))
    assert handle.watched is not None
    code = dict(handle.watched.code.nodes)
    for node in ("total", "plus"):
        handle.watched.code = type(handle.watched.code)(
            nodes={name: one for name, one in code.items() if name != node}, params=None
        )
        with pytest.raises(RunFailed, match=f'this process has no code for "{node}"'):
            handle.result()
        handle = app.resume(handle.id, workflow)
        assert handle.watched is not None


def test_runs_that_are_served_beside_a_long_node_wait_for_none_of_its_threads(launch: Run) -> None:
    """What a run begins with is left to whoever is awake only for as long as that may be somebody who comes soon."""
    released, begun = threading.Event(), threading.Semaphore(0)

    def long() -> int:
        begun.release()
        assert released.wait(PATIENCE)
        return 1

    quick = cm.workflow("quick").then(one).then(plus).then(plus, id="again").build()
    busy = [launch(cm.workflow(f"long{at}").then(cm.node(long)).build()).serve() for at in range(2)]
    assert all(begun.acquire(timeout=PATIENCE) for _ in busy)
    try:
        for _ in range(20):
            served = [launch(quick).serve() for _ in range(10)]
            assert eventually(lambda: all(run._run.finished for run in served)), "nobody has come for it"  # noqa: B023
    finally:
        released.set()
    assert [run.result() for run in busy] == [1, 1]

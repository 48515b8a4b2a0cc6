"""So many runs of a workflow at a time: one too many waits, is refused, or replaces another one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.errors import InputError
from codemation.core.ports import Stores
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.naming import short
from codemation.host.overview import run_view
from tests.host.runtime.conftest import PATIENCE, Run, opened


class Gauge:
    """How many calls are under way, and what lets them end."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.now, self.most = 0, 0
        self.order: list[Any] = []
        self._guard = threading.Lock()

    def pass_through(self, value: Any) -> Any:
        with self._guard:
            self.now += 1
            self.most = max(self.most, self.now)
            self.order.append(value)
        self.begun.release()
        assert self.go.wait(PATIENCE)
        with self._guard:
            self.now -= 1
        return value


@pytest.fixture
def gauge() -> Iterator[Gauge]:
    gauge = Gauge()
    yield gauge
    gauge.go.set()


class Params(cm.Params):
    tenant: str = "eu"


def workflow(gauge: Gauge, concurrency: cm.Concurrency, **options: Any) -> cm.Workflow[Any, ...]:
    def work(item: int) -> int:
        return int(gauge.pass_through(item))

    flow = cm.workflow("shop.sync", input=int, concurrency=concurrency, params=Params, **options)
    return flow.map(work, id="work").build()


def begun(launch: Run, workflow: cm.Workflow[Any, ...], item: int, **params: Any) -> RunHandle:
    return launch(workflow, [item], **params).serve()


def given(run: RunHandle) -> Any:
    (item,) = run.result(PATIENCE)
    return item


def test_a_run_too_many_is_queued_and_goes_on_when_its_turn_comes(launch: Run, gauge: Gauge) -> None:
    sync = workflow(gauge, cm.Concurrency(1))
    first = begun(launch, sync, 1)
    assert gauge.begun.acquire(timeout=PATIENCE)
    rest = [begun(launch, sync, number) for number in (2, 3, 4)]
    assert [run.status for run in (first, *rest)] == [RunStatus.RUNNING, *[RunStatus.QUEUED] * 3]
    gauge.go.set()
    assert [given(run) for run in (first, *rest)] == [1, 2, 3, 4]
    assert (gauge.most, gauge.order) == (1, [1, 2, 3, 4])


def test_a_queued_run_says_who_is_in_its_way(launch: Run, gauge: Gauge) -> None:
    sync = workflow(gauge, cm.Concurrency(1))
    first = begun(launch, sync, 1)
    assert gauge.begun.acquire(timeout=PATIENCE)
    second, third = (begun(launch, sync, number) for number in (2, 3))
    assert run_view(first).row.reason == ""
    assert run_view(second).row.reason == f"waits for the end of {short(first.id)}"
    assert run_view(third).row.reason == f"waits for the end of {short(first.id)}, behind 1 other"
    gauge.go.set()
    assert [given(run) for run in (first, second, third)] == [1, 2, 3]
    assert run_view(third).row.reason == ""


def test_so_many_run_at_a_time_and_no_more(launch: Run, gauge: Gauge) -> None:
    sync = workflow(gauge, cm.Concurrency(3))
    runs = [begun(launch, sync, number) for number in range(8)]
    for _ in range(3):
        assert gauge.begun.acquire(timeout=PATIENCE)
    gauge.go.set()
    assert [given(run) for run in runs] == list(range(8))
    assert gauge.most <= 3


def test_run_waits_for_its_turn_and_drives_itself(app: App, launch: Run, gauge: Gauge) -> None:
    sync = workflow(gauge, cm.Concurrency(1))
    first = begun(launch, sync, 1)
    assert gauge.begun.acquire(timeout=PATIENCE)
    second = launch(sync, [2])
    waits = threading.Thread(target=second.wait, daemon=True)
    waits.start()
    gauge.go.set()
    waits.join(PATIENCE)
    assert (given(first), second.status) == (1, RunStatus.SUCCEEDED)


def test_the_run_in_the_way_is_named_where_no_more_are_wanted(app: App, launch: Run, gauge: Gauge) -> None:
    sync = workflow(gauge, cm.Concurrency(1, "skip"))
    first = app.launch(sync.options(key="k").launch([1])).serve()
    assert gauge.begun.acquire(timeout=PATIENCE)
    with pytest.raises(cm.RunInTheWay) as refused:
        launch(sync, [2])
    assert refused.value.run == first.id
    assert f"run {first.id}" in str(refused.value)
    assert app.launch(sync.options(key="k").launch([1])).id == first.id
    gauge.go.set()
    first.wait(PATIENCE)
    assert given(launch(sync, [2])) == 2


def test_the_latest_run_replaces_those_before_it(launch: Run, gauge: Gauge) -> None:
    def patient(item: int, ctx: cm.Context) -> int:
        while item < 3 and not ctx.cancelled:
            gauge.go.wait(0.01)
        return item

    flow = cm.workflow("shop.replaced", input=int, concurrency=cm.Concurrency(1, "replace"))
    sync = flow.map(patient, id="patient").build()
    first = begun(launch, sync, 1)
    second = begun(launch, sync, 2)
    third = begun(launch, sync, 3)
    assert given(third) == 3
    assert [run.status for run in (first, second)] == [RunStatus.CANCELLED] * 2


def test_runs_with_different_keys_do_not_wait_for_each_other(launch: Run, gauge: Gauge) -> None:
    def parity(item: int, params: Params) -> str:
        return f"{params.tenant}-{item % 2}"

    for key in (Params.tenant, cm.expr(parity)):
        gauge.go.clear()
        sync = workflow(gauge, cm.Concurrency(1, key=key))
        runs = [begun(launch, sync, number, tenant=tenant) for number, tenant in ((2, "eu"), (4, "us"), (6, "eu"))]
        assert [run.status for run in runs] == [RunStatus.RUNNING, RunStatus.RUNNING, RunStatus.QUEUED]
        gauge.go.set()
        assert [given(run) for run in runs] == [2, 4, 6]


def test_a_run_has_one_key(launch: Run, gauge: Gauge) -> None:
    sync = workflow(gauge, cm.Concurrency(1, key=cm.expr(lambda item: item % 2)))
    with pytest.raises(InputError, match="have 2: 1, 0"):
        launch(sync, [1, 2, 3])
    with pytest.raises(InputError, match="have 0"):
        launch(sync, [])


def test_a_queued_run_can_be_cancelled(launch: Run, gauge: Gauge) -> None:
    sync = workflow(gauge, cm.Concurrency(1))
    first, second = begun(launch, sync, 1), begun(launch, sync, 2)
    second.cancel()
    assert second.status is RunStatus.CANCELLED
    gauge.go.set()
    assert given(first) == 1
    assert gauge.order == [1]


def test_a_session_needs_no_place(app: App, launch: Run, gauge: Gauge) -> None:
    sync = workflow(gauge, cm.Concurrency(1))
    begun(launch, sync, 1)
    from codemation.host.opening import begin

    session = begin(app, sync.launch([2]))
    assert session.status is RunStatus.RUNNING


def test_a_resumed_run_waits_for_a_place_again(launch: Run, gauge: Gauge) -> None:
    broken = [True]

    def work(item: int) -> int:
        if item == 1 and broken:
            raise ValueError("not yet")
        return int(gauge.pass_through(item))

    sync = cm.workflow("shop.resumed", input=int, concurrency=cm.Concurrency(1)).map(work, id="work").build()
    first = launch(sync, [1])
    with pytest.raises(cm.RunFailed):
        first.wait(PATIENCE)
    second = begun(launch, sync, 2)
    assert gauge.begun.acquire(timeout=PATIENCE)
    broken.clear()
    resumed = threading.Thread(target=first.resume, daemon=True)
    resumed.start()
    while first.status is not RunStatus.QUEUED:
        threading.Event().wait(0.01)
    gauge.go.set()
    resumed.join(PATIENCE)
    assert [given(second), given(first), gauge.most] == [2, 1, 1]


def test_a_run_that_goes_on_without_concurrency_gives_no_place_of_others_back(
    app: App, launch: Run, gauge: Gauge
) -> None:
    broken = [True]

    def work(item: int) -> int:
        if item == 1 and broken:
            raise ValueError("not yet")
        return item if item == 1 else int(gauge.pass_through(item))

    sync = cm.workflow("shop.freed", input=int, concurrency=cm.Concurrency(1)).map(work, id="work").build()
    free = cm.workflow("shop.freed", input=int).map(work, id="work").build()
    first = launch(sync, [1])
    with pytest.raises(cm.RunFailed):
        first.wait(PATIENCE)
    second = begun(launch, sync, 2)
    third = launch(sync, [3]).serve()
    assert gauge.begun.acquire(timeout=PATIENCE)
    broken.clear()
    resumed = app.resume(first.id, free, with_changes=True)
    assert given(resumed) == 1
    assert (app.attach(first.id).row.turnstile, app.attach(second.id).row.turnstile) == (None, "shop.freed")
    assert third.status is RunStatus.QUEUED
    assert app.stores.turnstiles.mend() == 0
    assert [row.id for row in app.stores.turnstiles.at("shop.freed")] == [second.id, third.id]
    gauge.go.set()
    assert [given(second), given(third), gauge.most] == [2, 3, 1]


def test_a_run_that_another_process_lets_in_is_taken_up_here(stores: Stores, tmp_path: Path, gauge: Gauge) -> None:
    sync = workflow(gauge, cm.Concurrency(1))
    with opened(stores, tmp_path) as one, opened(stores, tmp_path) as other:
        first = one.launch(sync.launch([1])).serve()
        second = other.launch(sync.launch([2])).serve()
        assert second.status is RunStatus.QUEUED
        gauge.go.set()
        assert [given(first), given(second)] == [1, 2]


def test_a_replay_needs_a_place_like_any_run(launch: Run, gauge: Gauge) -> None:
    sync = workflow(gauge, cm.Concurrency(1, "skip", key=cm.expr(lambda item: item % 2)))
    first = begun(launch, sync, 1)
    gauge.go.set()
    assert given(first) == 1
    gauge.go.clear()
    second = begun(launch, sync, 3)
    with pytest.raises(cm.RunInTheWay, match=second.id):
        first.replay()
    gauge.go.set()
    assert given(second) == 3
    assert given(first.replay()) == 1

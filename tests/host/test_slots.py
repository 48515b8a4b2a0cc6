"""Nodes that need a slot of a pool: so many at a time over all processes, and nobody waits for a slot that is free."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.errors import HostError
from codemation.core.ports import Stores
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.settings import ConfigError, Settings
from tests.host.runtime.conftest import PATIENCE


class Gauge:
    """How many calls are under way, and the most that ever were."""

    def __init__(self) -> None:
        self.now, self.most, self.total = 0, 0, 0
        self.order: list[Any] = []
        self._guard = threading.Lock()

    def enter(self, value: Any) -> None:
        with self._guard:
            self.now, self.total = self.now + 1, self.total + 1
            self.most = max(self.most, self.now)
            self.order.append(value)

    def leave(self) -> None:
        with self._guard:
            self.now -= 1


def opened(stores: Stores, path: Path, **pools: int) -> App:
    return App(Backend(stores=stores, close=lambda: None, describes="memory"), Settings(path, {"pools": pools}, {}))


def workflow(gauge: Gauge, pause: float = 0.01, **options: Any) -> cm.Workflow[Any, ...]:
    @cm.node(id="train", pool="gpu", **options)
    def train(item: int) -> int:
        gauge.enter(item)
        threading.Event().wait(pause)
        gauge.leave()
        return item + 1

    return cm.workflow("lab.train", input=int).map(lambda item: item, id="before").map(train).build()


def test_so_many_nodes_hold_a_slot_at_a_time_and_all_get_one(stores: Stores, tmp_path: Path) -> None:
    gauge = Gauge()
    flow = workflow(gauge)
    with opened(stores, tmp_path, gpu=2) as app:
        runs = [app.launch(flow.launch([number])).serve() for number in range(12)]
        assert [run.result(PATIENCE) for run in runs] == [[number + 1] for number in range(12)]
        assert stores.pools.all() == {"gpu": (0, 2)}
    assert (gauge.most <= 2, gauge.total) == (True, 12)


def test_slots_are_shared_by_all_processes(stores: Stores, tmp_path: Path) -> None:
    gauge = Gauge()
    flow = workflow(gauge)
    with opened(stores, tmp_path, gpu=1) as one, opened(stores, tmp_path, gpu=1) as other:
        runs = [app.launch(flow.launch([number])).serve() for number in range(3) for app in (one, other)]
        for run in runs:
            run.wait(PATIENCE)
    assert (gauge.most, gauge.total) == (1, 6)


def test_a_first_node_needs_its_slot_as_well_and_run_waits_for_it(stores: Stores, tmp_path: Path) -> None:
    gauge = Gauge()

    @cm.node(pool="gpu")
    def train(item: int) -> int:
        gauge.enter(item)
        threading.Event().wait(0.05)
        gauge.leave()
        return item

    flow = cm.workflow("lab.first", input=int).map(train).build()
    with opened(stores, tmp_path, gpu=1) as app:
        first = app.launch(flow.launch([1])).serve()
        assert app.launch(flow.launch([2])).result(PATIENCE) == [2]
        assert first.result(PATIENCE) == [1]
    assert gauge.most == 1


def test_a_node_that_is_tried_again_gives_its_slot_back_meanwhile(stores: Stores, tmp_path: Path) -> None:
    gauge, broken = Gauge(), [True]

    @cm.node(pool="gpu", retry=cm.Retry(2, delay="10s", jitter=False))
    def train(items: list[int]) -> list[int]:
        gauge.enter(items)
        gauge.leave()
        if items == [1] and broken:
            raise OSError("busy")
        return items

    flow = cm.workflow("lab.again", input=int).then(train).build()
    with opened(stores, tmp_path, gpu=1) as app:
        first = app.launch(flow.launch([1])).serve()
        while first.status is not RunStatus.WAITING:
            threading.Event().wait(0.01)
        assert app.launch(flow.launch([2])).result(PATIENCE) == [2]
        first.cancel()


def test_a_run_that_waits_for_a_slot_can_be_cancelled_and_stands_in_nobodys_way(stores: Stores, tmp_path: Path) -> None:
    go, begun = threading.Event(), threading.Event()

    @cm.node(pool="gpu")
    def train(item: int) -> int:
        begun.set()
        assert item > 1 or go.wait(PATIENCE)
        return item

    flow = cm.workflow("lab.cancelled", input=int).map(train).build()
    with opened(stores, tmp_path, gpu=1) as app:
        first = app.launch(flow.launch([1])).serve()
        assert begun.wait(PATIENCE)
        second, third = (app.launch(flow.launch([number])).serve() for number in (2, 3))
        second.cancel()
        assert second.status is RunStatus.CANCELLED
        go.set()
        assert [first.result(PATIENCE), third.result(PATIENCE)] == [[1], [3]]


def test_shards_take_a_slot_each(stores: Stores, tmp_path: Path) -> None:
    gauge = Gauge()
    flow = workflow(gauge, shard_size=1)
    with opened(stores, tmp_path, gpu=2) as app:
        assert app.launch(flow.launch(list(range(6)))).result(PATIENCE) == [1, 2, 3, 4, 5, 6]
    assert (gauge.most <= 2, gauge.total) == (True, 6)


def test_a_pool_that_the_settings_do_not_have_beside_others_is_refused_before_anything_is_started(
    stores: Stores, tmp_path: Path
) -> None:
    with opened(stores, tmp_path, gpus=1) as app:
        with pytest.raises(HostError) as refused:
            app.launch(workflow(Gauge()).launch([1]))
        assert '"train" of "lab.train" needs a slot of the pool "gpu", which the settings do not have' in str(
            refused.value
        )
        assert "gpus" in refused.value.way_out
    assert stores.runs.page() == ()


def test_a_pool_of_which_nobody_says_anything_has_one_slot(stores: Stores, tmp_path: Path) -> None:
    gauge = Gauge()
    flow = workflow(gauge)
    with opened(stores, tmp_path) as app:
        runs = [app.launch(flow.launch([number])).serve() for number in range(3)]
        assert [run.result(PATIENCE) for run in runs] == [[1], [2], [3]]
        assert stores.pools.all() == {"gpu": (0, 1)}
    assert gauge.most == 1


@pytest.mark.parametrize(
    ("given", "pools"), [({"gpu": 2}, {"gpu": 2}), ("gpu=2, shop = 1,", {"gpu": 2, "shop": 1}), ("", {})]
)
def test_pools_are_a_table_of_the_settings_or_a_variable(tmp_path: Path, given: Any, pools: dict[str, int]) -> None:
    assert Settings(tmp_path, {"pools": given}, {}).config.pools == pools


@pytest.mark.parametrize("given", [{"gpu": 0}, "gpu", "gpu=many", 3])
def test_what_is_no_number_of_slots_is_refused(tmp_path: Path, given: Any) -> None:
    with pytest.raises(ConfigError, match="pools"):
        Settings(tmp_path, {"pools": given}, {})

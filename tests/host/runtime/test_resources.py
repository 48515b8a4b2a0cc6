"""Resources: opened when first used, once for a process and its arguments, closed with the app (api §3)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import pytest

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.core.launch import Launch
from codemation.core.ports import Stores
from codemation.core.resources import ResourceError, use
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.memory import memory_stores
from codemation.host.runtime.calling import Loop
from codemation.host.runtime.resources import Resources
from codemation.host.settings import Settings
from tests.host.runtime.conftest import Run, opened


class Params(cm.Params):
    size: int = 1


TOLD: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    TOLD.clear()


def by_function(name: str = "f") -> str:
    TOLD.append(f"open {name}")
    return name


def by_generator(name: str = "g") -> Iterator[str]:
    TOLD.append(f"open {name}")
    yield name
    TOLD.append(f"close {name}")


@contextlib.contextmanager
def by_manager(name: str = "m") -> Iterator[str]:
    TOLD.append(f"open {name}")
    yield name
    TOLD.append(f"close {name}")


async def by_coroutine(name: str = "c") -> str:
    await asyncio.sleep(0)
    TOLD.append(f"open {name}")
    return name


async def by_async_generator(name: str = "ag") -> AsyncIterator[str]:
    TOLD.append(f"open {name}")
    yield name
    TOLD.append(f"close {name}")


@contextlib.asynccontextmanager
async def by_async_manager(name: str = "am") -> AsyncIterator[str]:
    TOLD.append(f"open {name}")
    yield name
    TOLD.append(f"close {name}")


class Session:
    def __init__(self, name: str = "s") -> None:
        self.name = name

    def __enter__(self) -> str:
        TOLD.append(f"open {self.name}")
        return self.name

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        TOLD.append(f"close {self.name}")


def node_with(opener: Any, **arguments: Any) -> Any:
    def work(n: int, tool: Any) -> str:
        return f"{n} {tool}"

    work.__annotations__["tool"] = Annotated[str, cm.use(opener, **arguments)]
    return cm.node(work)


def flow_of(node: Any) -> cm.Workflow[Any, ...]:
    return cm.workflow("w", input=int, params=Params).then(node).build()


@pytest.mark.parametrize(
    ("opener", "name", "closes"),
    [
        (by_function, "f", False),
        (by_generator, "g", True),
        (by_manager, "m", True),
        (by_coroutine, "c", False),
        (by_async_generator, "ag", True),
        (by_async_manager, "am", True),
        (Session, "s", True),
    ],
)
def test_a_resource_is_opened_once_for_all_runs_and_closed_with_the_app(
    opener: Any, name: str, closes: bool, stores: Stores, tmp_path: Path
) -> None:
    flow = flow_of(node_with(opener))
    with opened(stores, tmp_path) as app:
        for _ in range(2):
            handle = app.launch(Launch(workflow=flow, items=[1, 2], params=Params()))
            handle.wait()
            assert handle.output == [f"1 {name}", f"2 {name}"]
        assert [f"open {name}"] == TOLD
    assert [f"open {name}", *([f"close {name}"] if closes else [])] == TOLD


def test_other_arguments_open_another_one_and_params_may_be_among_them(run: Run) -> None:
    flow = flow_of(node_with(by_function, name=Params.size))
    assert run(flow, [1]).output == ["1 1"]
    assert run(flow, [1], size=2).output == ["1 2"]
    assert run(flow, [1]).output == ["1 1"]
    assert TOLD == ["open 1", "open 2"]


def test_an_async_node_is_given_its_resource_too(run: Run) -> None:
    @cm.node
    async def later(n: int, tool: Annotated[str, cm.use(by_async_generator)]) -> str:
        return tool

    assert run(flow_of(later), [1]).output == ["ag"]


def test_what_can_be_entered_but_is_not_made_for_it_is_left_as_it_is(run: Run) -> None:
    @cm.node
    def locked(n: int, lock: Annotated[Any, cm.use(threading.Lock)]) -> bool:
        return bool(lock.locked())

    assert run(flow_of(locked), [1]).output == [False]


def test_threads_that_ask_at_once_open_it_once() -> None:
    loop = Loop()
    resources = Resources(loop)

    def slowly() -> object:
        time.sleep(0.05)
        TOLD.append("open")
        return object()

    found: list[object] = []
    one = use(slowly)
    threads = [threading.Thread(target=lambda: found.append(resources.get(one, {}))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert TOLD == ["open"]
    assert len(set(map(id, found))) == 1
    resources.close()
    loop.close()


def test_arguments_that_cannot_be_keys_are_told_apart_by_what_they_hold() -> None:
    resources = Resources(Loop())
    one = use(by_function)
    assert resources.get(one, {"name": ["a"]}) is resources.get(one, {"name": ["a"]})
    resources.get(one, {"name": ["b"]})
    assert TOLD == ["open ['a']", "open ['b']"]


def test_a_resource_that_cannot_be_opened_is_an_error_of_its_node_which_may_be_tried_again(run: Run) -> None:
    tries: list[int] = []

    def broken() -> str:
        tries.append(1)
        raise OSError("no such device")

    with pytest.raises(RunFailed, match=r"cm.use\(broken\) cannot be opened: OSError: no such device") as caught:
        run(flow_of(node_with(broken)), [1])
    assert '"work"' in str(caught.value)
    assert len(tries) == 1
    with pytest.raises(RunFailed, match="no such device"):
        run(flow_of(node_with(broken).options(retry=cm.Retry(3, backoff="fixed", delay="1ms"))), [1])
    assert len(tries) == 4


def test_a_generator_that_yields_nothing_gives_no_resource(run: Run) -> None:
    def nothing() -> Iterator[str]:
        yield from ()

    with pytest.raises(RunFailed, match=r"cm.use\(nothing\) cannot be opened: RuntimeError: generator didn't yield"):
        run(flow_of(node_with(nothing)), [1])


def test_resources_are_closed_in_reverse_whatever_goes_wrong(caplog: pytest.LogCaptureFixture) -> None:
    def stubborn() -> Iterator[str]:
        yield "stubborn"
        raise OSError("cannot close")

    resources = Resources(Loop())
    resources.get(use(by_generator), {"name": "first"})
    resources.get(use(stubborn), {})
    resources.get(use(by_generator), {"name": "last"})
    resources.close()
    assert TOLD == ["open first", "open last", "close last", "close first"]
    assert "the resource of stubborn could not be closed" in caplog.text


def test_what_is_opened_too_late_is_closed_at_once() -> None:
    resources = Resources(Loop())
    resources.close()
    with pytest.raises(ResourceError, match="this process ends"):
        resources.get(use(by_generator), {"name": "late"})
    with pytest.raises(ResourceError, match="this process ends"):
        resources.get(use(by_function), {"name": "late"})
    assert TOLD == ["open late", "close late", "open late"]


def test_an_app_may_be_given_what_stands_in_for_an_opener(tmp_path: Path) -> None:
    backend = Backend(stores=memory_stores(), close=lambda: None, describes="memory")
    with App(backend, Settings(tmp_path, {}, {}), resources={by_generator: "fake"}) as app:
        handle = app.launch(Launch(workflow=flow_of(node_with(by_generator)), items=[1], params=Params()))
        handle.wait()
        assert handle.output == ["1 fake"]
    assert TOLD == []


def test_by_hand_a_node_is_given_whatever_one_likes() -> None:
    assert node_with(by_generator)(1, tool="fake") == "1 fake"
    assert repr(cm.use(by_generator, name="x")) == "cm.use(by_generator, name='x')"

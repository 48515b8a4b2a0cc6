"""Items keep their place over branches, filters, fan-outs and joins (semantics §2, "order" and "lineage")."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import codemation as cm
from tests.host.runtime.conftest import Run


@cm.node
def collect(items: list[Any]) -> list[Any]:
    return items


@cm.node
def numbers(*, count: int = 6) -> list[int]:
    return list(range(count))


def test_branches_join_in_the_order_of_their_origin(run: Run) -> None:
    workflow = (
        cm.workflow("w")
        .then(numbers)
        .branch(lambda n: n % 2 == 0, yes=lambda f: f.map(lambda n: n * 10, id="even"))
        .then(collect)
        .build()
    )
    assert run(workflow)["collect"].items == [0, 1, 20, 3, 40, 5]


def test_nested_branches_filters_and_fan_outs_keep_the_order(run: Run) -> None:
    def deep(flow: cm.Flow[int]) -> cm.Flow[int]:
        return (
            flow.filter(lambda n: n != 4)
            .split(lambda n: [n, n + 100])
            .branch(lambda n: n > 50, yes=lambda f: f.map(lambda n: -n, id="negative"), id="inner")
        )

    workflow = cm.workflow("w").then(numbers).branch(lambda n: n % 2 == 0, yes=deep).then(collect).build()
    assert run(workflow)["collect"].items == [0, -100, 1, 2, -102, 3, 5]


def test_what_an_aggregate_in_a_branch_gives_comes_last(run: Run) -> None:
    workflow = (
        cm.workflow("w")
        .then(numbers)
        .branch(lambda n: n % 2 == 0, yes=lambda f: f.aggregate(sum), id="parted")
        .then(collect)
        .build()
    )
    assert run(workflow)["collect"].items == [1, 3, 5, 6]


def test_a_switch_joins_in_order_and_a_tuple_shares_one_way(run: Run) -> None:
    workflow = (
        cm.workflow("w")
        .then(numbers)
        .switch(
            lambda n: n % 4,
            {(0, 1): lambda f: f.map(lambda n: f"a{n}", id="a"), 2: lambda f: f.map(lambda n: f"b{n}", id="b")},
            default=lambda f: f.map(lambda n: f"c{n}", id="c"),
        )
        .then(collect)
        .build()
    )
    assert run(workflow).output == ["a0", "a1", "b2", "c3", "a4", "a5"]


def test_a_key_without_a_case_fails_and_names_the_cases(run: Run) -> None:
    workflow = cm.workflow("w").then(numbers).switch(lambda n: n, {0: lambda f: f.map(lambda n: n)}).build()
    with pytest.raises(cm.CodemationError, match="gave 1, for which there is no case"):
        run(workflow)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_concurrent_calls_keep_the_order_of_the_inputs(run: Run, asynchronous: bool) -> None:
    meet = threading.Barrier(3)

    @cm.node(concurrency=3)
    def by_threads(n: int) -> int:
        meet.wait(20)  # three at a time, or never
        return n * 10

    @cm.node(concurrency=3)
    async def on_the_loop(n: int) -> int:
        for _ in range(n * 7 % 5):
            await asyncio.sleep(0)
        return n * 10

    node = on_the_loop if asynchronous else by_threads
    assert run(cm.workflow("w").then(numbers).then(node).build()).output == [0, 10, 20, 30, 40, 50]


def test_fan_outs_of_fan_outs_know_where_they_came_from(run: Run) -> None:
    @cm.node
    def twice(n: int) -> Iterator[int]:
        yield n
        yield n

    @cm.node
    def origins(items: list[cm.Item[int]]) -> list[str]:
        return [f"{item.origins}" for item in items]

    workflow = cm.workflow("w").then(numbers, count=2).then(twice).then(twice, id="again").then(origins).build()
    assert run(workflow).output == [f"({n}, {a}, {b})" for n in (0, 1) for a in (0, 1) for b in (0, 1)]


def test_merge_append_puts_one_flow_behind_the_other(run: Run) -> None:
    @cm.workflow("w")
    def wide(start: cm.Flow) -> cm.Flow:
        base = start.then(numbers, count=3)
        return base.map(lambda n: n + 10, id="a").merge(base, by="append")

    assert run(wide).output == [10, 11, 12, 0, 1, 2]


def test_merge_position_takes_turns_and_the_longer_goes_on_alone(run: Run) -> None:
    @cm.workflow("w")
    def wide(start: cm.Flow) -> cm.Flow:
        left = start.then(numbers, count=2)
        return left.merge(start.then(numbers, count=4, id="right").map(lambda n: -n), by="position")

    assert run(wide).output == [0, 0, 1, -1, -2, -3]


def test_merge_origin_prefers_what_is_named_where_an_item_came_twice(run: Run) -> None:
    @cm.node
    def better(n: int) -> int | None:
        return n * 100 if n != 1 else None

    workflow = (
        cm.workflow("w")
        .then(numbers, count=3)
        .parallel(plain=lambda f: f.map(lambda n: n, id="plain"), better=lambda f: f.then(better))
        .merge(by="origin", prefer=["better"])
        .build()
    )
    assert run(workflow).output == [0, 1, 200]
    both = (
        cm.workflow("w")
        .then(numbers, count=2)
        .parallel(a=lambda f: f.map(lambda n: n, id="a"), b=lambda f: f.map(lambda n: -n - 1, id="b"))
        .merge(by="origin")
        .build()
    )
    assert run(both).output == [0, -1, 1, -2]

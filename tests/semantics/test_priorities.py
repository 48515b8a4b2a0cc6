"""A node's priority decides what is worked on first."""

from __future__ import annotations

from typing import Any

import codemation as cm
from tests.host.runtime.conftest import Run


def test_of_the_nodes_that_are_due_the_one_with_the_highest_priority_begins(run: Run) -> None:
    seen: list[str] = []

    def made(name: str, priority: int) -> cm.FunctionNode[Any, Any, ..., Any]:
        @cm.node(id=name, priority=priority)
        def work(numbers: list[int]) -> int:
            seen.append(name)
            return 1

        return work

    def branched(start: cm.Flow) -> cm.Flow:
        for name, priority in (("low", 1), ("middle", 5), ("high", 9)):
            start = start.also(made(name, priority))
        return start.map(lambda number: number, id="none")

    run(cm.workflow("priorities.begun", input=int, max_parallel=1)(branched), [1])
    assert seen == ["high", "middle", "low"]

    seen.clear()
    flow = cm.workflow("priorities.later", input=int, max_parallel=1).map(lambda number: number, id="before")
    for name, priority in (("low", 1), ("middle", 5), ("high", 9)):
        flow = flow.also(made(name, priority))
    run(flow.build(), [1])
    assert seen == ["high", "middle", "low"]

"""DBOS as it is: workflows of durable steps, in the process that starts them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbos import DBOS  # type: ignore[import-not-found]  # it is only there in the peer's own environment
from peer_line import RECORD, serve, told


def load() -> dict[str, Any]:
    """Give one small record."""
    return RECORD


def step(record: dict[str, Any]) -> dict[str, Any]:
    """Hand the record on."""
    return record


def late(record: dict[str, Any]) -> dict[str, Any]:
    """Change one field."""
    return {**record, "late": record["n"] % 2 == 1}


def chain(steps: int) -> dict[str, Any]:
    """One record through so many steps, the one that makes it included."""
    record: dict[str, Any] = durable_load()
    for _ in range(1, steps):
        record = durable_step(record)
    return record


def mapped(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A step for each item."""
    return [durable_late(record) for record in records]


durable_load, durable_step, durable_late = DBOS.step()(load), DBOS.step()(step), DBOS.step()(late)
durable_chain, durable_map = DBOS.workflow()(chain), DBOS.workflow()(mapped)


def run_chain(size: int) -> bool:
    """One run after the other, in the calling thread."""
    return bool(durable_chain(size) == RECORD)


def submit_chain(size: int) -> bool:
    """From handing a run in to holding its result."""
    return bool(DBOS.start_workflow(durable_chain, size).get_result() == RECORD)


def run_map(size: int) -> bool:
    """A map over small records."""
    return len(durable_map([{"n": number, "name": "JFK", "late": False} for number in range(size)])) == size


def crowd(threads: int) -> Callable[[int], bool]:
    """Many runs of ten steps, by so many threads."""

    def run(count: int) -> bool:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(durable_chain, [10] * count)) == [RECORD] * count

    return run


WORK: dict[str, Callable[[int], bool]] = {"chain": run_chain, "submit": submit_chain, "map": run_map}
WORK |= {f"crowd of {threads}": crowd(threads) for threads in (1, 4, 16)}


def main() -> None:
    """Do what comes."""
    DBOS(
        config={"name": "bench", "system_database_url": told()["url"], "run_admin_server": False, "log_level": "ERROR"}
    )
    DBOS.launch()
    serve(importlib.metadata.version("dbos"), WORK)
    DBOS.destroy()


if __name__ == "__main__":
    main()

"""DBOS with its queue: workflows of durable steps, enqueued by one process and worked on by two others."""

from __future__ import annotations

import importlib.metadata
import sys
import threading
from typing import Any

from dbos import DBOS, DBOSClient
from peer_line import RECORD, STEPS, answer, serve, start, told

WORKERS = 2
AT_ONCE = 4
"""Workflows at a time in one worker: what it did best with."""
POLL = 0.05
"""Seconds between looks at the queue; a second by default."""


@DBOS.step()
def load() -> dict[str, Any]:
    """Give one small record."""
    return RECORD


@DBOS.step()
def step(record: dict[str, Any]) -> dict[str, Any]:
    """Hand the record on."""
    return record


@DBOS.workflow()
def chain(steps: int) -> dict[str, Any]:
    """One record through so many steps, the one that makes it included."""
    record: dict[str, Any] = load()
    for _ in range(1, steps):
        record = step(record)
    return record


def work(url: str) -> None:
    """Be a worker until the end."""
    DBOS(config={"name": "bench", "system_database_url": url, "run_admin_server": False, "log_level": "ERROR"})
    DBOS.launch()
    DBOS.register_queue("bench", worker_concurrency=AT_ONCE, polling_interval_sec=POLL)
    answer({"ready": True})
    threading.Event().wait()


def main() -> None:
    """Start the workers, and do what comes."""
    url = told()["url"]
    for _ in range(WORKERS):  # one after the other, for the first makes the tables
        worker = start([sys.executable, __file__, url])
        assert worker.stdout is not None
        assert any(b"ready" in line for line in worker.stdout)
    client = DBOSClient(system_database_url=url)

    def begin(steps: int) -> Any:
        return client.enqueue({"queue_name": "bench", "workflow_name": "chain"}, steps)

    def submit(steps: int) -> bool:
        return bool(begin(steps).get_result(polling_interval_sec=0.002) == RECORD)

    def crowd(count: int) -> bool:
        handles = [begin(STEPS) for _ in range(count)]
        return all(handle.get_result(polling_interval_sec=0.01) == RECORD for handle in handles)

    serve(importlib.metadata.version("dbos"), {"submit": submit, "crowd": crowd})


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(sys.argv[1])
    else:
        main()

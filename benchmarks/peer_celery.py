"""Celery as it is: chains of tasks over Redis, worked on by two worker processes; nothing is kept of them."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from typing import Any

from celery import Celery, chain
from peer_line import RECORD, STEPS, serve, start, told
from redis import Redis

WORKERS = 2
URL = os.environ.get("PEER_REDIS") or told()["redis"]
app = Celery("peer", broker=URL, task_ignore_result=True, worker_prefetch_multiplier=1)
redis = Redis.from_url(URL, socket_timeout=None)


@app.task(name="load")
def load() -> dict[str, Any]:
    """Give one small record."""
    return RECORD


@app.task(name="step")
def step(record: dict[str, Any], last: bool = False) -> dict[str, Any]:
    """Hand the record on; the last one says that it is there."""
    if last:
        redis.lpush("done", 1)
    return record


def submit(steps: int) -> bool:
    """From handing a chain in to its end."""
    begin(steps)
    return ended(1)


def crowd(count: int) -> bool:
    """Many chains of ten steps, handed in at once."""
    for _ in range(count):
        begin(STEPS)
    return ended(count)


def begin(steps: int) -> None:
    """Hand in a chain."""
    chain(load.s(), *(step.s(last=number == steps - 1) for number in range(1, steps)))()


def ended(count: int) -> bool:
    """Wait until so many chains have come to their end."""
    return all(redis.blpop(["done"], timeout=120) for _ in range(count))


def main() -> None:
    """Start the workers, and do what comes."""
    pool = ["-P", sys.argv[1], "-c", "1"]
    command = [sys.executable, "-m", "celery", "-A", "peer_celery", "worker", *pool, "--without-gossip"]
    for number in range(WORKERS):
        start([*command, "-n", f"peer{number}@%h", "--without-mingle", "-l", "ERROR"], PEER_REDIS=URL)
    serve(importlib.metadata.version("celery"), {"submit": submit, "crowd": crowd})


if __name__ == "__main__":
    main()

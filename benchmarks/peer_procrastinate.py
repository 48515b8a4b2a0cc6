"""procrastinate: a job for each step, each of which defers the next one; two workers on PostgreSQL."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import time
from typing import Any

import psycopg
from peer_line import RECORD, STEPS, serve, start, told
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

WORKERS = 2
URL = os.environ.get("PEER_DATABASE") or told()["url"]
working = len(sys.argv) > 1
app = App(connector=PsycopgConnector(conninfo=URL) if working else SyncPsycopgConnector(conninfo=URL))


@app.task(name="step")
async def step(record: dict[str, Any], left: int) -> None:
    """Hand the record on; the last one says that it is there."""
    if left:
        await step.defer_async(record=record, left=left - 1)
        return
    async with await psycopg.AsyncConnection.connect(URL, autocommit=True) as connection:
        await connection.execute("INSERT INTO done VALUES (1)")


def main() -> None:
    """Start the workers, and do what comes."""
    with app.open(), psycopg.connect(URL, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS done (one int)")
        if not app.check_connection():
            app.schema_manager.apply_schema()
        for _ in range(WORKERS):
            start([sys.executable, __file__, "work"], PEER_DATABASE=URL)

        def ended(count: int) -> bool:
            until = time.monotonic() + 120
            while time.monotonic() < until:
                row = connection.execute("SELECT count(*) FROM done").fetchone()
                if row and row[0] >= count:
                    connection.execute("TRUNCATE done")
                    return True
                time.sleep(0.002)
            return False

        def submit(steps: int) -> bool:
            step.defer(record=RECORD, left=steps - 1)
            return ended(1)

        def crowd(count: int) -> bool:
            for _ in range(count):
                step.defer(record=RECORD, left=STEPS - 1)
            return ended(count)

        serve(importlib.metadata.version("procrastinate"), {"submit": submit, "crowd": crowd})


if __name__ == "__main__":
    if working:
        app.run_worker(install_signal_handlers=False, listen_notify=True)
    else:
        main()

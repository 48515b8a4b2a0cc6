"""P5: many runs wait for one worker: what a claim costs, and whether the worker grows with the queue."""

from __future__ import annotations

import time
from collections.abc import Mapping

import psutil
import psycopg

from benchmarks import flows
from benchmarks.chain import STEPS
from benchmarks.figures import Bar, Finding, Series, percentile
from benchmarks.fleet import DATABASE, Crew, crew
from benchmarks.queues import SHORT
from benchmarks.stand import Stand
from codemation.core.ports import Lane

CLAIMS, ROUND = 300, 50
"""Claims that are timed at each size, so many of them in a round, after which they are handed back."""
GROWN = 16.0
"""MiB that a worker may have grown by while it works on a long queue: what a collector of rubbish leaves lying."""
_COPY = """
CREATE TEMP TABLE made AS SELECT uuidv7() AS id, number FROM generate_series(1, %(count)s::int) AS number;
INSERT INTO runs SELECT (made_of).* FROM (
    SELECT jsonb_populate_record(runs, jsonb_build_object('id', made.id)) AS made_of
    FROM runs CROSS JOIN made WHERE runs.id = %(run)s::uuid) AS each;
INSERT INTO journal SELECT (made_of).* FROM (
    SELECT jsonb_populate_record(journal, jsonb_build_object('run_id', made.id)) AS made_of
    FROM journal CROSS JOIN made WHERE journal.run_id = %(run)s::uuid) AS each;
INSERT INTO tickets SELECT (made_of).* FROM (
    SELECT jsonb_populate_record(tickets, jsonb_build_object('run_id', made.id, 'id',
        (random() * 9e18)::bigint, 'due_at', due_at + number * interval '1 ms')) AS made_of
    FROM tickets CROSS JOIN made WHERE tickets.run_id = %(run)s::uuid) AS each;
DROP TABLE made"""


def measure(stand: Stand) -> Finding:
    """Milliseconds of a claim with few and with many in the queue, and the memory of a worker on the long one."""
    few, many = stand.effort.queued
    flow_of = {few: flows.chain(SHORT), many: flows.chain(STEPS)}
    with crew(stand) as ours:
        for size, flow in flow_of.items():
            copy_queued(stand.database(DATABASE), ours.submit(flow).id, size - 1, known=True)
        lanes = {size: Lane(queue="default", digest=flow.digest) for size, flow in flow_of.items()}
        claims = _claims(ours, lanes, min(CLAIMS, few))
        before = _finished(ours)
        worker = ours.worker("--concurrency", "1", "--pool", "solo")
        memory = [_memory(ours, worker, before + goal) for goal in (few // 2, few, 2 * few)]
    series = [
        Series(name=f"a claim, {size:,} queued", unit="ms", values=tuple(taken)) for size, taken in claims.items()
    ]
    slow = {size: percentile(taken, 95) for size, taken in claims.items()}
    return Finding(
        name="P5",
        title=f"{many:,} runs queued, one worker",
        series=(*series, Series(name="memory of the worker", unit="MiB", values=tuple(memory))),
        bars=(
            Bar(what=f"claim p95, {many:,} / {few:,} queued", figure=slow[many] / slow[few], limit=2.0, unit="×"),
            Bar(what=f"grown over {few:,} runs", figure=memory[2] - memory[1], limit=GROWN, unit="MiB"),
        ),
    )


def copy_queued(url: str, run: str, count: int, *, known: bool) -> None:
    """Copy a queued run so many times, with its journal and its ticket; `known` lets the server know how many."""
    with psycopg.connect(url, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(_COPY.encode(), {"run": run, "count": count})
        if known:
            cursor.execute("VACUUM ANALYZE runs, journal, tickets")


def _claims(ours: Crew, lanes: Mapping[int, Lane], count: int) -> dict[int, list[float]]:
    """Milliseconds of claims in each lane by turns, so that a busy disk disturbs all alike; all of it goes back."""
    tickets, me = ours.app.stores.tickets, ours.app.engine.worker
    taken: dict[int, list[float]] = {size: [] for size in lanes}
    while any(len(times) < count for times in taken.values()):
        held = []
        for _ in range(min(ROUND, count)):
            for size, lane in lanes.items():
                began = time.perf_counter()
                claim = tickets.claim(me, [lane])
                taken[size].append(1_000 * (time.perf_counter() - began))
                assert claim is not None
                held.append(claim.holding)
        tickets.hand_back(held)
    return taken


def _finished(ours: Crew) -> int:
    """Runs that are over."""
    with psycopg.connect(ours.variables["CODEMATION_DATABASE_URL"], autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM runs WHERE finished_at IS NOT NULL").fetchone()
    assert row is not None
    return int(row[0])


def _memory(ours: Crew, worker: psutil.Process, goal: int) -> float:
    """MiB of the worker when so many runs are over."""
    while _finished(ours) < goal:
        time.sleep(0.2)
    return float(worker.memory_info().rss) / 2**20

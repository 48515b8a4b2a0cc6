"""The physical limit: the same work as plain SQL on one connection, a durable commit for each step and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import psycopg

from benchmarks.flows import RECORD, Record

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS floor_runs (id bigserial PRIMARY KEY, fence int NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS floor_steps (
        run_id bigint, seq int, output jsonb, at timestamptz DEFAULT now(), PRIMARY KEY (run_id, seq))"""
_START = "INSERT INTO floor_runs DEFAULT VALUES RETURNING id"
_STEP = """
    WITH held AS (SELECT 1 FROM floor_runs WHERE id = %s AND fence = 0)
    INSERT INTO floor_steps (run_id, seq, output) SELECT %s, %s, %s::jsonb FROM held ON CONFLICT DO NOTHING"""
_RESULT = "SELECT output FROM floor_steps WHERE run_id = %s AND seq = %s"


class Floor:
    """Runs as a row each, and a fenced insert for each step."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(_SCHEMA)
        self._connection.prepare_threshold = 1
        self._output = json.dumps(RECORD)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def chain(self, steps: int) -> object:
        """One run of so many steps; what its last step gave."""
        execute = self._connection.execute
        row = execute(_START).fetchone()
        assert row is not None
        (run,) = row
        for number in range(steps):
            changed = execute(_STEP, (run, run, number, self._output)).rowcount
            assert changed == 1
        result = execute(_RESULT, (run, steps - 1)).fetchone()
        assert result is not None
        return result[0]

    def map(self, records: Sequence[Record]) -> int:
        """A row for each item, in one transaction; how many."""
        rows: list[tuple[Any, ...]]
        with self._connection.transaction(), self._connection.cursor() as cursor:
            row = cursor.execute(_START).fetchone()
            assert row is not None
            rows = [(*row, *row, number, json.dumps(record)) for number, record in enumerate(records)]
            cursor.executemany(_STEP, rows)
            return cursor.rowcount

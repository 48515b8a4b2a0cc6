"""Logs on PostgreSQL: beside the truth, and bounded, so that a node that talks without end fills no disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from codemation.core.ids import ActivationId, RunId
from codemation.core.ports import LogLine
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.rows import storable
from codemation.host.postgres.statements import numbers, statement, texts

LINE_LIMIT = 16_384
"""Characters of a line that are kept."""
LINES_KEPT = 10_000
"""The latest lines that are kept of an activation, give or take `_TRIM_EVERY`."""
_TRIM_EVERY = 1_000

# Lines of one run are numbered in the order in which they are committed, so that whoever reads on misses none.
_APPEND = statement("""
    WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended('logs ' || :run, 0)) AS held)
    INSERT INTO logs (run_id, at, attempt, activation, level, text)
    SELECT :run::uuid, x.at, x.attempt, x.activation, x.level, x.text
    FROM alone, unnest(:ats::timestamptz[], :attempts::int[], :activations::text[], :levels::text[], :texts::text[])
        WITH ORDINALITY AS x (at, attempt, activation, level, text, place) ORDER BY x.place""")
_TRIM = statement(f"""
    DELETE FROM logs WHERE run_id = :run AND activation = :activation AND n <= (
        SELECT n FROM logs WHERE run_id = :run AND activation = :activation
        ORDER BY n DESC OFFSET {LINES_KEPT} LIMIT 1)""")
# A node's activations are its name, a slash, and a turn without a slash.
_WANTED = "run_id = :run AND (:node::text IS NULL OR regexp_replace(activation, '/[^/]*$', '') = :node)"
_READ = statement(f"""
    SELECT at, activation, attempt, level, text, n FROM logs WHERE {_WANTED} ORDER BY n DESC LIMIT :limit""")
_READ_ON = statement(f"""
    SELECT at, activation, attempt, level, text, n FROM logs WHERE {_WANTED} AND n > :after ORDER BY n LIMIT :limit""")


class PostgresLogs:
    """What nodes print and log."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._since_trim: Counter[tuple[RunId, ActivationId]] = Counter()

    def append(self, run: RunId, lines: Sequence[LogLine]) -> None:
        """Keep lines; a very long one is cut, and says so."""
        if not lines:
            return
        values = {
            "run": run,
            "ats": texts(line.at.isoformat() for line in lines),
            "attempts": numbers(line.attempt for line in lines),
            "activations": texts(storable(line.activation) for line in lines),
            "levels": texts(storable(line.level) for line in lines),
            "texts": texts(_bounded(line.text) for line in lines),
        }
        with self._connections.lease() as link:
            link.run(_APPEND, values)
            for activation in self._talkative(run, lines):
                link.run(_TRIM, {"run": run, "activation": activation})

    def read(
        self, run: RunId, node: str | None = None, limit: int = 10_000, *, after: int | None = None
    ) -> tuple[LogLine, ...]:
        """The lines of a run or of one node, oldest first; at most the last `limit`, or the first after a number."""
        values = {"run": run, "node": node, "limit": limit}
        with self._connections.lease() as link:
            rows = link.all(_READ, values)[::-1] if after is None else link.all(_READ_ON, {**values, "after": after})
        return tuple(
            LogLine(at=at, activation=ActivationId(activation), attempt=attempt, level=level, text=text, number=number)
            for at, activation, attempt, level, text, number in rows
        )

    def _talkative(self, run: RunId, lines: Sequence[LogLine]) -> list[ActivationId]:
        """The activations that have written so much since they were last trimmed that it is time again."""
        if len(self._since_trim) > _TRIM_EVERY:
            self._since_trim.clear()
        written = Counter(line.activation for line in lines)
        for activation, count in written.items():
            self._since_trim[run, activation] += count
        due = [activation for activation in written if self._since_trim[run, activation] >= _TRIM_EVERY]
        for activation in due:
            del self._since_trim[run, activation]
        return due


def _bounded(text: str) -> str:
    if len(text) > LINE_LIMIT:
        text = f"{text[:LINE_LIMIT]} … ({len(text) - LINE_LIMIT:,} characters more)"
    return storable(text)

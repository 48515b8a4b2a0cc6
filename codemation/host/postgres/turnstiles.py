"""Places for runs on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping

from codemation.core.concurrency import Turnstile
from codemation.core.ids import RunId
from codemation.core.ports import RunRow
from codemation.core.states import RunStatus
from codemation.host.postgres.codes import STATUS_CODES
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Link
from codemation.host.postgres.rows import run_row
from codemation.host.postgres.run_statements import RUN
from codemation.host.postgres.statements import Statement, statement
from codemation.host.postgres.turnstile_statements import ENTER, FORGET, LET_IN, LOCK, RECOUNT

_HERE = """r AS MATERIALIZED (
        SELECT * FROM runs WHERE turnstile = :turnstile AND turnstile IS NOT NULL AND finished_at IS NULL)"""
_INSIDE = statement(f"""
    WITH {_HERE} SELECT {RUN}, r.id::text FROM r WHERE r.status > {STATUS_CODES[RunStatus.QUEUED]}
    ORDER BY r.created_at, r.id""")
_AT = statement(f"""
    WITH {_HERE} SELECT {RUN}, r.id::text FROM r
    ORDER BY r.status = {STATUS_CODES[RunStatus.QUEUED]},
        CASE r.status WHEN {STATUS_CODES[RunStatus.QUEUED]} THEN -r.priority END, r.created_at, r.id""")

# Counted at the runs themselves: what the row says may be what is to be mended.
_FORGOTTEN = statement(f"""
    SELECT name FROM turnstiles t
    WHERE EXISTS (
            SELECT FROM runs WHERE turnstile = t.name AND finished_at IS NULL AND stop = 0
                AND status = {STATUS_CODES[RunStatus.QUEUED]})
        AND cap > (
            SELECT count(*) FROM runs WHERE turnstile = t.name AND finished_at IS NULL
                AND status > {STATUS_CODES[RunStatus.QUEUED]})
    LIMIT 1000""")


class PostgresTurnstiles:
    """Places for runs, and who is queued for them."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def at(self, name: str, *, queued: bool = True) -> tuple[RunRow, ...]:
        """The unfinished runs of a turnstile: those that have a place, then, if wanted, those that are queued."""
        with self._connections.lease() as link:
            return at(link, name, queued=queued)

    def mend(self, name: str | None = None) -> int:
        """Count the places anew and let in who is queued for a free one, here or wherever there is; says how many."""
        with self._connections.lease() as link:
            if name is not None:
                return _mended(link, name)
            return sum(_mended(link, one) for (one,) in link.all(_FORGOTTEN, {}))


def _mended(link: Link, name: str) -> int:
    values = {"turnstile": name}
    _, _, let, _ = link.together((LOCK, values), (RECOUNT, values), (LET_IN, values), (FORGET, values))
    return let


def at(link: Link, name: str, *, queued: bool = True) -> tuple[RunRow, ...]:
    """The unfinished runs of a turnstile, as `Turnstiles.at` gives them."""
    rows = link.all(_AT if queued else _INSIDE, {"turnstile": name})
    return tuple(run_row(RunId(row[-1]), row) for row in rows)


def started(link: Link, start: Statement, values: Mapping[str, object]) -> bool:
    """Record a run that needs a place, and give it one if there is one."""
    _, recorded, *_ = link.together((ENTER, values), (start, values), (LET_IN, values), (FORGET, values))
    return recorded == 1


def reopened(link: Link, reopen: Statement, values: Mapping[str, object]) -> bool:
    """Let a run go on that needs a place anew; the run is locked first, as everywhere."""
    recorded, *_ = link.together((reopen, values), (ENTER, values), (LET_IN, values), (FORGET, values))
    return recorded == 1


def let_in(link: Link, name: str) -> None:
    """Give free places to who is queued for them."""
    values = {"turnstile": name}
    link.together((LOCK, values), (LET_IN, values), (FORGET, values))


def turnstile_values(turnstile: Turnstile | None) -> dict[str, object]:
    """What the statements are given of a turnstile."""
    if turnstile is None:
        return {}
    return {"turnstile": turnstile.name, "cap": turnstile.runs, "refuses": turnstile.refuses}

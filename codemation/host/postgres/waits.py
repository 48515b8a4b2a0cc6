"""Waits on PostgreSQL: tickets that nobody claims, taken by whoever answers them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import psycopg

from codemation.core.errors import InputError
from codemation.core.ids import ActivationId, RunId, TicketId, WorkflowId
from codemation.core.ports import OpenWait, WaitTicket
from codemation.core.waits import DEADLINE, WaitKind
from codemation.host.postgres.answering import answering
from codemation.host.postgres.codes import KINDS, TicketKind, TicketState
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Row
from codemation.host.postgres.rows import cleaned, storable
from codemation.host.postgres.statements import numbers, statement, texts

_WAITING = f"{TicketState.WAITING:d}"
_EVENT = f"{TicketKind.EVENT:d}"

_ANSWER = statement(f"""
    WITH {
    answering(
        f'''SELECT id, run_id, :body::json AS body FROM tickets WHERE wait_key = :wait_key AND state = {_WAITING}
            AND kind NOT IN ({TicketKind.WORK:d}, {_EVENT}) AND (due_at IS NULL OR due_at > now_())''',
        "c.body",
        fold=":fold::bigint",
        skip=False,
    )
}
    SELECT count(*) FROM taken""")
OPENED = "k.id, k.run_id::text, r.workflow, k.activation, k.wait, k.kind, k.wait_key, k.due_at, k.input::text"
_CHECK = statement("SELECT :body::json")
_OPEN = f"""
    WITH k AS MATERIALIZED (
        SELECT * FROM tickets
        WHERE {{of}} AND stop = 0 AND wait IS DISTINCT FROM '{DEADLINE}'
            AND kind NOT IN ({TicketKind.WORK:d}, {TicketKind.SHARD:d}, {TicketKind.FOLD:d})
            AND (:kind::int IS NULL OR kind = :kind::int)
        ORDER BY due_at NULLS LAST, id LIMIT :most::int)
    SELECT {OPENED} FROM k JOIN runs r ON r.id = k.run_id AND r.id = ANY(ARRAY(SELECT run_id FROM k))
    ORDER BY k.due_at NULLS LAST, k.id"""
_OPEN_ALL = statement(_OPEN.format(of=f"state = {_WAITING}"))
_OPEN_OF_RUN = statement(_OPEN.format(of=f"run_id = :run AND state + 0 = {_WAITING}"))


class PostgresWaits:
    """What activations wait for."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def answer(self, wait_key: str, body: str, fold: TicketId) -> bool:
        """Take the wait with this address and leave its answer in the inbox of its run; `False` when it is not open.

        Raises:
            InputError: the body is not JSON.
        """
        values = {"wait_key": storable(wait_key), "body": body, "fold": fold}
        with self._connections.lease() as link:
            try:
                link.one(_CHECK, values)  # where there is no wait, nothing would look at the body
                return bool(link.all(_ANSWER, values)[0][0])
            except psycopg.DataError as error:
                raise InputError(f"the answer is not JSON: {error.diag.message_primary or error}") from error

    def open(self, *, kind: WaitKind | None = None, run: RunId | None = None, limit: int = 100) -> tuple[OpenWait, ...]:
        """What is waited for now, the most pressing first."""
        values = {"kind": None if kind is None else TicketKind[kind.upper()].value, "run": run, "most": limit}
        with self._connections.lease() as link:
            rows = link.all(_OPEN_ALL if run is None else _OPEN_OF_RUN, values)
        return tuple(map(open_wait, rows))


def open_wait(row: Row) -> OpenWait:
    """A wait from its columns, as `OPENED` names them."""
    ticket, run, workflow, activation, wait, kind, wait_key, due_at, detail = row
    return OpenWait(
        ticket=TicketId(ticket),
        run=RunId(run),
        workflow=WorkflowId(workflow),
        activation=ActivationId(activation),
        wait=wait or "",
        kind=cast("WaitKind", KINDS[kind]),
        wait_key=wait_key,
        due_at=due_at,
        detail=json.loads(detail or "{}"),
    )


def wait_values(waits: Sequence[WaitTicket]) -> dict[str, object]:
    """What the step statement is given for the waits that it records."""
    return {
        "wait_ids": numbers(wait.id for wait in waits),
        "wait_activations": texts(wait.activation for wait in waits),
        "wait_kinds": numbers(TicketKind[wait.kind.upper()].value for wait in waits),
        "wait_delays": _maybe(wait.delay for wait in waits),
        "wait_untils": _maybe(wait.until for wait in waits),
        "wait_keys": _maybe_texts([wait.wait_key for wait in waits]),
        "wait_names": texts(storable(wait.wait) for wait in waits),
        "wait_details": texts(json.dumps(cleaned(wait.detail), ensure_ascii=False) for wait in waits),
    }


def _maybe(values: Any) -> str:
    return "{" + ",".join("NULL" if value is None else repr(float(value)) for value in values) + "}"


def _maybe_texts(values: Sequence[str | None]) -> str:
    quoted = ("NULL" if value is None else texts([storable(value)])[1:-1] for value in values)
    return "{" + ",".join(quoted) + "}"

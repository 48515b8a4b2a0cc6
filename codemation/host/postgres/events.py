"""Events on PostgreSQL: kept until they expire, and given to every wait that is open for them."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from codemation.core.errors import InputError
from codemation.core.ids import RunId
from codemation.core.ports import SentEvent
from codemation.host.postgres.answering import RANDOM_ID, answering
from codemation.host.postgres.codes import TicketKind, TicketState
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Link
from codemation.host.postgres.rows import storable
from codemation.host.postgres.statements import Statement, statement

_BATCH = 500
_KEEP = statement("""
    INSERT INTO events (id, name, key, body, dedup, expires_at)
    VALUES (:id, :name, :key, :body::json, :dedup, now_() + :keep::float8 * interval '1 second')
    ON CONFLICT DO NOTHING RETURNING 1""")

_NODE = "substring({activation} from '^(.*)/[^/]*$')"
# What is asked of is either one run, or one kind of event, or everything.
_MEET = f"""
    WITH {{taking}},
    given AS (
        INSERT INTO event_receipts (event, run_id, node, activation)
        SELECT DISTINCT ON (c.event, k.run_id, {_NODE.format(activation="k.activation")})
            c.event, k.run_id, {_NODE.format(activation="k.activation")}, k.activation
        FROM taken k JOIN candidates c ON c.id = k.id ON CONFLICT DO NOTHING)
    SELECT count(*) FROM taken"""
_CANDIDATES = f"""
    SELECT w.id, w.run_id, e.id AS event, e.body, e.at FROM tickets w CROSS JOIN LATERAL (
        SELECT id, body, at FROM events
        WHERE name = split_part(w.wait_key, ':', 1) AND key = substr(w.wait_key, strpos(w.wait_key, ':') + 1)
            AND expires_at > now_() AND (w.due_at IS NULL OR at < w.due_at) AND NOT EXISTS (
                SELECT FROM event_receipts r WHERE r.event = events.id AND r.run_id = w.run_id
                    AND r.node = {_NODE.format(activation="w.activation")} AND r.activation <> w.activation)
        ORDER BY at, id LIMIT 1) AS e
    WHERE w.state = {TicketState.WAITING:d} AND w.stop = 0 AND w.kind = {TicketKind.EVENT:d} AND {{which}}
    LIMIT {_BATCH}"""
_LETTER = """json_build_object('kind', 'EventArrived', 'activation', k.activation, 'wait', k.wait, 'event', c.event,
    'payload', c.body, 'at', extract(epoch FROM c.at))"""


def _meeting(which: str, *, skip: bool) -> str:
    taking = answering(_CANDIDATES.format(which=which), _LETTER, fold=RANDOM_ID, skip=skip)
    return _MEET.format(taking=taking)


_MEET_ALL = statement(_meeting("w.wait_key IS NOT NULL", skip=True))
_MEET_RUN = statement(_meeting("w.run_id = :run", skip=False))
_MEET_EVENT = statement(_meeting("w.wait_key = :wait_key", skip=False))
_KEPT = statement("""
    SELECT id::text, name, key, body::text, dedup, at, expires_at FROM events
    WHERE (:name::text IS NULL OR name = :name::text) AND expires_at > now_() ORDER BY at DESC, id DESC
    LIMIT :most::int""")
_FORGET = statement(f"""
    DELETE FROM events WHERE id IN (
        SELECT id FROM events WHERE expires_at <= now_() ORDER BY expires_at LIMIT {_BATCH} FOR UPDATE SKIP LOCKED)""")


class PostgresEvents:
    """Events from outside."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def send(self, event: SentEvent) -> bool:
        """Keep an event and give it to every wait that is open for it; `False` when it was sent before.

        It is committed before the waits are looked at, so that whoever begins to wait meanwhile finds it.

        Raises:
            InputError: the body is not JSON.
        """
        values = {
            "id": event.id,
            "name": storable(event.name),
            "key": storable(event.key),
            "body": event.body,
            "dedup": None if event.dedup is None else storable(event.dedup),
            "keep": event.keep,
            "wait_key": storable(f"{event.name}:{event.key}"),
        }
        with self._connections.lease() as link:
            try:
                kept = link.one(_KEEP, values) is not None
            except psycopg.DataError as error:
                said = error.diag.message_primary or error
                raise InputError(f'the event "{event.name}" is not JSON: {said}') from error
            _meet(link, _MEET_EVENT, values)  # also when it was there: whoever sent it may have died before this
        return kept

    def meet(self, run: RunId | None = None) -> int:
        """Give what is kept to the waits of a run, or of all runs, that are open for it; says to how many."""
        with self._connections.lease() as link:
            return _meet(link, _MEET_ALL if run is None else _MEET_RUN, {"run": run})

    def kept(self, *, name: str | None = None, limit: int = 100) -> tuple[SentEvent, ...]:
        """What is kept, the latest first."""
        with self._connections.lease() as link:
            rows = link.all(_KEPT, {"name": name, "most": limit})
        return tuple(
            SentEvent(
                id=id_,
                name=name_,
                key=key,
                body=body,
                dedup=dedup,
                keep=(expires_at - at).total_seconds(),
                at=at,
                expires_at=expires_at,
            )
            for id_, name_, key, body, dedup, at, expires_at in rows
        )

    def forget(self) -> int:
        """Forget what has expired; says how many."""
        total = 0
        with self._connections.lease() as link:
            while True:
                gone = link.run(_FORGET, {})
                total += gone
                if gone < _BATCH:
                    return total


def _meet(link: Link, meeting: Statement, values: Mapping[str, object]) -> int:
    total = 0
    while True:
        taken = int(link.all(meeting, values)[0][0])
        total += taken
        if taken < _BATCH:
            return total

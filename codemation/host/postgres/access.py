"""Who may ask, and who did what, on PostgreSQL."""

from __future__ import annotations

import json

import psycopg

from codemation.core.access import Role
from codemation.core.errors import InputError
from codemation.core.ports import Deed, Token
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Row
from codemation.host.postgres.rows import storable
from codemation.host.postgres.statements import statement

_COLUMNS = "id::text, name, role, created_by, created_at, expires_at, used_at, revoked_at"
_CREATE = statement("""
    INSERT INTO tokens (id, name, role, created_by, expires_at, digest)
    VALUES (:id, :name, :role, :created_by, now_() + :lasts::float8 * interval '1 second', :digest)""")
# Read by itself first: a token that is used all the time is written to once a minute.
_HOLDER = statement(f"""
    SELECT {_COLUMNS}, used_at IS NULL OR used_at < now_() - interval '1 minute' FROM tokens
    WHERE digest = :digest AND (revoked_at IS NULL) IS TRUE AND (expires_at IS NULL OR expires_at > now_())""")
_USED = statement("UPDATE tokens SET used_at = now_() WHERE id = :id")
_ALL = statement(f"SELECT {_COLUMNS} FROM tokens ORDER BY created_at DESC, id DESC")
_ANY = statement("SELECT 1 FROM tokens LIMIT 1")
_REVOKE = statement("UPDATE tokens SET revoked_at = now_() WHERE id = :id AND revoked_at IS NULL")
_NOTE = statement("""
    INSERT INTO audit (id, who, action, target, outcome, detail)
    VALUES (:id, :who, :action, :target, :outcome, :detail::json) ON CONFLICT (id) DO NOTHING""")
_SETTLE = statement("UPDATE audit SET outcome = :outcome, target = :target WHERE id = :id AND outcome = ''")
_DEEDS = """
    SELECT id::text, who, action, target, detail::text, outcome, at FROM audit
    WHERE (:who::text IS NULL OR who = :who) AND starts_with(action, :action)"""
_LATEST = "ORDER BY at DESC, id DESC LIMIT :most::int"
_PAGE = statement(f"{_DEEDS} {_LATEST}")
_NEXT_PAGE = statement(f"{_DEEDS} AND (at, id) < (SELECT at, id FROM audit WHERE id = :before) {_LATEST}")


class PostgresTokens:
    """Who may ask."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def create(self, token: Token, digest: bytes, lasts: float | None = None) -> None:
        """Let whoever shows the text of this digest do what the role allows.

        Raises:
            InputError: a token that counts has the name.
        """
        values = {
            "id": token.id,
            "name": storable(token.name),
            "role": token.role.value,
            "created_by": storable(token.created_by),
            "lasts": lasts,
            "digest": digest,
        }
        with self._connections.lease() as link:
            try:
                link.run(_CREATE, values)
            except psycopg.errors.UniqueViolation:
                way_out = f"revoke it first: codemation tokens revoke {token.name}"
                raise InputError(f"there is a token called {token.name!r}", way_out=way_out) from None

    def holder(self, digest: bytes) -> Token | None:
        """The token of a text, if it counts."""
        with self._connections.lease() as link:
            row = link.one(_HOLDER, {"digest": digest})
            if row is not None and row[-1]:
                link.run(_USED, {"id": row[0]})
        return None if row is None else _token(row[:-1])

    def all(self) -> tuple[Token, ...]:
        """Every token that ever was, the latest first."""
        with self._connections.lease() as link:
            return tuple(map(_token, link.all(_ALL, {})))

    def any(self) -> bool:
        """Whether there ever was one."""
        with self._connections.lease() as link:
            return link.gives(_ANY, {})

    def revoke(self, id_: str) -> bool:
        """Let a token count no more."""
        with self._connections.lease() as link:
            return link.run(_REVOKE, {"id": id_}) > 0


class PostgresAudit:
    """Who did what."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def note(self, deed: Deed) -> None:
        """Note what somebody is about to do."""
        values = {
            "id": deed.id,
            "who": storable(deed.who),
            "action": deed.action,
            "target": storable(deed.target),
            "outcome": deed.outcome,
            "detail": json.dumps(dict(deed.detail)),
        }
        with self._connections.lease() as link:
            link.run(_NOTE, values)

    def settle(self, id_: str, outcome: str, target: str) -> None:
        """Say what became of it; the first word stands."""
        with self._connections.lease() as link:
            link.run(_SETTLE, {"id": id_, "outcome": outcome, "target": storable(target)})

    def page(
        self, *, who: str | None = None, action: str | None = None, before: str | None = None, limit: int = 50
    ) -> tuple[Deed, ...]:
        """Deeds, the latest first."""
        values = {"who": who, "action": action or "", "before": before, "most": limit}
        with self._connections.lease() as link:
            return tuple(map(_deed, link.all(_PAGE if before is None else _NEXT_PAGE, values)))


def _token(row: Row) -> Token:
    id_, name, role, created_by, created_at, expires_at, used_at, revoked_at = row
    return Token(
        id=id_,
        name=name,
        role=Role(role),
        created_by=created_by,
        created_at=created_at,
        expires_at=expires_at,
        used_at=used_at,
        revoked_at=revoked_at,
    )


def _deed(row: Row) -> Deed:
    id_, who, action, target, detail, outcome, at = row
    return Deed(id=id_, who=who, action=action, target=target, detail=json.loads(detail), outcome=outcome, at=at)

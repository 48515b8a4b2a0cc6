"""Who may ask, and who did what, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from codemation.core.errors import InputError
from codemation.core.ports import Deed, Token
from codemation.host.memory.tables import Tables


class MemoryTokens:
    """Who may ask."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def create(self, token: Token, digest: bytes, lasts: float | None = None) -> None:
        """Let somebody ask."""
        with self._tables.lock:
            now = self._tables.clock()
            end = None if lasts is None else now + timedelta(seconds=lasts)
            if any(one.name == token.name and one.revoked_at is None for one in self._tables.tokens.values()):
                raise name_taken(token.name)
            self._tables.tokens[digest] = replace(token, created_at=now, expires_at=end)

    def holder(self, digest: bytes) -> Token | None:
        """The token of a text, if it counts."""
        with self._tables.lock:
            token, now = self._tables.tokens.get(digest), self._tables.clock()
            if token is None or token.revoked_at is not None:
                return None
            if token.expires_at is not None and token.expires_at <= now:
                return None
            used = self._tables.tokens[digest] = replace(token, used_at=now)
            return used

    def all(self) -> tuple[Token, ...]:
        """Every token, the latest first."""
        with self._tables.lock:
            return tuple(reversed(self._tables.tokens.values()))

    def any(self) -> bool:
        """Whether there ever was one."""
        return bool(self._tables.tokens)

    def revoke(self, id_: str) -> bool:
        """Let a token count no more."""
        with self._tables.lock:
            for digest, token in self._tables.tokens.items():
                if token.id == id_ and token.revoked_at is None:
                    self._tables.tokens[digest] = replace(token, revoked_at=self._tables.clock())
                    return True
            return False


class MemoryAudit:
    """Who did what."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def note(self, deed: Deed) -> None:
        """Note what somebody is about to do."""
        with self._tables.lock:
            self._tables.deeds[deed.id] = replace(deed, at=self._tables.clock())

    def settle(self, id_: str, outcome: str, target: str) -> None:
        """Say what became of it."""
        with self._tables.lock:
            deed = self._tables.deeds.get(id_)
            if deed is not None and not deed.outcome:
                self._tables.deeds[id_] = replace(deed, outcome=outcome, target=target)

    def page(
        self, *, who: str | None = None, action: str | None = None, before: str | None = None, limit: int = 50
    ) -> tuple[Deed, ...]:
        """Deeds, the latest first."""
        with self._tables.lock:
            deeds = sorted(self._tables.deeds.values(), key=_age, reverse=True)
            mark = self._tables.deeds.get(before) if before is not None else None
        if before is not None:
            deeds = [one for one in deeds if mark is not None and _age(one) < _age(mark)]
        chosen = [one for one in deeds if who in (None, one.who) and one.action.startswith(action or "")]
        return tuple(chosen[:limit])


def _age(deed: Deed) -> tuple[object, str]:
    return deed.at, deed.id


def name_taken(name: str) -> InputError:
    """A token that counts has the name already."""
    return InputError(f"there is a token called {name!r}", way_out=f"revoke it first: codemation tokens revoke {name}")

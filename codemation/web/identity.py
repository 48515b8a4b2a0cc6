"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass

from codemation.core.access import Role
from codemation.core.ports import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Whoever asks."""

    name: str
    """What is recorded of them: `token:deploy`, `local`."""
    role: Role
    key: str = ""
    """What their requests are counted under."""

    @property
    def said(self) -> str:
        """What is kept with a run that they have started."""
        return f"api {self.name}"


EVERYBODY = Actor(name="local", role=Role.ADMIN)
"""Whoever asks where nobody has to say who he is."""


def actor_of(token: Token) -> Actor:
    """Whoever holds a token."""
    return Actor(name=f"token:{token.name}", role=token.role, key=token.id)


def bearer_of(who: str) -> Actor:
    """Whoever came by a link that lets them decide."""
    return Actor(name=f"link:{who}", role=Role.OPERATOR)

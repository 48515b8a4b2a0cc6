"""Who asks, and what they may do."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from codemation.core.access import Role
from codemation.core.ports import Token

PREFIX = "cmt_"
"""What the text of a token begins with, so that scanners for leaked secrets know one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Whoever asks."""

    name: str
    """What is recorded of them: `token:deploy`, `local`."""
    role: Role
    key: str = ""
    """What their requests are counted under."""


EVERYBODY = Actor(name="local", role=Role.ADMIN)
"""Whoever asks where nobody has to say who he is."""


def new_token() -> str:
    """The text of a new token: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(text: str) -> bytes:
    """What is kept of the text of a token; it is random enough that nothing has to be added."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def actor_of(token: Token) -> Actor:
    """Whoever holds a token."""
    return Actor(name=f"token:{token.name}", role=token.role, key=token.id)

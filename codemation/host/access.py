"""Tokens as they are made and named: on the command line and over the network."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING

from codemation.core.access import Role
from codemation.core.errors import InputError
from codemation.core.mistakes import listed
from codemation.core.ports import Token
from codemation.host.identity import new_run_id

if TYPE_CHECKING:
    from codemation.host.app import App

PREFIX = "cmt_"
"""What the text of a token begins with, so that scanners for leaked secrets know one."""
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$"
"""How tokens are called."""


def make_token(app: App, name: str, role: Role, *, by: str, lasts: float | None = None) -> tuple[Token, str]:
    """A new token, and its text, which nobody keeps; it counts for so many seconds.

    Raises:
        InputError: the name is taken, or is none.
    """
    if not re.match(NAME, name):
        raise InputError(f"{name!r} cannot name a token", way_out="letters, digits and any of _ . @ -")
    token, text = Token(id=str(new_run_id()), name=name, role=role, created_by=by), new_text()
    app.engine.persist(app.stores.tokens.create, token, digest_of(text), lasts)
    return token, text


def new_text() -> str:
    """The text of a new token: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(text: str) -> bytes:
    """What is kept of the text of a token; it is random enough that nothing has to be added."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def find_token(app: App, wanted: str) -> Token:
    """The token that counts with this name or id.

    Raises:
        InputError: there is none.
    """
    counting = [one for one in app.engine.persist(app.stores.tokens.all) if one.revoked_at is None]
    for token in counting:
        if wanted in (token.name, token.id):
            return token
    names = listed([one.name for one in counting], "none")
    raise InputError(f"no token that counts is called {wanted!r}", way_out=f"there are: {names}")

"""Tokens for people who are asked to decide: signed, about one wait and for one person, and of use once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from pathlib import Path

from codemation.core.errors import InvalidLink
from codemation.host.identity import entropy

_KEY_FILE = "links.key"


def link_token(key: Path | bytes, wait: str, who: str) -> str:
    """A token with which its bearer, and nobody else, may decide about a wait, once.

    It is signed with a key, or with that in a folder, where it is made if there is none yet.
    """
    body = json.dumps({"wait": wait, "who": who}, separators=(",", ":")).encode()
    return f"{_text(body)}.{_text(_signature(key, body))}"


def read_link(key: Path | bytes, token: str) -> tuple[str, str]:
    """The wait and the bearer that a token names.

    Raises:
        InvalidLink: it was not made here, or was changed.
    """
    head, _, tail = token.partition(".")
    try:
        body, signature = _bytes(head), _bytes(tail)
        good = hmac.compare_digest(signature, _signature(key, body))
        found = json.loads(body) if good else {}
        return str(found["wait"]), str(found["who"])
    except (binascii.Error, ValueError, KeyError):
        raise InvalidLink("this link was not made here, or was changed on its way") from None


def _signature(key: Path | bytes, body: bytes) -> bytes:
    return hmac.new(key if isinstance(key, bytes) else _secret(key), body, hashlib.sha256).digest()


def _secret(state: Path) -> bytes:
    """The key that links are signed with; made when the first is."""
    path = state / _KEY_FILE
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        fresh = state / f"{_KEY_FILE}.{entropy()}"
        fresh.touch(mode=0o600)
        fresh.write_bytes(os.urandom(32))
        try:
            os.link(fresh, path)  # of several who make one at once, one does
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

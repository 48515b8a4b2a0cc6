"""What lets a request in."""

from __future__ import annotations

from codemation.core.credentials import Credential, Secret


class HttpAccess(Credential):
    """What lets a request in: a token, or a user and a password."""

    secret: Secret
    """The token, or the password."""
    user: str = ""
    header: str = "Authorization"
    scheme: str = "Bearer"

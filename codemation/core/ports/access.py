"""Who may do what, and what was done; secrets that nodes need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from codemation.core.access import Role
from codemation.core.credentials import Credential
from codemation.core.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What lets somebody ask over the network, without the text that shows it, which nobody keeps."""

    id: str
    name: str
    """Who or what holds it."""
    role: Role
    created_by: str = ""
    created_at: datetime | None = None
    """The store says so."""
    expires_at: datetime | None = None
    """As above; `None` for never."""
    used_at: datetime | None = None
    """When it was used last, give or take a minute."""
    revoked_at: datetime | None = None


class Tokens(Protocol):
    """Who may ask over the network."""

    def create(self, token: Token, digest: bytes, lasts: float | None = None) -> None:
        """Let whoever shows the text of this SHA-256 digest do what the role allows, for so many seconds from now.

        Raises:
            InputError: a token that counts has the name.
        """
        ...

    def holder(self, digest: bytes) -> Token | None:
        """The token of a text, if it counts: it was neither revoked nor has it expired. Notes that it was used."""
        ...

    def all(self) -> tuple[Token, ...]:
        """Every token that ever was, the latest first."""
        ...

    def any(self) -> bool:
        """Whether there ever was one."""
        ...

    def revoke(self, id_: str) -> bool:
        """Let a token count no more; `False` when it does not, or there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that somebody has done, or tried to."""

    id: str
    who: str
    action: str
    """`runs.start`."""
    target: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Small JSON."""
    outcome: str = ""
    """`done`, or what it was refused for; empty while it is being done, or where that was broken off."""
    at: datetime | None = None
    """The store says so."""


class Audit(Protocol):
    """Who did what. A deed is noted before it is done, and settled after it."""

    def note(self, deed: Deed) -> None:
        """Note what somebody is about to do."""
        ...

    def settle(self, id_: str, outcome: str, target: str) -> None:
        """Say what became of it; the first word stands."""
        ...

    def page(
        self, *, who: str | None = None, action: str | None = None, before: str | None = None, limit: int = 50
    ) -> tuple[Deed, ...]:
        """Deeds, the latest first, from just before the deed `before`; `action` may be the beginning of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A credential that a node asks for."""

    node: NodeId
    name: str
    """The parameter, or that of the opener of a resource, that it is given to."""
    type: type[Credential]
    required: bool = True


class CredentialSource(Protocol):
    """Somewhere that credentials are kept; asked whenever a node is called, so that a change is seen at once."""

    def find(self, slot: Slot) -> Mapping[str, object] | Credential | None:
        """The credential, or its fields; `None` when there is none here."""
        ...

"""What whoever holds a token may do."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Each may do what those before it may, and more."""

    VIEWER = "viewer"
    """See everything."""
    OPERATOR = "operator"
    """Start, cancel and resume runs, decide, send events."""
    EDITOR = "editor"
    """Change what starts runs by itself."""
    ADMIN = "admin"
    """Say who may do what, and see who did what."""

    def allows(self, needed: Role) -> bool:
        """Whether this role may do what `needed` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)

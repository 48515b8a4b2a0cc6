"""A PostgreSQL server that needs no installation: it lives in a project's `.codemation/` and ends with its last user.

errors → account, locks → filesystem → pointer → home → programs → cluster → address → watchdog → postmaster → server.
Read them in that order.
"""

from __future__ import annotations

from codemation.host.postgres.embedded.errors import EmbeddedError
from codemation.host.postgres.embedded.server import EmbeddedServer, open_embedded

__all__ = ["EmbeddedError", "EmbeddedServer", "open_embedded"]

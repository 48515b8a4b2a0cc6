"""Definitions on PostgreSQL: plain data by digest, so that any process can fold any run."""

from __future__ import annotations

import json

from codemation.core.definition import Definition
from codemation.core.errors import HostError
from codemation.host.postgres.codes import digest_bytes
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.statements import statement

_PUT = statement("""
    INSERT INTO definitions (digest, workflow, graph_digest, code_digest, plan, source_ref)
    VALUES (:digest, :workflow, :graph_digest, :code_digest, :plan::json, :source) ON CONFLICT (digest) DO NOTHING""")
_GET = statement("SELECT plan::text FROM definitions WHERE digest = :digest")


class PostgresDefinitions:
    """Definitions by digest; what was seen once is remembered, for it never changes."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._known: dict[str, Definition] = {}

    def put(self, definition: Definition) -> None:
        """Keep a definition; again is harmless."""
        if definition.digest in self._known:
            return
        values = {
            "digest": digest_bytes(definition.digest),
            "workflow": definition.workflow,
            "graph_digest": digest_bytes(definition.graph_digest),
            "code_digest": digest_bytes(definition.code_digest),
            "plan": json.dumps(definition.to_json(), separators=(",", ":")),
            "source": definition.source,
        }
        with self._connections.lease() as link:
            link.run(_PUT, values)
        self._remember(definition)

    def get(self, digest: str) -> Definition:
        """The definition.

        Raises:
            HostError: it is not there.
        """
        known = self._known.get(digest)
        if known is not None:
            return known
        with self._connections.lease() as link:
            row = link.one(_GET, {"digest": digest_bytes(digest)})
        if row is None:
            raise HostError(
                f"no definition {digest[:12]} is stored",
                way_out="it is stored when a run of it starts; was the database restored from an older copy?",
            )
        definition = Definition.from_json(json.loads(row[0]))
        self._remember(definition)
        return definition

    def _remember(self, definition: Definition) -> None:
        while len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known)), None)
        self._known[definition.digest] = definition


_REMEMBERED = 256

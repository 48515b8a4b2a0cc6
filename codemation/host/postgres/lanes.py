"""Lanes by number: a queue for runs of one definition, so that a claim never looks at work that is not for it."""

from __future__ import annotations

from codemation.core.ports import Commit, Leave
from codemation.host.postgres.codes import digest_bytes
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Link
from codemation.host.postgres.statements import statement, texts

# The update that changes nothing gives the id of a lane that somebody else has entered in the same moment.
_ENTER = statement("""
    INSERT INTO lanes (queue, digest) VALUES (:queue, :digest)
    ON CONFLICT (queue, digest) DO UPDATE SET queue = EXCLUDED.queue RETURNING id""")
_ENTER_FOR = statement("""
    INSERT INTO lanes (queue, digest)
    SELECT DISTINCT x.queue, r.digest FROM runs r, unnest(:queues::text[]) AS x (queue)
    WHERE r.id = :run ON CONFLICT (queue, digest) DO NOTHING""")


class Lanes:
    """The numbers of lanes, remembered: they never change, and lanes are never deleted."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._known: dict[tuple[str, str], int] = {}

    def id(self, queue: str, digest: str) -> int:
        """The number of a lane, which is entered if it is new."""
        known = self._known.get((queue, digest))
        if known is not None:
            return known
        with self._connections.lease() as link:
            rows = link.all(_ENTER, {"queue": queue, "digest": digest_bytes(digest)})
        self._known[queue, digest] = known = int(rows[0][0])
        return known

    def enter_for(self, link: Link, commit: Commit) -> None:
        """Enter the lanes that a commit names by queue alone; the digest is the run's."""
        queues = {ticket.queue for ticket in commit.more}
        if isinstance(commit.then, Leave):
            queues.add(commit.then.queue)
        link.run(_ENTER_FOR, {"queues": texts(queues), "run": commit.run})

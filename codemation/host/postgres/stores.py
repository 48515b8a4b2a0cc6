"""The stores on PostgreSQL, put together: what a process opens once and closes at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from codemation.core.errors import HostError
from codemation.core.ports import Blobs, Stores
from codemation.host.postgres.access import PostgresAudit, PostgresTokens
from codemation.host.postgres.blobs import Objects, PostgresBlobs
from codemation.host.postgres.checkpoints import PostgresCheckpoints
from codemation.host.postgres.children import PostgresChildren
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.definitions import PostgresDefinitions
from codemation.host.postgres.deployments import PostgresDeployments
from codemation.host.postgres.duties import PostgresDuties
from codemation.host.postgres.events import PostgresEvents
from codemation.host.postgres.firings import PostgresFirings, PostgresPolls
from codemation.host.postgres.following import PostgresFollowUps
from codemation.host.postgres.gauges import PostgresGauges
from codemation.host.postgres.inbox import PostgresInbox
from codemation.host.postgres.journal import PostgresJournal
from codemation.host.postgres.lanes import Lanes
from codemation.host.postgres.logs import PostgresLogs
from codemation.host.postgres.migrate import check
from codemation.host.postgres.payloads import PostgresPayloads
from codemation.host.postgres.pools import PostgresPools
from codemation.host.postgres.pruning import PostgresPruning
from codemation.host.postgres.rates import PostgresRates
from codemation.host.postgres.recall import PostgresRecall
from codemation.host.postgres.runs import PostgresRuns
from codemation.host.postgres.shards import PostgresShards
from codemation.host.postgres.tickets import PostgresTickets
from codemation.host.postgres.triggers import PostgresArmory, PostgresSchedules
from codemation.host.postgres.turnstiles import PostgresTurnstiles
from codemation.host.postgres.waits import PostgresWaits
from codemation.host.postgres.workers import PostgresWorkers


class PostgresStores:
    """Every port of one database, and the connections that they share."""

    def __init__(self, connections: Connections, objects: Objects | None = None) -> None:
        self.connections = connections
        lanes = Lanes(connections)
        self.blobs = PostgresBlobs(connections, objects)
        self.stores = Stores(
            journal=PostgresJournal(connections, lanes),
            checkpoints=PostgresCheckpoints(connections),
            tickets=PostgresTickets(connections, lanes),
            shards=PostgresShards(connections),
            workers=PostgresWorkers(connections),
            payloads=PostgresPayloads(connections, self.blobs),
            blobs=self.blobs,
            definitions=PostgresDefinitions(connections),
            inbox=PostgresInbox(connections),
            logs=PostgresLogs(connections),
            runs=PostgresRuns(connections),
            waits=PostgresWaits(connections),
            children=PostgresChildren(connections),
            events=PostgresEvents(connections),
            pruning=PostgresPruning(connections, self.blobs),
            duties=PostgresDuties(connections),
            recall=PostgresRecall(connections),
            follow_ups=PostgresFollowUps(connections),
            pools=PostgresPools(connections),
            deployments=PostgresDeployments(connections),
            rates=PostgresRates(connections),
            turnstiles=PostgresTurnstiles(connections),
            tokens=PostgresTokens(connections),
            audit=PostgresAudit(connections),
            armory=PostgresArmory(connections),
            schedules=PostgresSchedules(connections),
            polls=PostgresPolls(connections),
            firings=PostgresFirings(connections),
            gauges=PostgresGauges(connections),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def describes(self) -> str:
        """What people are told of the database; without secrets."""
        return self.connections.target

    def check(self) -> None:
        """See that the database answers, and still has the schema that this release works on.

        Raises:
            StoreUnavailable: it does not answer.
            SchemaMismatch: its schema was changed.
        """
        check(self.connections)

    def close(self) -> None:
        """Close every connection."""
        self.connections.close()


def open_stores(  # noqa: PLR0913 - what the settings of an app say of its database
    url: str,
    *,
    blobs: Blobs | None = None,
    on_lost: Callable[[], None] | None = None,
    limit: int = 4,
    alone: bool = False,
    pooled: bool = False,
) -> PostgresStores:
    """The stores of the database at `url`.

    The bytes of large payloads go to `blobs`, which must keep them under given names as `DirectoryBlobs` does, or into
    the database itself. At most `limit` connections are open; the other options are those of `Connections`.

    Raises:
        StoreUnavailable: the database cannot be reached.
        SchemaMismatch: it has another schema; says what to do.
    """
    if blobs is not None and not isinstance(blobs, Objects):
        raise HostError(
            f"{type(blobs).__name__} cannot keep the bytes of PostgreSQL's blobs: it gives them names of its own",
            way_out="give it write, read, remove and sweep, as DirectoryBlobs has them",
        )
    connections = Connections(url, limit=limit, pooled=pooled, alone=alone, on_lost=on_lost)
    try:
        check(connections)
    except BaseException:
        connections.close()
        raise
    return PostgresStores(connections, blobs)

"""Every port in memory: for tests, and the measure of what the other adapters must do.

One lock stands for the database: whatever happens under it happens at once, as one statement does in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from codemation.core.ports import Stores
from codemation.host.memory.access import MemoryAudit, MemoryTokens
from codemation.host.memory.blobs import MemoryBlobs
from codemation.host.memory.checkpoints import MemoryCheckpoints
from codemation.host.memory.children import MemoryChildren
from codemation.host.memory.definitions import MemoryDefinitions
from codemation.host.memory.deployments import MemoryDeployments
from codemation.host.memory.duties import MemoryDuties
from codemation.host.memory.firings import MemoryFirings
from codemation.host.memory.following import MemoryFollowUps
from codemation.host.memory.gauges import MemoryGauges
from codemation.host.memory.inbox import MemoryInbox
from codemation.host.memory.journal import MemoryJournal
from codemation.host.memory.logs import MemoryLogs
from codemation.host.memory.payloads import MemoryPayloads
from codemation.host.memory.pools import MemoryPools
from codemation.host.memory.pruning import MemoryPruning
from codemation.host.memory.rates import MemoryRates
from codemation.host.memory.recall import MemoryRecall
from codemation.host.memory.runs import MemoryRunList
from codemation.host.memory.shards import MemoryShards
from codemation.host.memory.tables import Tables
from codemation.host.memory.tickets import MemoryTickets
from codemation.host.memory.triggers import MemoryArmory, MemoryPolls, MemorySchedules
from codemation.host.memory.turnstiles import MemoryTurnstiles
from codemation.host.memory.waits import MemoryEvents, MemoryWaits
from codemation.host.memory.workers import MemoryWorkers

__all__ = ["Tables", "memory_stores", "stores_on"]


def memory_stores(clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Stores:
    """Stores of a database that lives as long as this object."""
    return stores_on(Tables(clock))


def stores_on(tables: Tables) -> Stores:
    """Every port on the same rows."""
    return Stores(
        journal=MemoryJournal(tables),
        checkpoints=MemoryCheckpoints(tables),
        tickets=MemoryTickets(tables),
        shards=MemoryShards(tables),
        workers=MemoryWorkers(tables),
        payloads=MemoryPayloads(tables),
        blobs=MemoryBlobs(tables),
        definitions=MemoryDefinitions(tables),
        inbox=MemoryInbox(tables),
        logs=MemoryLogs(tables),
        runs=MemoryRunList(tables),
        waits=MemoryWaits(tables),
        children=MemoryChildren(tables),
        events=MemoryEvents(tables),
        pruning=MemoryPruning(tables),
        duties=MemoryDuties(tables),
        recall=MemoryRecall(tables),
        follow_ups=MemoryFollowUps(tables),
        pools=MemoryPools(tables),
        deployments=MemoryDeployments(tables),
        rates=MemoryRates(tables),
        turnstiles=MemoryTurnstiles(tables),
        tokens=MemoryTokens(tables),
        audit=MemoryAudit(tables),
        armory=MemoryArmory(tables),
        schedules=MemorySchedules(tables),
        polls=MemoryPolls(tables),
        firings=MemoryFirings(tables),
        gauges=MemoryGauges(tables),
    )

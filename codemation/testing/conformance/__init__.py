'''What every adapter of a port must do, as tests that anybody can run on theirs.

There is a class for each port, and one that drives all ports together at random. An adapter's own test module provides
two fixtures and says which contracts hold:

    import pytest

    from codemation.core.ports import Stores
    from codemation.testing import conformance


    @pytest.fixture
    def stores() -> Stores:
        """Every port on one empty database; the ports of one contract may be the adapter's, the others in memory."""


    @pytest.fixture
    def later() -> Callable[[float], None]:
        """Moves the clock of the very database of `stores` by so many seconds; it goes on from there."""


    class TestJournal(conformance.JournalContract): ...


    class TestTickets(conformance.TicketsContract): ...

and so on for `CheckpointsContract`, `WorkersContract`, `PayloadsContract`, `BlobsContract`, `DefinitionsContract`,
`DeploymentsContract`, `InboxContract`, `LogsContract`, `RunListContract`, `ShardsContract`, `WaitsContract`,
`ChildrenContract`, `EventsContract`, `PruningContract`, `DutiesContract`, `TurnstilesContract`, `FollowUpsContract`,
`RatesContract`, `PoolsContract`, `TokensContract`, `AuditContract`, `GaugesContract`, `ArmoryContract`,
`SchedulesContract`, `FiringsContract`, `PollsContract` and `FeedsContract`. Both fixtures have function scope, and
everything in the stores
belongs to the test. On PostgreSQL `later` replaces the function `now_()`, which tells the time to every statement, by
one that adds the seconds that were asked for so far.

The bus is no part of the stores. `BusContract` is given the fixtures `bus` and `another`, two ends of one, and
`BrokerContract`, where there is a broker in between, also `broker`, which it stops and starts.

Nor is the scheduler: `SchedulerContract` is given the fixture `app`, an app whose runs are worked on by what is tested.

`codemation.testing.conformance.machine` has the last test, `walk_at_random`. It needs hypothesis, and is therefore
imported by its own name.
'''

from __future__ import annotations

import pytest

for _module in (
    "access",
    "blobs",
    "bus",
    "cancel",
    "checkpoints",
    "children",
    "claims",
    "deadlines",
    "definitions",
    "deployments",
    "duties",
    "events",
    "firings",
    "following",
    "gauges",
    "groups",
    "inbox",
    "logs",
    "machine",
    "model",
    "payloads",
    "polling",
    "pools",
    "pruning",
    "rates",
    "reading",
    "recall",
    "releases",
    "reopening",
    "runs",
    "scheduling",
    "shards",
    "start",
    "step",
    "step_races",
    "town",
    "triggers",
    "turnstiles",
    "waiting",
    "waits",
    "walk",
    "workers",
    "world",
):  # so that a failure shows what was compared
    pytest.register_assert_rewrite(f"{__name__}.{_module}")

from codemation.testing.conformance.access import AuditContract, TokensContract  # noqa: E402
from codemation.testing.conformance.blobs import BlobsContract  # noqa: E402
from codemation.testing.conformance.bus import BrokerContract, BusContract  # noqa: E402
from codemation.testing.conformance.checkpoints import CheckpointsContract  # noqa: E402
from codemation.testing.conformance.children import ChildrenContract  # noqa: E402
from codemation.testing.conformance.definitions import DefinitionsContract  # noqa: E402
from codemation.testing.conformance.deployments import DeploymentsContract  # noqa: E402
from codemation.testing.conformance.duties import DutiesContract  # noqa: E402
from codemation.testing.conformance.events import EventsContract  # noqa: E402
from codemation.testing.conformance.firings import FiringsContract  # noqa: E402
from codemation.testing.conformance.following import FollowUpsContract  # noqa: E402
from codemation.testing.conformance.gauges import GaugesContract  # noqa: E402
from codemation.testing.conformance.inbox import InboxContract  # noqa: E402
from codemation.testing.conformance.journal import JournalContract  # noqa: E402
from codemation.testing.conformance.logs import LogsContract  # noqa: E402
from codemation.testing.conformance.payloads import PayloadsContract  # noqa: E402
from codemation.testing.conformance.polling import FeedsContract, PollsContract  # noqa: E402
from codemation.testing.conformance.pools import PoolsContract  # noqa: E402
from codemation.testing.conformance.pruning import PruningContract  # noqa: E402
from codemation.testing.conformance.rates import RatesContract  # noqa: E402
from codemation.testing.conformance.recall import RecallContract  # noqa: E402
from codemation.testing.conformance.runs import RunListContract  # noqa: E402
from codemation.testing.conformance.scheduling import SchedulerContract  # noqa: E402
from codemation.testing.conformance.shards import ShardsContract  # noqa: E402
from codemation.testing.conformance.tickets import TicketsContract  # noqa: E402
from codemation.testing.conformance.triggers import ArmoryContract, SchedulesContract  # noqa: E402
from codemation.testing.conformance.turnstiles import TurnstilesContract  # noqa: E402
from codemation.testing.conformance.waiting import WaitsContract  # noqa: E402
from codemation.testing.conformance.workers import WorkersContract  # noqa: E402

CONTRACTS = (
    JournalContract,
    CheckpointsContract,
    TicketsContract,
    ShardsContract,
    WorkersContract,
    PayloadsContract,
    BlobsContract,
    DefinitionsContract,
    DeploymentsContract,
    InboxContract,
    LogsContract,
    RecallContract,
    RunListContract,
    WaitsContract,
    ChildrenContract,
    EventsContract,
    PruningContract,
    DutiesContract,
    TurnstilesContract,
    FollowUpsContract,
    RatesContract,
    PoolsContract,
    TokensContract,
    AuditContract,
    GaugesContract,
)

__all__ = [
    "CONTRACTS",
    "ArmoryContract",
    "AuditContract",
    "BlobsContract",
    "BrokerContract",
    "BusContract",
    "CheckpointsContract",
    "ChildrenContract",
    "DefinitionsContract",
    "DeploymentsContract",
    "DutiesContract",
    "EventsContract",
    "FeedsContract",
    "FiringsContract",
    "FollowUpsContract",
    "GaugesContract",
    "InboxContract",
    "JournalContract",
    "LogsContract",
    "PayloadsContract",
    "PollsContract",
    "PoolsContract",
    "PruningContract",
    "RatesContract",
    "RecallContract",
    "RunListContract",
    "SchedulerContract",
    "SchedulesContract",
    "ShardsContract",
    "TicketsContract",
    "TokensContract",
    "TurnstilesContract",
    "WaitsContract",
    "WorkersContract",
]

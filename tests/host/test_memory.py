"""The memory adapters do what every adapter must do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codemation.core.ports import Bus, Stores
from codemation.host.memory import memory_stores
from codemation.host.memory.bus import MemoryBus
from codemation.testing import conformance
from tests.testing.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stores(clock: Clock) -> Stores:
    return memory_stores(clock)


@pytest.fixture
def later(clock: Clock) -> Callable[[float], None]:
    return clock.later


@pytest.fixture
def bus() -> Bus:
    return MemoryBus()


@pytest.fixture
def another(bus: Bus) -> Bus:
    return bus


class TestBus(conformance.BusContract): ...


class TestJournal(conformance.JournalContract): ...


class TestCheckpoints(conformance.CheckpointsContract): ...


class TestTickets(conformance.TicketsContract): ...


class TestShards(conformance.ShardsContract): ...


class TestWorkers(conformance.WorkersContract): ...


class TestPayloads(conformance.PayloadsContract): ...


class TestBlobs(conformance.BlobsContract): ...


class TestDeployments(conformance.DeploymentsContract): ...


class TestDefinitions(conformance.DefinitionsContract): ...


class TestInbox(conformance.InboxContract): ...


class TestLogs(conformance.LogsContract): ...


class TestRecall(conformance.RecallContract): ...


class TestRunList(conformance.RunListContract): ...


class TestWaits(conformance.WaitsContract): ...


class TestEvents(conformance.EventsContract): ...


class TestChildren(conformance.ChildrenContract): ...


class TestPruning(conformance.PruningContract): ...


class TestDuties(conformance.DutiesContract): ...


class TestTurnstiles(conformance.TurnstilesContract): ...


class TestFollowUps(conformance.FollowUpsContract): ...


class TestRates(conformance.RatesContract): ...


class TestPools(conformance.PoolsContract): ...


class TestTokens(conformance.TokensContract): ...


class TestAudit(conformance.AuditContract): ...


class TestArmory(conformance.ArmoryContract): ...


class TestSchedules(conformance.SchedulesContract): ...


class TestFirings(conformance.FiringsContract): ...


class TestPolls(conformance.PollsContract): ...


class TestFeeds(conformance.FeedsContract): ...


class TestGauges(conformance.GaugesContract): ...

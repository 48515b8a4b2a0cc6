"""The parts, and the events that keep them busy: a heap of moments, each of which asks parts for work."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.day import traffic
from benchmarks.day.costs import Costs, RunCost
from benchmarks.day.traffic import DAY, HOUR, MINUTE, Batch

TICK = 10.0
"""Seconds within which the model tells no moments apart, but for what is asked for at once."""
WINDOW = 300.0
"""Seconds over which a part's busiest time is judged."""
BEAT = 2.5
"""Seconds between two beats of a process."""
STATEMENT = 0.003
"""Seconds for which a statement holds a connection of a pooler."""
VACUUMED_AT = 0.2
"""The share of a table that is dead when it is vacuumed; all of it is read for these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What the parts are able to do; assumptions, apart from the rate of commits."""

    cores: int = 16
    log_rate: float = 200e6
    """Bytes a second that the log can take."""
    disk: float = 2e12
    connections: int = 500
    """Beyond that a server spends its time on telling them apart."""
    messages: float = 4_700
    """Messages a second through one Redis, from process to process."""
    by_process: int = 2
    """Connections of a process that works: one for statements, one for its beats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What has been done to take more."""

    name: str = "one PostgreSQL, as it comes"
    drops: bool = False
    """Old pieces of tables are dropped."""
    objects: bool = False
    """Payloads lie in an object store."""
    pooled: bool = False
    """Processes share connections, each for a transaction at a time."""
    grouped: bool = False
    """Runs that are in flight in one process share commits."""
    replicas: bool = False
    """People read their pages from a copy."""
    databases: int = 1
    """Each with its own workflows or tenants, and a Redis of its own."""


class Part:
    """Something with a capacity: work a second that is done in turn, or a level that must not be exceeded."""

    def __init__(self, capacity: float, *, level: bool = False) -> None:
        self.capacity, self.level = capacity, level
        self._flow = [0.0] * int((DAY + 2 * HOUR) // TICK)
        self._bursts = [0.0] * len(self._flow)

    def ask(self, at: float, work: float, over: float = 0.0) -> None:
        """Let it do something that comes in the course of so many seconds, or hold it for as long."""
        first, ticks = int(at // TICK), max(1, math.ceil(over / TICK))
        if over < TICK:
            self._bursts[first] += work
        for tick in range(first, min(first + ticks, len(self._flow))):
            self._flow[tick] += work / ticks

    @property
    def share(self) -> float:
        """What is asked of it in its busiest five minutes, by what it is able to do."""
        many = 1 if self.level else int(WINDOW // TICK)
        sums = [sum(self._flow[first : first + many]) for first in range(0, len(self._flow), many)]
        return max(sums) / self.capacity / (1.0 if self.level else WINDOW)

    @property
    def wait(self) -> float:
        """The longest until something was done that was asked for, in seconds."""
        backlog = longest = 0.0
        for flow, burst in zip(self._flow, self._bursts, strict=True):
            longest = max(longest, backlog + burst)
            backlog = max(0.0, backlog + flow - self.capacity * TICK)
        return longest / self.capacity


class Day:
    """A day that is played once."""

    def __init__(self, costs: Costs, factor: float, setup: Setup, hardware: Hardware) -> None:
        self._costs, self._factor, self._setup, self._hardware = costs, factor, setup, hardware
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()
        self._outdated: dict[str, int] = dict.fromkeys(costs.runs, 0)
        """Runs of a month ago whose time is over: as many as come today."""
        many = setup.databases
        self.parts = {
            "processor": Part(capacity=hardware.cores * many),
            "commits": Part(capacity=costs.commit_rate * many),
            "log": Part(capacity=hardware.log_rate * many),
            "disk": Part(capacity=hardware.disk * many, level=True),
            "pruning": Part(capacity=1.0 * many),
            "vacuum": Part(capacity=1.0 * many),
            "connections": Part(capacity=hardware.connections * many, level=True),
            "messages": Part(capacity=hardware.messages * many),
        }
        self._busy: dict[int, float] = defaultdict(float)
        """Processes that are at work, by five minutes."""

    def play(self, seed: int = 1) -> Mapping[str, Part]:
        """Let the day pass; what was asked of each part."""
        for batch in traffic.arrivals(self._factor, seed):
            self._at(batch.at, lambda at, batch=batch: self._arrive(at, batch))  # type: ignore[misc]
        for minute in range(1_440):
            self._at(minute * MINUTE, self._look)
        for hour in range(1, 25):
            self._at(hour * HOUR, self._prune)
        while self._events:
            at, _, happen = heapq.heappop(self._events)
            happen(at)
        for window in range(int(DAY // WINDOW)):  # as many as the busiest five minutes need are there all day
            self._beat(window * WINDOW)
        return self.parts

    def _at(self, at: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (at, next(self._numbers), happen))

    def _arrive(self, at: float, batch: Batch) -> None:
        """Runs are handed in, worked on, and kept."""
        cost, runs = self._costs.runs[batch.kind], batch.runs
        self._outdated[batch.kind] += runs
        self._worked(at, cost, runs, batch.over)
        again = runs * traffic.retried(at)
        self._at(at + traffic.LATER, lambda late: self._worked(late, cost, again / cost.activations, MINUTE))
        payload = runs * traffic.PAYLOAD_SHARE * traffic.PAYLOAD
        self.parts["disk"].ask(0.0, traffic.KEPT_DAYS * (runs * cost.kept + (0 if self._setup.objects else payload)))
        if not self._setup.objects:
            self.parts["log"].ask(at, payload, batch.over)

    def _worked(self, at: float, cost: RunCost, runs: float, over: float) -> None:
        """What comes again costs a share of its run, and comes here too."""
        parts, busy = self.parts, runs * (cost.python + cost.activations * traffic.NODE_SECONDS)
        parts["processor"].ask(at, runs * cost.server, over)
        parts["commits"].ask(at, runs * (cost.grouped if self._setup.grouped else cost.commits), over)
        parts["log"].ask(at, runs * cost.log, over)
        parts["messages"].ask(at, runs * cost.messages, over)
        held = runs * cost.statements * STATEMENT if self._setup.pooled else busy * self._hardware.by_process
        parts["connections"].ask(at, held / WINDOW)
        self._die(at, runs * cost.dead, over)
        self._busy[int(at // WINDOW)] += busy / WINDOW

    def _beat(self, at: float) -> None:
        """Every process that is there says so, and is told of all others on its database."""
        processes = max(self._busy.values())
        others = processes / self._setup.databases
        beats = WINDOW / BEAT * processes
        self.parts["commits"].ask(at, beats, WINDOW)
        self.parts["processor"].ask(at, beats * (self._costs.beat + others * self._costs.beat_row), WINDOW)

    def _die(self, at: float, rows: float, over: float) -> None:
        seconds = rows * self._costs.vacuum / VACUUMED_AT
        self.parts["vacuum"].ask(at, seconds, over)
        self.parts["processor"].ask(at, seconds, over)

    def _look(self, at: float) -> None:
        """People look at lists and runs."""
        if self._setup.replicas:
            return
        pages = MINUTE * traffic.looks(at, self._factor)
        self.parts["processor"].ask(at, pages * (self._costs.list_page + self._costs.open_run), MINUTE)

    def _prune(self, at: float) -> None:
        """What is over by now is deleted: row by row, or but for the runs themselves as whole pieces."""
        for kind, runs in self._outdated.items():
            cost = self._costs.runs[kind]
            left = runs / max(1.0, cost.prune_dead) if self._setup.drops else float(runs)
            takes = left * cost.prune_time
            self.parts["pruning"].ask(at, takes, HOUR)
            self.parts["processor"].ask(at, left * cost.prune_server, takes)
            self.parts["log"].ask(at, left * cost.prune_log, takes)
            self._die(at, left * cost.prune_dead, takes)
            self._outdated[kind] = 0

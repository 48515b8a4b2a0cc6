"""E5: long runs: a late step costs the database, the process and the clock what an early one does.

The same steps are counted and timed early and late in a run. The node that is called again and again reads the counters
at the edges of a stretch of calls. Time is taken on two runs, one early and one late, which take turns: what disturbs
the machine disturbs both.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]  # it has no types of its own

import codemation as cm
from benchmarks import flows
from benchmarks.figures import Bar, Finding, Series
from benchmarks.stand import OURS, Stand, tell
from benchmarks.storage import log_written
from codemation.core.ids import RunId
from codemation.core.states import RunStatus
from codemation.core.workflow import Workflow
from codemation.host.default_app import default_app

_PLACE = "SELECT pg_current_wal_insert_lsn()::text"
_WRITTEN = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_PAGES = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = %s"
SAME = 1.03
"""Counters of a stretch may differ so much, for beats and vacuum are counted along."""
FLAT = 16.0
"""Mebibytes that a process may grow by between the stretches."""
TURN = 10
"""Steps that each of two runs takes before it is the other's turn."""


@dataclass(slots=True)
class _Stretch:
    """Steps of a run that are counted, from one revision to another."""

    begin: int
    end: int
    pages: int = 0
    written: int = 0
    places: list[str] = field(default_factory=list)
    """In the write-ahead log, at both edges."""
    memory: float = 0.0


class _Watch:
    """Counts stretches of calls in the only run there is."""

    def __init__(self, stand: Stand, stretches: list[_Stretch]) -> None:
        self._stand = stand
        self._edges = {one.begin: one for one in stretches} | {one.end: one for one in stretches}
        self._calls = 0

    def __call__(self, ctx: cm.Context) -> None:
        """Called at the beginning of each call."""
        self._calls += 1
        stretch = self._edges.get(self._calls)
        if stretch is not None:
            self._count(stretch, begins=self._calls == stretch.begin)

    def _count(self, stretch: _Stretch, *, begins: bool) -> None:
        tell(default_app())
        (place,), (written,), (pages,) = (
            self._stand.ask(_PLACE),
            self._stand.ask(_WRITTEN),
            self._stand.ask(_PAGES, OURS),
        )
        sign = -1 if begins else 1
        stretch.pages += sign * int(pages)
        stretch.written += sign * int(written)
        stretch.places.append(place)
        stretch.memory = psutil.Process().memory_info().rss / 2**20


class _Turns:
    """Lets two runs take turns, an early one and a late one."""

    def __init__(self, begins: dict[str, int], turns: int) -> None:
        self._begins = begins
        self._turns = turns
        self._changed = threading.Condition()
        self._arrived: set[str] = set()
        self._on = "early"
        self._calls: dict[RunId, int] = {}
        self._roles: dict[RunId, str] = {}
        self.seconds: dict[str, list[float]] = {role: [] for role in begins}
        self._began = 0.0

    def __call__(self, ctx: cm.Context) -> None:
        """Called at the beginning of each call: whose turn is over waits until the other's is."""
        now, run = time.perf_counter(), RunId(ctx.run_id)
        self._calls[run] = self._calls.get(run, 0) + 1
        role = self._roles.setdefault(run, "early" if self._roles else "late")
        taken, steps = self.seconds[role], self._calls[run] - self._begins[role]
        if steps < 0 or steps % TURN or len(taken) >= self._turns:
            return
        with self._changed:
            if steps:
                taken.append(now - self._began)
                self._on = "late" if role == "early" else "early"
            self._arrived.add(role)
            self._changed.notify_all()
            if len(taken) < self._turns:
                self._changed.wait_for(lambda: len(self._arrived) == 2 and self._on == role)
        self._began = time.perf_counter()

    def wait(self, role: str) -> None:
        """Return when a run has come to its first turn."""
        with self._changed:
            self._changed.wait_for(lambda: role in self._arrived)


def measure(stand: Stand) -> Finding:
    """A long chain, and a long loop."""
    series: list[Series] = []
    bars: list[Bar] = []
    chain, rounds = stand.effort.long_chain, stand.effort.long_loop
    works = [
        (f"chain of {chain:,}", flows.paced_chain(chain), chain),
        (f"loop of {rounds:,}", flows.paced_loop(rounds), rounds),
    ]
    for name, workflow, calls in works:
        counted, more = _measured(stand, name, workflow, calls)
        series += counted
        bars += more
    return Finding(
        name="E5",
        title="long runs, early and late steps",
        series=tuple(series),
        bars=tuple(bars),
        yardstick=series[0],
        notes=(f"Time is that of {TURN} steps each of two runs that take turns, one early and one late.",),
    )


def _measured(stand: Stand, name: str, workflow: Workflow, calls: int) -> tuple[list[Series], list[Bar]]:
    length = max(1, min(200, calls // 8))
    assert flows.paced_chain(8).run().status is RunStatus.SUCCEEDED  # what a session does once is not counted
    early, late = _stretch(length + 1, length), _stretch(calls - 2 * length, length)
    with stand.unvacuumed(), flows.paced_by(_Watch(stand, [early, late])):
        run = workflow.run()
        counters = {
            "transactions": [_per_call(one.written, one) for one in (early, late)],
            "pages": [_per_call(one.pages, one) for one in (early, late)],
            "log": [_per_call(log_written(stand, *one.places).records, one) for one in (early, late)],
        }
    assert run.status is RunStatus.SUCCEEDED
    turns = min(stand.effort.turns, max(1, calls // (4 * TURN)))
    times = _timed(workflow, {"early": length, "late": max(length, calls - turns * TURN - 1)}, turns)
    took = {
        role: Series(name=f"{name}, {TURN} {role} calls", unit="ms", values=tuple(1000 * one for one in seconds))
        for role, seconds in times.items()
    }
    slower = Series(name=f"{name}, late / early", unit="×", values=(took["late"].median / took["early"].median,))
    series = [took["early"], took["late"], slower]
    series.append(Series(name=f"{name}, read again", unit="ms", values=_opened(run.id, stand.effort.rounds)))
    series += [
        Series(name=f"{name}, {what} a call, {when}", unit="B" if what == "log" else "", values=(value,))
        for what, values in counters.items()
        for when, value in zip(("early", "late"), values, strict=True)
    ]
    bars = [
        Bar(what=f"{name}, {what} a call, late / early", figure=end / begin, limit=SAME, unit="×")
        for what, (begin, end) in counters.items()
    ]
    bars.append(Bar(what=f"{name}, time, late / early", figure=slower.median, limit=1.2, unit="×"))
    bars.append(Bar(what=f"{name}, memory grown by", figure=late.memory - early.memory, limit=FLAT, unit="MiB"))
    return series, bars


def _stretch(begin: int, length: int) -> _Stretch:
    return _Stretch(begin=begin, end=begin + length)


def _per_call(count: float, stretch: _Stretch) -> float:
    return count / (stretch.end - stretch.begin)


def _timed(workflow: Workflow, begins: dict[str, int], turns: int) -> dict[str, list[float]]:
    """Seconds of each turn of an early run and a late one."""
    turns_taken = _Turns(begins, turns)
    with flows.paced_by(turns_taken):
        late = workflow.start()
        turns_taken.wait("late")
        for run in (workflow.start(), late):
            run.wait()
    return turns_taken.seconds


def _opened(run: RunId, rounds: int) -> tuple[float, ...]:
    """Milliseconds that it takes to read the whole run again."""
    engine, taken = default_app().engine, []
    for _ in range(rounds):
        began = time.perf_counter()
        opened = engine.open(run)
        taken.append(1000 * (time.perf_counter() - began))
        assert opened.finished
    return tuple(taken)

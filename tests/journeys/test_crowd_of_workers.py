"""Faults 9 and 18 on eight workers: who owns what, what comes first, and that a cancel is the end of claims."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from codemation.core.facts import Ended, decode_delta
from codemation.core.ids import RunId
from codemation.core.launch import Launch
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from codemation.host.handles import RunHandle
from tests.adapters.fleet import Fleet, eventually, running_fleet
from tests.journeys.crowd import Turn, Witness, fork, long, notes, short
from tests.journeys.world import seeded

WORKERS = 8
RUNS = 1000
FILES = {"crowd.py": "from tests.journeys.crowd import *\n"}


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Eight workers, each a process with one slot, whichever way they were started."""
    with running_fleet(FILES, connections=200) as fleet:
        crews = [("prefork", 3), ("prefork", 3), ("solo", 1), ("threads", 1)]
        started = [(fleet.worker("-c", str(many), pool=pool), many) for pool, many in crews]
        for worker, many in started:
            worker.ready(many)
        yield fleet


@pytest.fixture(scope="module")
def witness(fleet: Fleet) -> Witness:
    """Sees who comes to own what."""
    return Witness(fleet.url)


@pytest.fixture
def app(fleet: Fleet, witness: Witness) -> Iterator[App]:
    """Hands in runs; all that was handed in is over when the test is."""
    witness.forget()
    with fleet.open() as app:
        yield app
        assert app.stores.runs.unattended() == ()
        assert all(worker.process.poll() is None for worker in fleet.workers)


def over(app: App, handles: list[RunHandle]) -> None:
    """Wait until all of them are."""
    left = {handle.id for handle in handles}
    unfinished = [status for status in RunStatus if status not in FINISHED]
    eventually(lambda: not left & {row.id for row in app.stores.runs.page(statuses=unfinished, limit=2 * RUNS)})


def test_of_a_thousand_runs_every_activation_has_one_owner_and_the_fence_of_a_ticket_only_rises(
    app: App, witness: Witness, tmp_path: Path
) -> None:
    params = Turn(ledger=tmp_path / "ledger")
    with ThreadPoolExecutor(2) as pool:
        handles = list(pool.map(lambda _: app.submit(Launch(workflow=fork, params=params)), range(RUNS)))
    over(app, handles)
    rows = {row.id: row for row in app.stores.runs.page(workflow=fork.id, limit=2 * RUNS)}
    assert [rows[handle.id].status for handle in handles] == [RunStatus.SUCCEEDED] * RUNS
    assert [app.attach(handle.id).output for handle in handles] == [[15]] * RUNS

    seen = witness.seen()
    owned = Counter((one.run, one.activation) for one in seen)
    wanted = {(handle.id, f"{node}/1") for handle in handles for node in ("first", "left", "right", "both", "last")}
    assert owned == dict.fromkeys(wanted, 1)
    assert len({one.owner for one in seen}) == WORKERS

    fences = defaultdict[int, list[int]](list)
    for one in seen:
        fences[one.ticket].append(one.fence)
    assert all(earlier < later for some in fences.values() for earlier, later in pairwise(some))

    calls = Counter((one.what, one.run, f"{one.node}/1") for one in notes(params.ledger))
    assert calls == dict.fromkeys(((what, *one) for what in ("begun", "ended") for one in wanted), 1)


def test_the_most_urgent_is_claimed_first_by_all_whatever_workflow_it_belongs_to(
    app: App, witness: Witness, tmp_path: Path
) -> None:
    brake = tmp_path / "brake"
    brake.touch()
    held, free = Turn(ledger=tmp_path / "held", brake=brake), Turn(ledger=tmp_path / "ledger")
    handles = [app.submit(Launch(workflow=short, params=held, priority=99)) for _ in range(WORKERS)]
    eventually(lambda: len(notes(held.ledger)) == WORKERS)
    asked = [(fork, 9), (fork, 0), (short, 5), (short, 1)] * 40
    seeded("urgency").shuffle(asked)
    handles += [app.submit(Launch(workflow=workflow, params=free, priority=urgency)) for workflow, urgency in asked]
    brake.unlink()
    over(app, handles)

    claims = [one for one in witness.seen() if one.activation == "first/1" and one.priority < 99]
    assert len(claims) == len(asked)
    left = Counter(one.priority for one in claims)
    for one in claims:
        more_urgent = sum(left[urgency] for urgency in left if urgency > one.priority)
        assert more_urgent < WORKERS, f"{one} came before {more_urgent} that others were not just claiming"
        left[one.priority] -= 1


def test_after_a_cancel_is_acknowledged_nothing_of_the_run_is_claimed_by_anybody(
    fleet: Fleet, app: App, witness: Witness, tmp_path: Path
) -> None:
    params = Turn(ledger=tmp_path / "ledger", pace=0.1)
    handles = [app.submit(Launch(workflow=long if at % 2 else fork, params=params)) for at in range(50)]
    acknowledged: dict[RunId, list[int]] = {}

    def cancel(canceller: App, run: RunId) -> None:
        if canceller.attach(run).status not in FINISHED:
            canceller.cancel(run, reason="enough")
            acknowledged[run] = [one.at for one in witness.seen(run)]

    with fleet.open() as other, ThreadPoolExecutor(4) as pool:
        some = seeded("cancels").sample([handle.id for handle in handles], 32)
        list(pool.map(cancel, [app, other] * 16, some))
    over(app, handles)

    ends = {handle.id: app.attach(handle.id).status for handle in handles}
    cancelled = [run for run, status in ends.items() if status is RunStatus.CANCELLED]
    assert set(cancelled) <= set(acknowledged)
    assert {ends[run] for run in ends if run not in acknowledged} <= {RunStatus.SUCCEEDED}
    assert len(cancelled) >= 10, "hardly any cancel came in time"
    for run in cancelled:
        assert [one.at for one in witness.seen(run)] == acknowledged[run]
        owned = {one.activation for one in witness.seen(run)}
        begun = Counter(f"{one.node}/1" for one in notes(params.ledger) if one.run == run and one.what == "begun")
        assert set(begun.values()) <= {1}
        assert set(begun) <= owned
        _, entries = app.stores.journal.load(run)
        facts = [fact for entry in entries for fact in decode_delta(entry.delta)]
        assert [fact.status for fact in facts if isinstance(fact, Ended)] == [RunStatus.CANCELLED]
        assert app.stores.runs.tickets(run) == ()

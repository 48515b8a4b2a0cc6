"""Workers that are killed, frozen, told to stop, cut off, or kept busy: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis import Redis

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.core.ids import TicketId
from codemation.core.launch import Launch
from codemation.core.ports import Hint
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.postgres.codes import TicketState
from tests.adapters import mill
from tests.adapters.fleet import PATIENCE, QUICK, Fleet, Worker, eventually, running_fleet

FILES = {"mill.py": "from tests.adapters.mill import *\n"}
UNFINISHED = [status for status in RunStatus if status not in FINISHED]
HELD = "SELECT count(*) FROM tickets WHERE state = %s GROUP BY owner"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running_fleet(FILES) as fleet:
        yield fleet


@pytest.fixture
def app(fleet: Fleet) -> Iterator[App]:
    with fleet.open() as app:
        yield app
        for worker in fleet.workers:
            if worker.process.poll() is None:
                worker.kill()
        app.stores.workers.bury([row.id for row in app.stores.workers.living()])  # some said that they were elsewhere
        for row in app.stores.runs.page(statuses=UNFINISHED):  # what a test has left must not keep the next one busy
            app.cancel(row.id)


class Case:
    """A run of the mill, and what its nodes have noted."""

    def __init__(self, app: App, folder: Path, workflow: cm.Workflow[Any, ...] = mill.mill, **more: Any) -> None:
        self.ledger, self.gate = folder / "ledger", folder / "gate"
        params = mill.Job(ledger=self.ledger, gate=self.gate, **more)
        self.run: RunHandle = app.submit(Launch(workflow=workflow, params=params))

    def gives(self) -> Any:
        """What comes out, in the end."""
        given = self.run.result(PATIENCE)
        return given[0] if isinstance(given, list) else given

    def calls(self, what: str) -> list[int]:
        return mill.calls(self.ledger, what)

    def reached(self, what: str, times: int = 1) -> None:
        eventually(lambda: len(self.calls(what)) >= times)


def closed(folder: Path) -> Path:
    """A gate that is shut."""
    gate = folder / "gate"
    gate.touch()
    return gate


def test_what_a_killed_worker_held_is_done_by_any_other(fleet: Fleet, app: App, tmp_path: Path) -> None:
    gate = closed(tmp_path)
    one = fleet.worker(**QUICK)
    one.ready()
    case = Case(app, tmp_path)
    case.reached("held")
    one.send(signal.SIGKILL)
    other = fleet.worker(**QUICK)
    case.reached("held", 2)
    gate.unlink()
    assert case.gives() == 3
    assert case.calls("first") == [one.process.pid]
    assert case.calls("held") == [one.process.pid, other.process.pid]


def test_a_frozen_worker_is_taken_over_and_what_it_brings_late_is_refused(
    fleet: Fleet, app: App, tmp_path: Path
) -> None:
    gate = closed(tmp_path)
    one = fleet.worker(CODEMATION_PLACE="elsewhere", **QUICK)
    one.ready()
    case = Case(app, tmp_path)
    case.reached("held")
    one.send(signal.SIGSTOP)
    other = fleet.worker(CODEMATION_PLACE="here", **QUICK)
    case.reached("held", 2)
    gate.unlink()
    assert case.gives() == 3
    revision = app.attach(case.run.id).revision
    other.kill()
    one.send(signal.SIGCONT)
    (tmp_path / "next").mkdir()
    second = Case(app, tmp_path / "next")
    assert second.gives() == 3
    assert second.calls("last") == [one.process.pid]
    assert app.attach(case.run.id).revision == revision
    assert len(case.calls("last")) == 1


def test_a_frozen_worker_of_the_same_place_is_taken_over_as_well(fleet: Fleet, app: App, tmp_path: Path) -> None:
    gate = closed(tmp_path)
    one = fleet.worker(**QUICK)
    one.ready()
    case = Case(app, tmp_path)
    case.reached("held")
    one.send(signal.SIGSTOP)
    fleet.worker(**QUICK)
    case.reached("held", 2)
    gate.unlink()
    assert case.gives() == 3


def test_who_is_let_in_begins_at_once_whoever_has_ended_the_run_before(fleet: Fleet, app: App, tmp_path: Path) -> None:
    """The worker that ends a run serves another queue than the one where the next run begins."""
    here, there = fleet.worker("--queues", "default"), fleet.worker("--queues", "there")
    here.ready()
    there.ready()
    began = time.monotonic()
    cases = [Case(app, tmp_path, mill.gated) for _ in range(5)]
    assert [case.gives() for case in cases] == [2] * 5
    took = time.monotonic() - began
    assert took < 5.0, f"{took:.1f} s"
    assert cases[0].calls("began") == [here.process.pid] * 5
    assert cases[0].calls("there") == [there.process.pid] * 5


def test_who_is_let_in_by_a_cancel_begins_at_once(fleet: Fleet, app: App, tmp_path: Path) -> None:
    gate = closed(tmp_path)
    fleet.worker("--queues", "default,there", "--concurrency", "2", pool="threads").ready()
    first, second = Case(app, tmp_path, mill.gated), Case(app, tmp_path, mill.gated)
    first.reached("began")
    assert second.run.status is RunStatus.QUEUED
    began = time.monotonic()
    app.cancel(first.run.id)
    second.reached("began", 2)
    took = time.monotonic() - began
    gate.unlink()
    assert second.gives() == 2
    assert took < 4.0, f"{took:.1f} s"


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_a_node_that_keeps_all_threads_waiting_is_not_taken_over(
    fleet: Fleet, app: App, tmp_path: Path, pool: str
) -> None:
    one = fleet.worker("-c", "1", pool=pool, CODEMATION_PLACE="elsewhere", **QUICK)
    one.ready()
    case = Case(app, tmp_path, mill.hot)
    case.reached("burning")
    other = fleet.worker(CODEMATION_PLACE="here", **QUICK)
    other.ready()
    assert case.gives() == 2
    assert len(case.calls("burning")) == 1
    assert case.calls("burning") == case.calls("burnt")


def test_a_worker_that_is_told_to_stop_brings_its_node_to_its_end(fleet: Fleet, app: App, tmp_path: Path) -> None:
    gate = closed(tmp_path)
    one = fleet.worker("--grace", "30")
    one.ready()
    case = Case(app, tmp_path)
    case.reached("held")
    one.send(signal.SIGTERM)
    eventually(lambda: "stop" in one.said)
    gate.unlink()
    assert one.ended() == 0
    assert [len(case.calls(what)) for what in ("first", "held", "last")] == [1, 1, 0]
    assert [row.state for row in app.stores.runs.tickets(case.run.id)] == ["ready"]
    fleet.worker().ready()
    assert case.gives() == 3
    assert len(case.calls("held")) == 1


@pytest.mark.parametrize("pool", ["solo", "prefork", "threads"])
def test_what_is_not_finished_in_time_is_given_back(fleet: Fleet, app: App, tmp_path: Path, pool: str) -> None:
    gate = closed(tmp_path)
    one = fleet.worker("--grace", "0.2", "-c", "1", pool=pool)
    one.ready()
    case = Case(app, tmp_path, mill.stubborn)
    case.reached("deaf")
    one.send(signal.SIGTERM)
    assert one.ended() == 0
    (row,) = app.stores.runs.tickets(case.run.id)
    assert (row.state, row.lost) == ("ready", 0)
    fleet.worker().ready()
    case.reached("deaf", 2)
    gate.unlink()
    assert case.gives() == 1


def test_a_second_signal_gives_back_at_once(fleet: Fleet, app: App, tmp_path: Path) -> None:
    closed(tmp_path)
    one = fleet.worker("--grace", "600", "-c", "1", pool="prefork")
    one.ready()
    case = Case(app, tmp_path, mill.stubborn)
    case.reached("deaf")
    one.send(signal.SIGTERM)
    eventually(lambda: "stop" in one.said)
    one.send(signal.SIGTERM)
    assert one.ended() == 0
    assert [(row.state, row.lost) for row in app.stores.runs.tickets(case.run.id)] == [("ready", 0)]


def test_without_redis_runs_are_found_in_the_table(fleet: Fleet, app: App, tmp_path: Path) -> None:
    one = fleet.worker("-c", "2", pool="prefork")
    one.ready(2)
    fleet.redis.close()
    try:
        assert Case(app, tmp_path).gives() == 3
        eventually(lambda: "does not answer" in one.said)
    finally:
        fleet.redis.start()
    (tmp_path / "next").mkdir()
    assert Case(app, tmp_path / "next").gives() == 3
    client = Redis.from_url(fleet.redis.url)
    client.flushall()
    (tmp_path / "third").mkdir()
    assert Case(app, tmp_path / "third").gives() == 3


def test_what_nobody_can_read_on_the_broker_harms_nobody(fleet: Fleet, app: App, tmp_path: Path) -> None:
    one = fleet.worker()
    one.ready()
    client = Redis.from_url(fleet.redis.url)
    good = app.fleet and app.fleet.scheduler._message  # type: ignore[attr-defined]  # a message as it is sent
    assert good is not None
    message = json.loads(good(Hint(ticket=TicketId(17)), "codemation.default"))
    for headers in ({"task": "codemation.unknown"}, {"lang": "xx"}):
        client.lpush("codemation.default", json.dumps({**message, "headers": {**message["headers"], **headers}}))
    for _ in range(10):
        client.lpush("codemation.default", json.dumps(message))
    assert Case(app, tmp_path).gives() == 3
    assert one.process.poll() is None


def test_a_worker_waits_for_a_database_that_is_away(fleet: Fleet, app: App, tmp_path: Path) -> None:
    gate = closed(tmp_path)
    one = fleet.worker("-c", "1", pool="prefork")
    one.ready()
    case = Case(app, tmp_path)
    case.reached("held")
    fleet.server.stop("immediate")
    try:
        gate.unlink()
        eventually(lambda: "the database does not answer" in one.said)
    finally:
        fleet.server.start()
    assert case.gives() == 3
    assert len(case.calls("held")) == 1


def test_a_node_that_kills_its_process_is_given_up_and_others_go_on(fleet: Fleet, app: App, tmp_path: Path) -> None:
    doom = tmp_path / "doom"
    doom.touch()
    one = fleet.worker("-c", "2", pool="prefork", **QUICK)
    one.ready(2)
    case = Case(app, tmp_path, doom=doom)
    (tmp_path / "next").mkdir()
    other = Case(app, tmp_path / "next")
    with pytest.raises(RunFailed, match=r"died|has ended"):
        case.run.wait(PATIENCE)
    assert len(case.calls("held")) == 3
    assert other.gives() == 3


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_node_that_is_deaf_to_a_cancel_is_fenced_off_and_its_process_replaced(
    fleet: Fleet, app: App, tmp_path: Path, pool: str
) -> None:
    closed(tmp_path)
    one = fleet.worker("-c", "1", pool=pool, **QUICK)
    one.ready()
    case = Case(app, tmp_path, mill.stubborn)
    case.reached("deaf")
    app.cancel(case.run.id, reason="enough")
    eventually(lambda: app.attach(case.run.id).status == RunStatus.CANCELLED)
    one.ready(2)
    (tmp_path / "next").mkdir()
    other = Case(app, tmp_path / "next")
    assert other.gives() == 3
    assert one.process.poll() is None
    assert (other.calls("last") == case.calls("deaf")) is (pool == "threads")  # which begins anew under its own number


def test_a_call_that_goes_on_after_its_time_ends_with_its_process(fleet: Fleet, app: App, tmp_path: Path) -> None:
    one = fleet.worker("-c", "1", pool="prefork")
    one.ready()
    case = Case(app, tmp_path, mill.slow)
    with pytest.raises(RunFailed, match="timeout"):
        case.run.wait(PATIENCE)
    (pid,) = case.calls("late")
    eventually(lambda: pid not in [child.pid for child in one.children])


def test_processes_are_replaced_after_so_many_tickets(fleet: Fleet, app: App, tmp_path: Path) -> None:
    one = fleet.worker("-c", "1", "--max-tasks", "2", pool="prefork")
    one.ready()
    pids = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        case = Case(app, tmp_path / str(number))
        assert case.gives() == 3
        pids += case.calls("last")
    assert len(set(pids)) >= 2
    assert "this process is replaced" in one.said


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_what_cannot_be_closed_keeps_no_process_from_being_replaced_or_ended(
    fleet: Fleet, app: App, tmp_path: Path, pool: str
) -> None:
    one = fleet.worker("-c", "1", "--max-tasks", "1", pool=pool)
    one.ready()
    case = Case(app, tmp_path, mill.fond)
    assert case.gives() == 1
    one.ready(2)
    (tmp_path / "next").mkdir()
    again = Case(app, tmp_path / "next", mill.fond)
    assert again.gives() == 1
    assert (again.calls("clung") == case.calls("clung")) is (pool == "threads")  # which begins anew under its number
    one.send(signal.SIGTERM)
    assert one.ended() == 0


@pytest.mark.parametrize("slots", [1, 3])
def test_a_worker_holds_no_more_than_it_has_slots_however_quick_its_nodes_are(
    fleet: Fleet, app: App, tmp_path: Path, slots: int
) -> None:
    cases = [Case(app, tmp_path, mill.quick) for _ in range(100)]
    fleet.worker("-c", str(slots), pool="threads")  # which is looked at from its first moment
    held, runs, deadline = list[int](), {case.run.id for case in cases}, time.monotonic() + PATIENCE
    with psycopg.connect(fleet.url, autocommit=True) as looking:

        def over() -> bool:
            for _ in range(20):
                held.extend(count for (count,) in looking.execute(HELD, [int(TicketState.RUNNING)]))
            return runs.isdisjoint(row.id for row in app.stores.runs.page(statuses=UNFINISHED))

        while not over():  # without a pause: all of it takes a second
            assert time.monotonic() < deadline
    assert [case.gives() for case in cases] == [10] * 100
    assert 0 < max(held) <= slots


def test_no_more_is_said_than_workers_could_hear(fleet: Fleet, app: App, tmp_path: Path) -> None:
    client = Redis.from_url(fleet.redis.url)
    client.delete("codemation.default")
    cases = [Case(app, tmp_path) for _ in range(40)]
    eventually(lambda: bool(client.llen("codemation.default")))
    fleet.worker("-c", "4", pool="threads").ready()
    for case in cases:
        assert case.gives() == 3
    assert client.llen("codemation.default") <= 16


def test_workers_are_listed_and_what_nobody_serves_is_told(fleet: Fleet, app: App, tmp_path: Path) -> None:
    case = Case(app, tmp_path)
    told = fleet.command("doctor")
    assert "nobody serves queue" in told.stdout
    one = fleet.worker("--name", "ann", "--queues", "default,gpu")
    one.ready()
    (row,) = [row for row in json.loads(fleet.command("workers", "list", "--json").stdout) if row["name"] == "ann"]
    assert (row["queues"], row["slots"], row["stands"], row["pid"]) == (["default", "gpu"], 1, "alive", one.process.pid)
    assert mill.mill.digest in row["digests"]
    there = sum(isinstance(one, cm.Workflow) for one in vars(mill).values())
    assert re.search(rf"ann\s.*default, gpu\s+{there}\s+\d of 1", fleet.command("workers", "list").stdout)
    assert case.gives() == 3
    for line in ("worker ann", "queues     default, gpu (one at a time)", "mill.hungry", 'database   "'):
        assert line in one.said


def test_an_ordinary_celery_worker_serves_as_well(fleet: Fleet, app: App, tmp_path: Path) -> None:
    celery = [sys.executable, "-m", "celery", "-A", "codemation.adapters.celery"]
    log = fleet.folder / "celery.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*celery, "worker", "--pool", "solo", "-n", "plain@here"],
            cwd=fleet.folder,
            env=fleet.environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    fleet.workers.append(Worker(process=process, log=log))
    assert Case(app, tmp_path).gives() == 3
    pong = subprocess.run(
        [*celery, "inspect", "ping", "-t", "10"],
        cwd=fleet.folder,
        env=fleet.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "plain@here" in pong.stdout
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def test_a_line_of_the_log_is_an_object_for_programs(fleet: Fleet, app: App, tmp_path: Path) -> None:
    one = fleet.worker("--log-format", "json")
    one.ready()
    case = Case(app, tmp_path)
    case.run.wait(PATIENCE)
    eventually(lambda: case.run.id in one.said)
    lines = [json.loads(line) for line in one.said.splitlines()]
    assert {"at", "level", "logger", "message", "pid"} <= set(lines[0])
    assert [line["message"] for line in lines if line.get("run") == case.run.id][-1] == "run succeeded"


def test_ctrl_c_leaves_the_run_to_the_fleet(fleet: Fleet, app: App, tmp_path: Path) -> None:
    gate = closed(tmp_path)
    fleet.worker().ready()
    command = [
        str(Path(sys.executable).with_name("codemation")),
        "run",
        "mill",
        "--ledger",
        str(tmp_path / "ledger"),
        "--gate",
        str(gate),
    ]
    with subprocess.Popen(
        command, cwd=fleet.folder, env=fleet.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        eventually(lambda: bool(mill.calls(tmp_path / "ledger", "held")))
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "goes on" in told
    assert "codemation runs cancel" in told
    gate.unlink()
    (row,) = app.stores.runs.page(limit=1)
    assert app.attach(row.id).result(PATIENCE) == [3]

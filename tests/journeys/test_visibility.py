"""Fault 10: a node that takes ten times longer than the broker's visibility timeout is executed once.

Our messages are forgotten by the broker when they are taken, so none comes again; where Celery is told to acknowledge
late they do come again, to no effect.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from kombu.connection import Connection
from redis import Redis

from codemation.core.launch import Launch
from codemation.host.app import App
from codemation.host.handles import RunHandle
from tests.adapters import mill
from tests.adapters.fleet import Fleet, Worker, eventually, running_fleet

TIMEOUT = 0.4
"""Seconds after which the broker gives a message that nobody has acknowledged to somebody else."""
AS_IT_IS = f"""
from codemation.adapters.celery.application import default_application

app = default_application()
app.conf.broker_transport_options = {{**app.conf.broker_transport_options, "visibility_timeout": {TIMEOUT}}}
"""
LATE = f"""{AS_IT_IS}
app.conf.broker_transport_options["ack_emulation"] = True
app.tasks["codemation.work"].acks_late = True
"""


def worker(fleet: Fleet, application: str) -> Worker:
    """An ordinary Celery worker of an application in the fleet's folder."""
    log = fleet.folder / f"{application}-{len(fleet.workers)}.log"
    with log.open("wb") as said:
        celery = [sys.executable, "-m", "celery", "-A", application, "worker"]
        process = subprocess.Popen(
            [*celery, "--pool", "prefork", "-c", "1", "-l", "INFO", "-n", log.stem],
            cwd=fleet.folder,
            env=fleet.environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    fleet.workers.append(Worker(process=process, log=log))
    return fleet.workers[-1]


def given_again(fleet: Fleet, seconds: float) -> int:
    """Give away, for so long, what is not acknowledged in time, as every consumer does now and then; how many."""
    again, over = 0, time.monotonic() + seconds
    with Connection(fleet.redis.url, transport_options={"visibility_timeout": TIMEOUT}) as connection:
        channel = connection.channel()
        while time.monotonic() < over:
            again += len(channel.client.zrangebyscore("unacked_index", 0, time.time() - TIMEOUT))
            channel.qos.restore_visible(interval=1)
            time.sleep(TIMEOUT / 4)
    return again


def begun_by_a_message(fleet: Fleet, app: App, folder: Path) -> tuple[RunHandle, mill.Job]:
    """A run whose node is under way because a message came, and not because somebody has looked by himself."""
    for number in range(10):
        job = mill.Job(ledger=folder / f"ledger {number}", gate=folder / f"gate {number}")
        job.gate.touch()
        handle = app.submit(Launch(workflow=mill.mill, params=job))
        eventually(lambda ledger=job.ledger: len(mill.calls(ledger, "held")) == 1)  # type: ignore[misc]
        with Redis.from_url(fleet.redis.url) as client:
            if client.hlen("unacked"):
                return handle, job
        job.gate.unlink()
        handle.wait(60)
    raise AssertionError("no message has led to anything")


def once(handle: RunHandle, job: mill.Job) -> None:
    """Let a run come to its end, and see that nothing was done twice."""
    job.gate.unlink()
    assert handle.result(60) == [3]
    assert [len(mill.calls(job.ledger, what)) for what in ("first", "held", "last")] == [1, 1, 1]


@pytest.mark.parametrize("late", [False, True], ids=["as it is", "acknowledged late"])
def test_a_node_that_takes_longer_than_the_visibility_timeout_is_executed_once(late: bool, tmp_path: Path) -> None:
    job = mill.Job(ledger=tmp_path / "ledger", gate=tmp_path / "gate")
    job.gate.touch()
    with running_fleet({"mill.py": "from tests.adapters.mill import *\n"}) as fleet, fleet.open() as app:
        (fleet.folder / "tardy.py").write_text(LATE if late else AS_IT_IS)
        one, other = worker(fleet, "tardy"), worker(fleet, "tardy")
        one.ready()
        other.ready()
        if late:
            handle, job = begun_by_a_message(fleet, app, tmp_path)
        else:
            handle = app.submit(Launch(workflow=mill.mill, params=job))
            eventually(lambda: len(mill.calls(job.ledger, "held")) == 1)
        again = given_again(fleet, 10 * TIMEOUT)
        assert (again > 0) is late, "the broker gives again what was not acknowledged, and that alone"
        once(handle, job)
        assert app.stores.runs.unattended() == ()

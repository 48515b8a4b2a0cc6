"""Fault 10: a node that takes ten times longer than the broker's visibility timeout is executed once."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from kombu.connection import Connection

from codemation.core.launch import Launch
from tests.adapters import mill
from tests.adapters.fleet import Fleet, Worker, eventually, running_fleet

TIMEOUT = 0.4
"""Seconds after which the broker gives a message that nobody has acknowledged to somebody else."""
APPLICATION = f"""
from codemation.adapters.celery.application import default_application

app = default_application()
app.conf.task_acks_late = {{late}}
app.conf.broker_transport_options = {{{{**app.conf.broker_transport_options, "visibility_timeout": {TIMEOUT}}}}}
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


@pytest.mark.parametrize("late", [False, True], ids=["as it is", "acknowledged late"])
def test_a_node_that_takes_longer_than_the_visibility_timeout_is_executed_once(late: bool, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    with running_fleet({"mill.py": "from tests.adapters.mill import *\n"}) as fleet, fleet.open() as app:
        (fleet.folder / "tardy.py").write_text(APPLICATION.format(late=late))
        one, other = worker(fleet, "tardy"), worker(fleet, "tardy")
        one.ready()
        other.ready()
        handle = app.submit(Launch(workflow=mill.mill, params=mill.Job(ledger=tmp_path / "ledger", gate=gate)))
        eventually(lambda: len(mill.calls(tmp_path / "ledger", "held")) == 1)
        again = given_again(fleet, 10 * TIMEOUT)
        assert (again > 0) is late, "the broker gives again what was not acknowledged, and that alone"
        gate.unlink()
        assert handle.result(60) == [3]
        assert [len(mill.calls(tmp_path / "ledger", what)) for what in ("first", "held", "last")] == [1, 1, 1]
        assert app.stores.runs.unattended() == ()

"""The tutorial that leads to a fleet, typed as it stands there beside the rehearsal that it asks for."""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path

from tests.docs.test_tour import blocks, commands, typed
from tests.host.postgres.embedded.world import SHORT
from tests.journeys.commands import command
from tests.journeys.test_dev import Session, until

PAGE = "docs/tutorials/to-production.md"


def test_the_way_to_production_is_as_the_tutorial_says() -> None:
    root = Path(tempfile.mkdtemp(prefix="way-", dir=SHORT))
    (root / "workflows").mkdir()
    (root / "workflows" / "readings.py").write_text(blocks(PAGE, "python")[0])
    workers, seen, armed, released = (commands(block) for block in blocks(PAGE, "console"))
    with command(root, "dev", "--production", "--port", "0") as process:
        session = Session(root, process)
        try:
            for name in ("worker-1", "worker-2"):
                session.hear(rf"{name} .*ready for database")
            for one in workers:
                typed(one, root)
            run = session.ask("/workflows/weather.readings/runs", {"params": {"stations": 8}})["id"]
            until(
                lambda: session.ask(f"/runs/{run}")["status"] == "succeeded", lambda: str(session.ask(f"/runs/{run}"))
            )
            for one in (*seen, *armed, *released):
                typed(one, root)
            session.hear(r"worker-\d .*counts")
            process.send_signal(signal.SIGINT)
            session.hear("^stopped")
        finally:
            process.kill()
    shutil.rmtree(root, ignore_errors=True)

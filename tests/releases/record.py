"""Record what a release leaves in a database, once for each release: `python -m tests.releases.record`.

Do it in a copy of the tree whose path may be read by everybody, such as `/srv/app`: tracebacks name files.

Four runs of the shop: one that has succeeded, one that has failed, one that was cancelled, and one that was left while
it waited to be gone on with. The dump is kept in a folder with the name of the release and never made again.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import psycopg

import codemation
from codemation.core.errors import RunFailed
from codemation.core.launch import Launch
from codemation.host.app import App
from codemation.host.settings import Settings
from tests.host.postgres.server import programs, running_server
from tests.releases.shop import Wish, shop

HERE = Path(__file__).parent


def leave_runs(url: str, folder: Path) -> None:
    """Work on the four runs, each as far as it is to come."""
    stop = folder / "stop"
    with App.open(Settings(folder, {"database_url": url}, {})) as app:
        app.launch(Launch(workflow=shop, params=Wish(), key="succeeded")).wait()
        stop.touch()
        with suppress(RunFailed):
            app.launch(Launch(workflow=shop, params=Wish(doom=stop), key="failed")).wait()
        doomed = app.launch(Launch(workflow=shop, params=Wish(brake=stop), key="cancelled"))
        doomed.serve()
        until_delivering(app, doomed.id)
        doomed.cancel()
        left = app.launch(Launch(workflow=shop, params=Wish(brake=stop), key="left"))
        left.serve()
        until_delivering(app, left.id)
    stop.unlink()


def until_delivering(app: App, run: str) -> None:
    """Wait until a run has come to its last node."""
    waiter = threading.Event()
    while app.attach(run)["bulky"].status != "succeeded":  # type: ignore[arg-type]
        waiter.wait(0.02)


def main() -> None:
    """Record this release."""
    target = HERE / codemation.__version__ / "database.sql"
    if target.exists():
        sys.exit(f"{target} is there already, and stays as it is")
    with running_server() as server, server.database("left") as url, tempfile.TemporaryDirectory() as folder:
        leave_runs(url, Path(folder))
        with psycopg.connect(url, autocommit=True) as connection:  # the machine does not matter
            connection.execute("UPDATE workers SET name = 'recorder', place = 'elsewhere'")
        dumped = subprocess.run(
            [programs() / "pg_dump", "--inserts", "--no-owner", "--no-privileges", url],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
        )
    target.parent.mkdir()
    lines = [line for line in dumped.stdout.splitlines() if not line.startswith("\\")]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

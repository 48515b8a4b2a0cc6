"""An app of its own, and web servers in processes of their own in front of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from click.testing import Result

from tests.cli.shop import HIDDEN, Shop
from tests.host.postgres.embedded.world import PATIENCE, REPOSITORY, temporary_project

FINISHED = ("succeeded", "failed", "cancelled")


@dataclass(slots=True)
class Web:
    """A running web server."""

    process: subprocess.Popen[str]
    url: str
    said: list[str]
    token: str = ""
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE)

    def get(self, path: str, **given: Any) -> httpx.Response:
        return self.client.get(f"/api/v1{path}", **given)

    def post(self, path: str, json: Any = None, **given: Any) -> httpx.Response:
        return self.client.post(f"/api/v1{path}", json=json if json is not None or given else {}, **given)

    def start(self, workflow: str, **given: Any) -> str:
        """Start a run; gives its id."""
        answer = self.post(f"/workflows/{workflow}/runs", given)
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])

    def ended(self, run: str, *statuses: str) -> dict[str, Any]:
        """The run, when it stands so, or is over."""
        wanted = statuses or FINISHED
        return await_that(lambda: shown if (shown := self.get(f"/runs/{run}").json())["status"] in wanted else None)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE)


def await_that(look: Callable[[], Any]) -> Any:
    """What `look` gives, as soon as it is something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come about in time")


@dataclass(slots=True)
class Site:
    """The folder of an app, whose database runs."""

    folder: Path
    environment: dict[str, str]

    def codemation(self, *words: str) -> Result:
        """Carry out a command, in this process."""
        return Shop(folder=self.folder).codemation(*words)

    def refused(self, *words: str) -> str:
        """What a server says that does not come up."""
        program = "from codemation.cli.main import main; main()"
        ended = subprocess.run(
            [sys.executable, "-c", program, "serve", "web", *words],
            cwd=self.folder,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 3, ended.stderr
        return ended.stderr

    @contextmanager
    def web(self, *options: str, token: str = "", **settings: str) -> Iterator[Web]:
        """A web server in a process of its own, until the block ends."""
        program = "from codemation.cli.main import main; main()"
        port = () if "--port" in options else ("--port", "0")
        process = subprocess.Popen(
            [sys.executable, "-c", program, "serve", "web", *port, *options],
            cwd=self.folder,
            env={**self.environment, **settings},
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        said: list[str] = []
        reader = None
        try:
            url = _url(process, said)
            reader = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
            reader.start()
            web = Web(process, url, said, token)
            with web.client:
                yield web
        finally:
            process.terminate()
            try:
                process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if reader is not None:
                reader.join()
            if process.stderr is not None:
                process.stderr.close()


def _url(process: subprocess.Popen[str], said: list[str]) -> str:
    """Where the server says that it listens."""
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"listening at (http://[^ /]+\S*)", line):
            return found[1]
    raise AssertionError("".join(said))


@contextmanager
def open_site(**files: str) -> Iterator[Site]:
    """An app with these files of workflows, whose database runs until the block ends."""
    with temporary_project() as project:
        workflows = project.folder / "workflows"
        workflows.mkdir()
        for name, source in files.items():
            (workflows / f"{name}.py").write_text(source)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
        environment |= {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
        with project.open():
            yield Site(project.folder, environment)

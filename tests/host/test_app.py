"""Apps: opened once where they are needed, closed once and for all, and one run for one key whoever starts it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import codemation as cm
from codemation.core.errors import HostError, InputError, RunError, StoreUnavailable
from codemation.core.launch import Launch
from codemation.core.ports import Stores
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.catalog import load_file
from codemation.host.default_app import close_default_apps, default_app
from codemation.host.handles import RunHandle
from codemation.host.memory import memory_stores
from codemation.host.settings import ConfigError
from tests.host.postgres.server import Server, running_server
from tests.host.runtime.conftest import PATIENCE, opened

_numbers = count(1)


class Params(cm.Params):
    by: int = 2


@cm.node
def load() -> list[int]:
    return [1, 2, 3]


@cm.node
def scale(number: int, by: int) -> int:
    return number * by


SCALED = cm.workflow("scaled", params=Params).then(load).then(scale, by=Params.by).build()


@pytest.fixture
def other(stores: Stores, tmp_path: Path) -> Iterator[App]:
    """Another process with the same database, as far as anybody can see from there."""
    with opened(stores, tmp_path) as app:
        yield app


def _launch(app: App, workflow: Workflow[Any, ...] = SCALED, key: str | None = None, **params: Any) -> RunHandle:
    model = workflow.params
    return app.launch(Launch(workflow=workflow, key=key, params=model(**params) if model else None))


def test_starting_twice_with_one_key_gives_the_same_run(app: App, other: App) -> None:
    first = _launch(app, key="monday")
    assert first.result() == [2, 4, 6]
    for again in (_launch(app, key="monday"), _launch(other, key="monday")):
        assert (again.id, again.revision, again.result()) == (first.id, first.revision, [2, 4, 6])
    assert _launch(other, key="tuesday").id != first.id
    assert _launch(app).id != _launch(app).id


def test_one_key_with_other_params_is_refused(app: App, other: App) -> None:
    first = _launch(app, key="monday")
    for where in (app, other):
        with pytest.raises(InputError, match="monday"):
            _launch(where, key="monday", by=3)
    assert first.result() == [2, 4, 6]


def test_a_keyed_run_that_failed_is_raised_again_and_not_begun_anew(app: App, other: App) -> None:
    @cm.node
    def fail() -> int:
        raise ValueError("no")

    workflow = cm.workflow("failing").then(fail).build()
    for where in (app, other):
        with pytest.raises(cm.RunFailed, match="no"):
            _launch(where, workflow, key="monday").wait()
    assert app.last is not None
    assert other.last is not None
    assert (other.last.id, other.last.revision) == (app.last.id, app.last.revision)


def test_a_keyed_run_that_another_process_works_on_is_waited_for(app: App, other: App) -> None:
    calls: list[int] = []
    reached, go = threading.Event(), threading.Event()

    @cm.node
    def gate() -> int:
        calls.append(1)
        reached.set()
        assert go.wait(PATIENCE)
        return 7

    workflow = cm.workflow("gated").then(gate).build()
    first = _launch(app, workflow, key="monday").serve()
    assert reached.wait(PATIENCE)
    joined, beside = _launch(other, workflow, key="monday"), _launch(app, workflow, key="monday")
    go.set()
    assert [run.result(timeout=PATIENCE) for run in (joined, beside, first)] == [7, 7, 7]
    assert len(calls) == 1


def test_a_keyed_run_that_was_left_alone_is_gone_on_with(stores: Stores, other: App, tmp_path: Path) -> None:
    with opened(stores, tmp_path) as app:
        first = _launch(app, key="monday")
    again = _launch(other, key="monday")
    assert (again.id, again.result()) == (first.id, [2, 4, 6])


def test_closing_hands_back_what_is_under_way(stores: Stores, other: App, tmp_path: Path) -> None:
    with opened(stores, tmp_path) as app:
        handle = _launch(app)
    assert stores.workers.living() == ()
    assert other.resume(handle.id, SCALED).result() == [2, 4, 6]


def test_an_app_is_closed_once_and_works_on_nothing_afterwards(stores: Stores, tmp_path: Path) -> None:
    closed: list[str] = []
    app = opened(stores, tmp_path)
    app.backend = replace(app.backend, close=lambda: closed.append("backend"))
    done = _launch(app)
    done.wait()
    app.close()
    app.close()
    assert closed == ["backend"]
    with pytest.raises(HostError, match="this app is closed"):
        _launch(app)
    with pytest.raises(HostError, match="this app is closed"):
        app.resume(done.id, SCALED)
    assert done.output == [2, 4, 6]


class Away:
    """A port of a database that can go away."""

    def __init__(self, port: Any, gone: threading.Event) -> None:
        self._port, self._gone = port, gone

    def __getattr__(self, name: str) -> Any:
        if self._gone.is_set():
            raise StoreUnavailable("nobody listens")
        return getattr(self._port, name)


def test_closing_waits_for_no_database_that_is_away(tmp_path: Path) -> None:
    gone, stores = threading.Event(), memory_stores()
    reached = {name: Away(getattr(stores, name), gone) for name in ("journal", "tickets", "workers", "runs", "logs")}
    app = opened(replace(stores, **reached), tmp_path)
    handle = _launch(app)
    gone.set()
    app.close()
    gone.clear()
    busy = "is being worked on by process"  # its pid lives, as this process does
    with opened(stores, tmp_path) as after, pytest.raises(RunError, match=busy):
        after.resume(handle.id, SCALED)


def test_a_run_is_resumed_by_the_process_that_works_on_it_without_a_second_worker(app: App) -> None:
    handle = _launch(app)
    again = app.resume(handle.id, SCALED)
    assert again.watched is handle.watched
    assert (again.result(), handle.result()) == ([2, 4, 6], [2, 4, 6])


def test_listeners_are_told_of_every_revision_in_order(app: App) -> None:
    told: list[tuple[str, int, tuple[str, ...]]] = []
    app.listeners.append(lambda run, revision, events: told.append((run, revision, tuple(e.kind for e in events))))
    handle = _launch(app)
    handle.wait()
    assert [(run, revision) for run, revision, _ in told] == [(handle.id, at) for at in (1, 2, 3)]
    assert told[0][2][0] == "run_started"
    assert told[-1][2][-1] == "run_succeeded"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def database(server: Server) -> Iterator[Callable[[], str]]:
    """Gives the URL of a new database each time it is asked."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(server.database(f"app_{next(_numbers)}"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Callable[[], str]) -> Iterator[Path]:
    """The folder of an app whose database is set in the environment; the current folder."""
    for name in [name for name in os.environ if name.startswith("CODEMATION_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", database())
    (tmp_path / "app" / "notebooks").mkdir(parents=True)
    (tmp_path / "app" / "pyproject.toml").write_text("[tool.codemation]\nthreads = 2\n")
    monkeypatch.chdir(tmp_path / "app")
    yield tmp_path / "app"
    close_default_apps()


def test_a_workflow_runs_in_the_app_of_the_current_folder(folder: Path) -> None:
    run = SCALED.run(by=5)
    assert (run.output, run[scale].items) == ([5, 10, 15], [5, 10, 15])
    assert default_app().settings.root == folder
    assert cm.last_run() is default_app().last
    with pytest.raises(InputError):
        SCALED.run(by="many")  # type: ignore[arg-type]
    assert SCALED.start(by=3).result(timeout=PATIENCE) == [3, 6, 9]


def test_there_is_one_app_for_each_folder_and_each_database(
    folder: Path, database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = default_app()
    assert default_app() is first
    monkeypatch.chdir(folder / "notebooks")
    assert default_app() is first
    monkeypatch.setenv("CODEMATION_DATABASE_URL", database())
    second = default_app()
    assert second is not first
    assert second.stores is not first.stores
    monkeypatch.delenv("CODEMATION_DATABASE_URL")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert default_app().settings.root == tmp_path / "elsewhere"
    assert default_app({"DATABASE_URL": database()}) not in (first, second, default_app())


def test_a_default_app_that_was_closed_is_opened_anew(folder: Path) -> None:
    first = default_app()
    first.close()
    assert SCALED.run().output == [2, 4, 6]
    second = default_app()
    close_default_apps()
    assert (first.closed, second.closed) == (True, True)
    close_default_apps()
    assert default_app() not in (first, second)


def test_a_default_app_with_wrong_settings_is_refused_and_tried_again(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.codemation]\nthreads = 0\n")
    with pytest.raises(ConfigError):
        SCALED.run()
    (folder / "pyproject.toml").write_text("[tool.codemation]\nthreads = 1\n")
    assert SCALED.run().output == [2, 4, 6]


def test_the_last_run_is_that_of_the_process_wherever_it_stands_now(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SCALED.run()
    monkeypatch.chdir("/")
    last = cm.last_run()
    assert last is not None
    assert (last.id, last.status) == (run.id, "succeeded")


def test_many_runs_are_awaited_inside_a_running_loop(folder: Path) -> None:
    @cm.node
    async def slowly(number: int) -> int:
        await asyncio.sleep(0.01)
        return -number

    workflow = cm.workflow("slow", params=Params).then(load).then(scale, by=Params.by).then(slowly).build()

    async def all_of_them() -> list[Any]:
        beats = 0
        runs = asyncio.gather(*(workflow.arun(by=by) for by in range(8)))
        while not runs.done():
            await asyncio.sleep(0.001)
            beats += 1
        assert beats > 1
        return [run.output for run in await runs]

    assert asyncio.run(all_of_them()) == [[-by, -2 * by, -3 * by] for by in range(8)]


def test_a_failed_run_is_raised_to_whoever_awaits_it(folder: Path) -> None:
    @cm.node
    def fail(number: int) -> int:
        raise ValueError("no")

    with pytest.raises(cm.RunFailed, match="no") as raised:
        asyncio.run(cm.workflow("x").then(load).then(fail).build().arun())
    assert isinstance(raised.value.__cause__, ValueError)
    last = cm.last_run()
    assert last is not None
    assert last.status == "failed"


HEAD = """\
import os, signal, sys
from pathlib import Path
import codemation as cm
from codemation.host.default_app import default_app

@cm.node
def load() -> list[int]:
    return [1, 2, 3]

@cm.node
def total(numbers: list[int]) -> int:
    if not Path("marker").exists():
        Path("marker").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return sum(numbers)

plain = cm.workflow("plain").then(load).build()
deadly = cm.workflow("deadly").then(load).then(total).build()
"""


def _process(folder: Path, lines: str) -> subprocess.CompletedProcess[str]:
    """What a process of its own says, in the folder of the app."""
    script = folder / "script.py"
    script.write_text(
        f'{HEAD}\nif __name__ == "__main__":\n' + "".join(f"    {line}\n" for line in dedent(lines).splitlines())
    )
    path = os.pathsep.join([str(Path(cm.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_last_run_of_a_process_that_ran_nothing_opens_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    done = _process(folder, "print(cm.last_run())")
    assert (done.stdout, done.stderr) == ("None\n", "")
    assert not (folder / ".codemation").exists()


def test_an_app_is_closed_when_its_process_ends(folder: Path) -> None:
    done = _process(folder, "print(plain.start().result())\nsys.exit(3)")
    assert (done.returncode, done.stdout, done.stderr) == (3, "[1, 2, 3]\n", "")
    assert default_app().stores.workers.living() == ()


def test_a_forked_child_has_an_app_of_its_own_and_leaves_its_parents_alone(folder: Path) -> None:
    done = _process(
        folder,
        """
        before = plain.run()
        parent = default_app()
        child = os.fork()
        if not child:
            assert cm.last_run() is None
            assert plain.run().output == [1, 2, 3]
            assert default_app() is not parent
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert default_app() is parent
        assert not parent.closed
        print(before.output, plain.run().output, before["load"].items)
        """,
    )
    assert (done.stdout, done.stderr) == ("[1, 2, 3] [1, 2, 3] [1, 2, 3]\n", "")
    assert default_app().stores.workers.living() == ()


def test_a_fork_while_an_app_is_being_opened_does_not_stop_the_child(folder: Path) -> None:
    done = _process(
        folder,
        """
        import threading
        from codemation.host import default_app as module
        with module._apps.guard:
            child = os.fork()
            if not child:
                print(plain.run().output, flush=True)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        """,
    )
    assert (done.stdout, done.stderr) == ("[1, 2, 3]\n", "")


def test_a_keyed_run_whose_process_was_killed_is_finished_by_the_next_start(folder: Path) -> None:
    killed = _process(folder, 'deadly.options(key="monday").run()')
    assert (killed.returncode, killed.stderr) == (-9, "")
    workflow = load_file(folder / "script.py").workflows["deadly"].workflow
    run = workflow.options(key="monday").run()
    assert (run.output, run["load"].attempts) == (6, 1)
    assert workflow.options(key="monday").run().id == run.id

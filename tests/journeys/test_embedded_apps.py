"""Fault 5, through the app: whatever befalls the embedded database, runs go on or are refused clearly."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import suppress

import psutil
import pytest

import codemation as cm
from codemation.core.errors import HostError, RunFailed
from codemation.core.launch import Launch
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.postgres.embedded.account import identity
from tests.host.postgres.embedded.test_refusals import fill, mounted, needs_root
from tests.host.postgres.embedded.world import eventually
from tests.journeys.world import World


def pull_the_plug(world: World) -> None:
    """Kill the server, its watchdog and everything that they have started, at one blow."""
    postmaster = world.project.postmaster
    assert postmaster is not None
    server = psutil.Process(postmaster)
    for process in [*world.project.watchdogs(), server, *server.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def finished(world: World, app: App) -> None:
    """One more run, to its end."""
    world.finish(app, world.work(), world.key())


def test_after_the_whole_tree_was_killed_the_next_process_goes_on(world: World) -> None:
    key, work = world.key(), world.work(pace=0.1)
    driver = world.start(work, key)
    world.until_effects(3)
    driver.kill()
    pull_the_plug(world)
    eventually(world.project.at_rest)
    with world.open() as app:
        world.finish(app, work, key)


def test_a_driver_that_lives_on_brings_the_whole_tree_back(world: World) -> None:
    key, work = world.key(), world.work(pace=0.1)
    driver = world.start(work, key)
    world.until_effects(3)
    pull_the_plug(world)
    driver.wait()
    assert driver.told("ended"), driver.said()
    with world.open() as app:
        world.finish(app, work, key)
        assert len(world.project.servers()) == 1
        assert len(world.project.watchdogs()) == 1


def test_a_pid_file_that_names_another_program_by_now_stops_nobody(world: World) -> None:
    key, work = world.key(), world.work(pace=0.1)
    driver = world.start(work, key)
    world.until_effects(3)
    driver.kill()
    pull_the_plug(world)
    eventually(world.project.at_rest)
    home = world.project.home
    with subprocess.Popen(["/bin/sleep", "600"], **identity(home.account)) as innocent:
        try:
            stale = home.data / "postmaster.pid"
            _, *rest = stale.read_text().splitlines()
            stale.write_text("\n".join([str(innocent.pid), *rest, ""]))
            with world.open() as app:
                world.finish(app, work, key)
            assert innocent.poll() is None
        finally:
            innocent.kill()


def test_processes_that_meet_in_an_empty_directory_share_one_server(world: World) -> None:
    work = world.work()
    keys = [world.key() for _ in range(6)]
    drivers = [world.start(work, *keys[at : at + 2]) for at in (0, 2, 4)]
    for driver in drivers:
        driver.wait()
        assert len(driver.told("ended")) == 2, driver.said()
    with world.open() as app:
        world.finish(app, work, *keys)
        assert len(world.project.servers()) == 1


def test_a_directory_of_another_version_is_refused_and_left_as_it_is(world: World) -> None:
    with world.open() as app:
        finished(world, app)
    eventually(world.project.at_rest)
    version = world.project.home.data / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(HostError, match="was written by PostgreSQL 16") as refused:
        world.open()
    assert "move it away" in refused.value.way_out
    assert "CODEMATION_DATABASE_URL" in refused.value.way_out
    version.write_text("18\n")
    with world.open() as app:
        (row,) = app.stores.runs.page()
        assert row.status is RunStatus.SUCCEEDED
        finished(world, app)


@needs_root
def test_a_read_only_directory_is_refused_and_nothing_is_lost(world: World) -> None:
    state = world.project.directory
    state.mkdir()
    with mounted(state, "size=200m,mode=755"):
        with world.open() as app:
            finished(world, app)
        eventually(world.project.at_rest)
        subprocess.run(["mount", "-o", "remount,ro", os.fspath(state)], check=True)
        with pytest.raises(HostError, match=f"{state}.*Read-only") as refused:
            world.open()
        assert refused.value.way_out
        subprocess.run(["mount", "-o", "remount,rw", os.fspath(state)], check=True)
        with world.open() as app:
            assert len(app.stores.runs.page()) == 1
            finished(world, app)
        eventually(world.project.at_rest)


class Volume(cm.Params):
    """How much a run writes."""

    size: int


@cm.node
def produce(params: Volume) -> list[bytes]:
    return [os.urandom(params.size)]


@cm.node
def measure(pieces: list[bytes]) -> int:
    return sum(map(len, pieces))


bulk = cm.workflow("journeys.bulk", params=Volume).then(produce).then(measure).build()


def test_a_payload_directory_without_room_fails_the_node_and_the_run_goes_on_with_room(world: World) -> None:
    if os.geteuid():
        pytest.skip("only root can mount a file system")
    store = world.root / "payloads"
    with mounted(store, "size=3m,mode=700"), world.open(payloads="directory", payload_directory=store) as app:
        before = app.launch(Launch(workflow=bulk, params=Volume(size=2_000_000)))
        before.wait()
        filling = store / "filling"
        fill(filling)
        handle = app.launch(Launch(workflow=bulk, params=Volume(size=2_000_001)))
        with pytest.raises(RunFailed, match=f"no space is left for {store}") as failed:
            handle.wait()
        assert 'failed at "produce"' in str(failed.value)
        assert "codemation runs resume" in failed.value.way_out
        assert handle["produce"].status == "failed"
        filling.unlink()
        subprocess.run(["mount", "-o", "remount,size=30m", os.fspath(store)], check=True)
        again = app.resume(handle.id, bulk)
        again.wait()
        assert again.output == 2_000_001
        assert (before.output, len(before["produce"].items[0])) == (2_000_000, 2_000_000)
        assert app.stores.runs.unattended() == ()
        assert not list((store / "incoming").iterdir())


def test_a_limit_for_files_counts_as_a_full_payload_directory(world: World) -> None:
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from tests.journeys.test_embedded_apps import App, Launch, RunFailed, Volume, bulk\n"
        "from tests.journeys.driver import settings_of\n"
        "from pathlib import Path; import sys\n"
        "app = App.open(settings_of(Path(sys.argv[1]), None, payloads='directory'))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))\n"
        "handle = app.launch(Launch(workflow=bulk, params=Volume(size=2_000_000)))\n"
        "try:\n    handle.wait()\nexcept RunFailed as error:\n    print(error, flush=True)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "again = app.resume(handle.id, bulk); again.wait(); print(again.output); app.close()\n"
    )
    said = world.python(code)
    assert "no space is left for" in said
    assert said.endswith("2000000\n")


@needs_root
def test_a_database_without_room_records_nothing_by_halves_and_goes_on_with_room(world: World) -> None:
    state = world.project.directory
    state.mkdir()
    with mounted(state, "size=240m,mode=755"):
        with world.open(patience=2.0) as app:
            before = app.launch(Launch(workflow=bulk, params=Volume(size=2_000_000)))
            before.wait()
            filling = state / "filling"
            fill(filling)
            os.truncate(filling, filling.stat().st_size - 20_000_000)
            handle = app.launch(Launch(workflow=bulk, params=Volume(size=40_000_000)))
            with pytest.raises((HostError, RunFailed), match=r"[Nn]o space|no room") as caught:
                handle.wait()
            assert re.search(r"→ .*[Ff]ree |codemation runs resume", str(caught.value))
            filling.unlink()
            subprocess.run(["mount", "-o", "remount,size=500m", os.fspath(state)], check=True)
            assert app.attach(handle.id)["produce"].status != "succeeded"
            again = app.resume(handle.id, bulk)
            again.wait()
            assert again.output == 40_000_000
        with world.open() as app:
            assert [app.attach(run).output for run in (before.id, handle.id)] == [[2_000_000], [40_000_000]]
            assert app.stores.runs.unattended() == ()
        eventually(world.project.at_rest)


@needs_root
def test_a_database_that_loses_its_room_in_the_middle_lets_go_of_what_it_held(world: World) -> None:
    state = world.project.directory
    state.mkdir()
    with mounted(state, "size=240m,mode=755"):
        filling, key, work = state / "filling", world.key(), world.work(size=6, pace=0.05)
        with world.open() as app, world.braked() as brake:
            work = world.work(brake=brake, lift=2)
            driver = world.start(work, key, patience=2.0)
            world.until_effects(4)
            fill(filling)
            brake.unlink()
            driver.wait()
            assert driver.told("over"), driver.said()
            filling.unlink()
            world.finish(app, work, key)
        eventually(world.project.at_rest)

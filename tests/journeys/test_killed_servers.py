"""Fault 4: the database is killed, for a moment and again and again, while runs go on."""

from __future__ import annotations

import fcntl
import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import codemation as cm
from codemation.core.launch import Launch
from codemation.host.postgres.embedded import watchdog
from codemation.host.postgres.embedded.locks import open_lock
from tests.host.postgres.server import Server, running_server
from tests.journeys.world import Driver, World, seeded, temporary_world, within

AWAY = 1.0
"""Seconds for which the database is away."""


@contextmanager
def held_down(world: World) -> Iterator[None]:
    """Kill the embedded server, and let nobody start it again while this lasts."""
    home = world.project.home
    start = open_lock(home.lock("start"))
    try:
        fcntl.flock(start, fcntl.LOCK_EX)
        process = watchdog.postmaster(os.fspath(home.data))
        if process is not None:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        yield
    finally:
        os.close(start)


def consumed(driver: Driver) -> float:
    """Seconds of processor time that a process has used."""
    times = driver.process.cpu_times()
    return float(times.user + times.system)


def beats(world: World) -> dict[int, int]:
    """How often each living process has said that it lives."""
    with world.open() as app:
        return {worker.pid: worker.beat for worker in app.stores.workers.living()}


def test_runs_go_on_after_the_embedded_server_was_killed_again_and_again(world: World) -> None:
    chance = seeded("killed servers")
    keys = [world.key() for _ in range(6)]
    work = world.work(size=6, pace=0.2)
    with world.open() as app:
        drivers = [world.start(work, *keys[:3], threads=4), world.start(work, *keys[3:], threads=4)]
        world.until_effects(3)
        for _ in range(4):
            with held_down(world):
                time.sleep(chance.uniform(0.1, AWAY))
            time.sleep(chance.uniform(0.05, 0.6))
        for driver in drivers:
            driver.wait()
            assert len(driver.told("ended")) == 3, driver.said()
        world.finish(app, work, *keys)
        assert world.project.servers() != []
        assert len(world.project.servers()) == 1


def test_a_client_waits_for_an_absent_server_without_working_itself_hot(world: World) -> None:
    key, work = world.key(), world.work(size=6, pace=0.1)
    with world.open() as app:
        driver = world.start(work, key)
        world.until_effects(2)
        with held_down(world):
            time.sleep(0.3)  # whatever was under way has noticed by now
            before = consumed(driver)
            time.sleep(2.0)
            assert consumed(driver) - before < 0.5
        driver.wait()
        assert driver.told("ended"), driver.said()
        world.finish(app, work, key)


def test_the_beat_comes_back_after_an_outage_and_nobody_is_taken_for_dead(world: World) -> None:
    key, work = world.key(), world.work(size=2, pace=1.0)
    with world.open() as app:
        driver = world.start(work, key)
        world.until_effects(1)
        with held_down(world):
            time.sleep(AWAY)
        before = beats(world)[driver.pid]
        within(15.0, lambda: beats(world).get(driver.pid, 0) > before)
        driver.wait()
        assert driver.told("ended"), driver.said()
        (handle,) = world.finish(app, work, key)
        assert {one.pid for one in world.effects_of("send") if one.run == handle.id} == {driver.pid}


class Volume(cm.Params):
    """What is archived."""

    files: int
    size: int
    seekable: bool


class Once(io.RawIOBase):
    """A stream that cannot be read again."""

    def __init__(self, content: bytes) -> None:
        self._inner = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._inner.readinto(buffer)


@cm.node
def scan(params: Volume, ctx: cm.Context) -> list[int]:
    for number in range(params.files):
        content = number.to_bytes(4, "big") * (params.size // 4)
        stream = io.BytesIO(content) if params.seekable else io.BufferedReader(Once(content))
        ctx.attach(f"file {number}", stream)
    return [params.files]


@cm.node
def proofread(scanned: cm.Item[int], params: Volume) -> bool:
    files = [scanned.attachments[f"file {number}"].read() for number in range(scanned.value)]
    return files == [number.to_bytes(4, "big") * (params.size // 4) for number in range(scanned.value)]


archive = cm.workflow("journeys.archive", params=Volume).then(scan).then(proofread).build()


@pytest.mark.parametrize("seekable", [True, False])
def test_files_are_stored_and_read_whole_whenever_the_server_is_killed(world: World, seekable: bool) -> None:
    chance = seeded("files")
    over = threading.Event()

    def kill_now_and_then() -> None:
        for _ in range(4 if seekable else 1):
            if over.wait(chance.uniform(0.2, 0.6)):
                return
            with held_down(world):
                over.wait(0.1)

    with world.open() as app, ThreadPoolExecutor(1) as pool:
        handle = app.launch(Launch(workflow=archive, params=Volume(files=6, size=8_000_000, seekable=seekable)))
        killing = pool.submit(kill_now_and_then)
        try:
            handle.wait()
        finally:
            over.set()
        killing.result()
        assert handle["proofread"].items == [True]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """An external server."""
    with running_server() as server:
        yield server


def crash(server: Server) -> None:
    """Kill an external server, as its machine's power would."""
    pid_file = server.folder / "data" / "postmaster.pid"
    os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGKILL)


def start_again(server: Server) -> None:
    """Start a server that was killed, once nothing of it is left."""
    for _ in range(100):
        with suppress(Exception):
            server.start()
            return
        time.sleep(0.1)
    server.start()


def test_runs_wait_for_an_external_server_and_go_on_when_somebody_starts_it_again(server: Server) -> None:
    chance = seeded("external server")
    with server.database("journeys") as url, temporary_world(url) as world, world.open() as app:
        keys = [world.key() for _ in range(4)]
        work = world.work(size=6, pace=0.2)
        drivers = [world.start(work, *keys[:2]), world.start(work, *keys[2:])]
        world.until_effects(3)
        for _ in range(3):
            crash(server)
            before = [consumed(driver) for driver in drivers]
            time.sleep(AWAY)
            used = [consumed(driver) - earlier for driver, earlier in zip(drivers, before, strict=True)]
            assert max(used) < 0.5, f"busy while the server was away: {used}"
            start_again(server)
            time.sleep(chance.uniform(0.1, 0.8))
        for driver in drivers:
            driver.wait()
            assert len(driver.told("ended")) == 2, driver.said()
        world.finish(app, work, *keys)


def test_a_run_that_loses_patience_with_its_database_says_so_and_can_be_gone_on_with(server: Server) -> None:
    with server.database("impatient") as url, temporary_world(url) as world:
        key, work = world.key(), world.work(size=6, pace=0.2)
        driver = world.start(work, key, patience=0.5)
        world.until_effects(2)
        crash(server)
        driver.wait()
        start_again(server)
        (refusal,) = driver.told("refused")
        assert refusal["refused"] == "StoreUnavailable"
        assert "journeys" not in refusal["message"]
        assert 'database "impatient"' in refusal["message"]
        with world.open() as app:
            world.finish(app, work, key)

"""What was killed, cut off or left half-done is put right by the next one who opens the folder."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from codemation.host.postgres.embedded import watchdog
from codemation.host.postgres.embedded.account import identity
from codemation.host.postgres.embedded.cluster import DATABASE, ROLE
from codemation.host.postgres.embedded.errors import EmbeddedError, ForeignServer
from codemation.host.postgres.embedded.postmaster import ready
from codemation.host.postgres.embedded.programs import environment, programs_for
from tests.host.postgres.embedded.world import Project, eventually, processes, query


def pull_the_plug(project: Project) -> None:
    """Kills the server with all of its processes, and the watchdog, at one blow."""
    postmaster = project.postmaster
    assert postmaster is not None
    server = psutil.Process(postmaster)
    for process in [*project.watchdogs(), server, *server.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # those behind it end by themselves as soon as the postmaster is gone
            process.kill()
    eventually(project.at_rest)


def test_after_a_power_cut_the_server_starts_with_all_that_was_committed(project: Project) -> None:
    with project.open() as server:
        query(server.url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        pull_the_plug(project)
    assert (project.home.data / "postmaster.pid").exists()
    with project.open() as server:
        assert query(server.url, "SELECT count(*) FROM kept") == 1000


def test_a_stale_pid_that_belongs_to_another_program_by_now_is_no_obstacle(project: Project) -> None:
    with project.open() as server:
        query(server.url, "CREATE TABLE kept AS SELECT 1 AS one")
        pull_the_plug(project)
    home = project.home
    with subprocess.Popen(["/bin/sleep", "600"], **identity(home.account)) as innocent:
        try:
            for stale in (home.data / "postmaster.pid", *(home.folder / "socket").glob(".s.*.lock")):
                _, *rest = stale.read_text().splitlines()
                stale.write_text("\n".join([str(innocent.pid), *rest, ""]))
            with project.open() as server:
                assert query(server.url, "SELECT one FROM kept") == 1
            eventually(project.at_rest)
            assert innocent.poll() is None, "the watchdog stopped a program that is not the server"
        finally:
            innocent.kill()


@pytest.mark.parametrize("named", [True, False], ids=["by its whole path", "by its working folder"])
def test_a_server_that_somebody_else_started_on_the_data_is_left_alone(project: Project, named: bool) -> None:
    project.open().close()
    eventually(project.at_rest)
    home = project.home
    programs = programs_for(home.account, home.state)
    place = os.fspath(home.data) if named else "."
    command = [programs.postgres, "-D", place, "-c", "listen_addresses=", "-c", "unix_socket_directories=."]
    with subprocess.Popen(
        command,
        cwd=home.data,
        env=environment(),
        stderr=subprocess.DEVNULL,
        **identity(home.account),
    ) as foreign:
        try:
            eventually(lambda: ready(home))
            with pytest.raises(ForeignServer, match=f"process {foreign.pid}"):
                project.open()
            assert foreign.poll() is None
        finally:
            foreign.send_signal(signal.SIGINT)
    with project.open() as server:
        assert query(server.url, "SELECT 1") == 1


def test_a_cluster_that_was_only_half_made_is_made_again(project: Project) -> None:
    visitor = project.visit()
    home = project.home
    eventually(lambda: any(home.folder.glob("draft-*/data/PG_VERSION")))
    visitor.kill()
    assert not home.data.exists()
    with project.open() as server:
        assert query(server.url, "SELECT 1") == 1
    assert not list(home.folder.glob("draft-*"))


def test_wherever_the_opener_is_killed_the_next_one_gets_one_server_and_none_stays_behind(project: Project) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    moments = random.Random(seed)  # noqa: S311 - no secret
    for number in range(8):
        visitor = project.visit()
        time.sleep(moments.uniform(0.05, 0.9 if number < 4 else 0.3))
        visitor.kill()
        if number % 2:
            with project.open() as server:
                assert query(server.url, "SELECT 1") == 1
                assert len(project.servers()) == 1
                assert len(project.watchdogs()) == 1
    eventually(project.at_rest)
    assert project.servers() == []


def test_a_deleted_socket_is_made_again(project: Project) -> None:
    with project.open() as server:
        query(server.url, "CREATE TABLE kept AS SELECT 1 AS one")
        folder = project.home.folder / "socket"
        for entry in folder.iterdir():
            entry.unlink()
        folder.rmdir()
        server.ensure()
        assert query(server.url, "SELECT one FROM kept") == 1
        assert len(project.servers()) == 1


def test_a_moved_project_takes_its_data_along_even_under_a_living_server(project: Project) -> None:
    with project.open(grace=2.0) as server:
        query(server.url, "CREATE TABLE kept AS SELECT 1 AS one")
    moved = Project(folder=project.folder.rename(project.folder.with_name("moved")), state=project.state)
    with moved.open() as server:
        assert query(server.url, "SELECT one FROM kept") == 1
    eventually(moved.at_rest)
    assert not processes("-D", os.fspath(project.directory / "postgres" / "data"))


def test_permissions_that_a_copy_has_opened_are_closed_again(project: Project) -> None:
    project.open().close()
    eventually(project.at_rest)
    home = project.home
    home.data.chmod(0o755)
    home.password.chmod(0o644)
    with project.open() as server:
        assert query(server.url, "SELECT 1") == 1
    assert home.data.stat().st_mode & 0o777 == 0o700
    assert home.password.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "name",
    [
        "with space, comma, quote'and\"quote",
        "dollar$(touch x)`y`;z percent%20&host=x?#",
        "-D Umläut-日本 back\\slash",
    ],
)
def test_any_name_of_a_folder_will_do(project: Project, name: str) -> None:
    named = Project(folder=project.folder / name, state=project.state)
    named.folder.mkdir()
    with named.open() as server:
        assert query(server.url, "SELECT current_user || current_database()") == ROLE + DATABASE
        assert len(named.servers()) == 1
    eventually(named.at_rest)


@pytest.mark.parametrize("length", [120, 1500])
def test_long_paths_are_no_obstacle(project: Project, length: int) -> None:
    folder = project.folder
    while len(os.fspath(folder)) < length:
        folder /= "a-folder-with-quite-a-long-name"
    folder.mkdir(parents=True)
    far = Project(folder=folder, state=project.state)
    with far.open() as server, far.open() as again:
        assert server.url == again.url
        assert query(server.url, "SELECT 1") == 1
    eventually(far.at_rest)


def test_a_taken_socket_folder_is_not_trusted(project: Project) -> None:
    far = Project(folder=project.folder / ("long-" * 30), state=project.state)
    far.folder.mkdir()
    far.open().close()
    eventually(far.at_rest)
    record = far.home.folder / "socket-folder"
    before = Path(record.read_text())
    before.chmod(0o777)
    try:
        with far.open() as server:
            assert Path(record.read_text()) != before
            assert query(server.url, "SELECT 1") == 1
    finally:
        before.rmdir()


def test_a_server_that_cannot_start_is_reported_with_its_own_words(project: Project) -> None:
    project.open().close()
    eventually(project.at_rest)
    (project.home.data / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(EmbeddedError, match="no_such_setting"):
        project.open()
    eventually(project.at_rest)


def test_a_damaged_pid_file_is_no_obstacle_and_names_no_victim(project: Project) -> None:
    project.open().close()
    eventually(project.at_rest)
    data = project.home.data
    for content in ("", "nonsense\n", "999999999\n", "-1\n", "0\n", "1\n", "9" * 30):
        (data / "postmaster.pid").write_text(content)
        assert watchdog.postmaster(os.fspath(data)) is None
        with project.open(grace=0.0) as server:
            assert query(server.url, "SELECT 1") == 1, content
        eventually(project.at_rest)

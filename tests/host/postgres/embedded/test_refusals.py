"""What cannot be used is refused: what it is, where it is, and the way out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from codemation.core.errors import HostError
from codemation.host.postgres.embedded.errors import (
    ClusterDamaged,
    DiskFull,
    EmbeddedError,
    NetworkFileSystem,
    NotAFolder,
    OtherOwner,
    OtherVersion,
    ReadOnlyFolder,
    refusing,
)
from codemation.host.postgres.embedded.filesystem import (
    check_local,
    kind_of,
    mounts,
    read_mount_listing,
    read_mountinfo,
)
from tests.host.postgres.embedded.world import REPOSITORY, ROOT, Project, Visitor, eventually, query

needs_root = pytest.mark.skipif(not ROOT, reason="only root can mount a file system or give a file away")


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small file system in memory, where this machine lets root mount one."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "none", os.fspath(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let root mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", os.fspath(folder)], check=True)


def fill(path: Path) -> None:
    """Writes a file until not one byte more fits."""
    for portion in (65536, 1):
        with path.open("ab", buffering=0) as file, suppress(OSError):
            while file.write(b"x" * portion):
                pass


def refusal(project: Project, kind: type[EmbeddedError]) -> str:
    """Opens a project that must be refused; the message has a way out."""
    with pytest.raises(kind) as caught:
        project.open()
    assert isinstance(caught.value, HostError)
    assert type(caught.value) is kind
    assert caught.value.way_out
    return str(caught.value)


def made(project: Project) -> Project:
    """A project whose server has run and ended."""
    with project.open() as server:
        query(server.url, "CREATE TABLE kept AS SELECT 1 AS one")
    eventually(project.at_rest)
    return project


def test_a_file_in_the_place_of_the_folder_is_refused(project: Project) -> None:
    project.directory.write_text("precious")
    assert os.fspath(project.directory) in refusal(project, NotAFolder)
    assert project.directory.read_text() == "precious"


def test_a_file_in_the_place_of_the_home_is_refused(project: Project) -> None:
    project.directory.mkdir()
    project.directory.chmod(0o755)
    (project.directory / "postgres").write_text("precious")
    assert "postgres" in refusal(project, NotAFolder)
    assert (project.directory / "postgres").read_text() == "precious"


def test_a_project_that_does_not_exist_is_refused(project: Project) -> None:
    missing = Project(folder=project.folder / "mistyped", state=project.state)
    assert "mistyped" in refusal(missing, NotAFolder)
    assert not missing.folder.exists()


def test_data_of_another_major_version_is_refused_and_not_touched(project: Project) -> None:
    version = made(project).home.data / "PG_VERSION"
    version.write_text("16\n")
    message = refusal(project, OtherVersion)
    assert "PostgreSQL 16" in message
    assert "18" in message
    assert project.at_rest()
    version.write_text("18\n")
    with project.open() as server:
        assert query(server.url, "SELECT one FROM kept") == 1


def test_data_without_its_version_is_refused(project: Project) -> None:
    (made(project).home.data / "PG_VERSION").unlink()
    assert "PG_VERSION" in refusal(project, ClusterDamaged)


def test_data_whose_password_is_gone_is_refused(project: Project) -> None:
    made(project).home.password.unlink()
    assert "password" in refusal(project, ClusterDamaged)


@needs_root
@pytest.mark.parametrize("uid", [1, 0], ids=["another user's", "root's own"])
def test_data_of_another_owner_is_refused(project: Project, uid: int) -> None:
    home = made(project).home
    owner = home.data.stat().st_uid
    os.chown(home.data, uid, uid)
    assert os.fspath(home.data) in refusal(project, OtherOwner)
    os.chown(home.data, owner, owner)


def test_a_read_only_folder_is_refused(project: Project) -> None:
    project.directory.mkdir()
    if not ROOT:
        project.directory.chmod(0o555)
        assert os.fspath(project.directory) in refusal(project, ReadOnlyFolder)
        return
    with mounted(project.directory, "ro,mode=755"):
        assert os.fspath(project.directory) in refusal(project, ReadOnlyFolder)


@needs_root
def test_a_disk_that_fills_up_at_the_first_start_is_refused_and_leaves_no_half_cluster(project: Project) -> None:
    project.directory.mkdir()
    with mounted(project.directory, "size=16m,mode=755"):
        assert os.fspath(project.directory) in refusal(project, DiskFull)
        home = project.home
        assert not home.data.exists()
        assert not list(home.folder.glob("draft-*"))
        subprocess.run(["mount", "-o", "remount,size=200m", os.fspath(project.directory)], check=True)
        with project.open() as server:
            assert query(server.url, "SELECT 1") == 1
        eventually(project.at_rest)


@needs_root
def test_a_disk_that_is_full_at_a_later_start_is_refused_and_nothing_is_lost(project: Project) -> None:
    project.directory.mkdir()
    with mounted(project.directory, "size=200m,mode=755"):
        made(project)
        filling = project.directory / "filling"
        fill(filling)
        refusal(project, DiskFull)
        filling.unlink()
        with project.open() as server:
            assert query(server.url, "SELECT one FROM kept") == 1
        eventually(project.at_rest)


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
from pathlib import Path
from codemation.host.postgres.embedded import open_embedded
try:
    open_embedded(Path(sys.argv[1]), state=Path(sys.argv[2]), grace=0.2)
except Exception as error:
    print(type(error).__name__, str(error).replace("\\n", " "), flush=True)
"""


def test_a_limit_for_files_counts_as_a_full_disk(project: Project) -> None:
    visitor = Visitor([LIMITED, project.directory, project.state])
    said = visitor.url()
    visitor.leave()
    assert said.startswith("DiskFull "), said
    assert os.fspath(project.directory) in said
    with project.open() as server:
        assert query(server.url, "SELECT 1") == 1


def test_missing_programs_are_named_with_the_command_that_brings_them(project: Project) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
        "from codemation.host.postgres.embedded import open_embedded; open_embedded(Path(sys.argv[2]))"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, REPOSITORY, project.directory],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ProgramsMissing" in ended.stderr
    assert "codemation[embedded]" in ended.stderr
    assert "CODEMATION_DATABASE_URL" in ended.stderr


MOUNTINFO = r"""22 28 0:20 / /proc rw,nosuid shared:5 - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 28 0:50 / /mnt/team rw,relatime shared:9 master:1 - nfs4 server:/team rw,vers=4.2
41 40 254:1 / /mnt/team/local rw - xfs /dev/vdb rw
42 28 0:51 / /mnt/with\040space rw - cifs //server/share rw
43 28 0:52 / /mnt/twice rw - ext4 /dev/vdc rw
44 43 0:53 / /mnt/twice rw - fuse.sshfs me@there: rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/me/.codemation", "ext4"),
        ("/mnt/team", "nfs4"),
        ("/mnt/team/project", "nfs4"),
        ("/mnt/teammates", "ext4"),
        ("/mnt/team/local/project", "xfs"),
        ("/mnt/with space/x", "cifs"),
        ("/mnt/twice/x", "fuse.sshfs"),
    ],
)
def test_the_kind_of_a_file_system_is_read_from_the_list_of_mounts(folder: str, kind: str) -> None:
    assert kind_of(Path(folder), read_mountinfo(MOUNTINFO)) == kind


def test_the_list_of_mounts_of_macos_is_read_too() -> None:
    text = "/dev/disk3s1s1 on / (apfs, sealed, local)\n//me@nas/share on /Volumes/share (smbfs, nodev, nosuid)\n"
    assert kind_of(Path("/Volumes/share/x"), read_mount_listing(text)) == "smbfs"
    assert kind_of(Path("/Users/me"), read_mount_listing(text)) == "apfs"


def test_a_network_file_system_is_refused_and_this_machine_s_own_is_not(project: Project) -> None:
    check_local(project.folder, mounts())
    with pytest.raises(NetworkFileSystem, match="nfs4") as caught:
        check_local(Path("/mnt/team/project"), read_mountinfo(MOUNTINFO))
    assert "local disk" in caught.value.way_out


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("ENOSPC", DiskFull),
        ("EDQUOT", DiskFull),
        ("EROFS", ReadOnlyFolder),
        ("ENOTDIR", NotAFolder),
        ("EIO", EmbeddedError),
    ],
)
def test_every_refusal_of_the_operating_system_gets_a_name(number: str, kind: type[EmbeddedError]) -> None:
    import errno

    code = getattr(errno, number)
    with pytest.raises(kind, match="/some/place"), refusing(Path("/some/place")):
        raise OSError(code, os.strerror(code))

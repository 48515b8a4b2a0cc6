"""Files written whole; which file system a folder is on, and whether a database may live there.

A network file system may keep locks to one machine and answer fsync before the data is safe, so two machines could run
two servers on one folder, and a power cut could lose what was committed.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from pathlib import Path

from codemation.host.postgres.embedded.errors import EXTERNAL, NetworkFileSystem
from codemation.host.postgres.embedded.locks import locked_folder

_NETWORK = frozenset({
    "9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.ceph", "fuse.davfs", "fuse.gcsfuse",
    "fuse.glusterfs", "fuse.goofys", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "gfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "webdav",
})  # fmt: skip
PASSABLE = 0o711
"""The mode of root's folders on the way to what its server's account owns: one may pass, and see nothing."""

_MOUNT_LINE = re.compile(r"^.* on (?P<folder>/.*?) \((?P<kind>[^,)]+)")


def check_local(folder: Path, mounted: list[tuple[str, str]]) -> None:
    """Refuses a folder on a network file system, given what is mounted where.

    Raises:
        NetworkFileSystem: it is on one.
    """
    kind = kind_of(folder, mounted)
    if kind in _NETWORK:
        raise NetworkFileSystem(
            f"{folder} is on a network file system ({kind}), where a database cannot rely on locks and fsync.",
            way_out=f"Use a project folder on a local disk, {EXTERNAL}.",
        )


def kind_of(folder: Path, mounted: list[tuple[str, str]]) -> str:
    """The kind of file system of a resolved folder, given what is mounted where; of equals the last one counts."""
    best, kind = "", ""
    for place, this in mounted:
        inside = place == "/" or f"{folder}/".startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(best):
            best, kind = place, this
    return kind


def mounts() -> list[tuple[str, str]]:
    """What is mounted where on this machine, in the order of mounting."""
    listed = Path("/proc/self/mountinfo")
    if listed.exists():
        return read_mountinfo(listed.read_text(errors="surrogateescape"))
    listing = subprocess.run(["/sbin/mount"], capture_output=True, check=True)
    return read_mount_listing(os.fsdecode(listing.stdout))


def read_mountinfo(text: str) -> list[tuple[str, str]]:
    """The folders and kinds in Linux's list of mounts."""
    found = []
    for line in text.splitlines():
        where, _, what = line.partition(" - ")
        place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), where.split(" ")[4])
        found.append((place, what.split(" ")[0]))
    return found


def read_mount_listing(text: str) -> list[tuple[str, str]]:
    """The folders and kinds in what `mount` prints on macOS and the BSDs."""
    return [(line["folder"], line["kind"]) for line in map(_MOUNT_LINE.match, text.splitlines()) if line]


def make_folder(folder: Path, mode: int) -> None:
    """Makes a folder of root's unless it is there; who comes at the same time waits until its mode is set."""
    with locked_folder(folder.parent):
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            folder.chmod(mode)


def write_private(path: Path, content: bytes) -> None:
    """Writes a file of mode 0600 whole or not at all, and safely on disk."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes names that were given in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

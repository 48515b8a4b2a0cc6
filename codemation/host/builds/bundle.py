"""Files as one archive that is the same whenever, wherever and by whomever it is made, named by what is in it."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from codemation.core.errors import HostError

MOST = 32 * 1024 * 1024
"""Bytes that the files of a workflow may have together."""


class BrokenBundle(HostError):
    """A bundle does not hold what it should."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Files by their paths within the app, with `/` between the parts."""

    files: Mapping[str, bytes]

    @cached_property
    def digest(self) -> str:
        """Its name."""
        whole = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            whole.update(f"{path}\0{hashlib.sha256(content).hexdigest()}\n".encode())
        return whole.hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.files.values()))

    def packed(self) -> bytes:
        """The archive."""
        room = io.BytesIO()
        with tarfile.open(fileobj=room, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path, content in sorted(self.files.items()):
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode, entry.mtime = len(content), 0o644, 0
                archive.addfile(entry, io.BytesIO(content))
        return room.getvalue()


def unpacked(archive: bytes, digest: str) -> Bundle:
    """The files of an archive.

    Raises:
        BrokenBundle: it is no archive, has other files than `digest` says, or one that would lie somewhere else.
    """
    files = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
            for entry in opened:
                content = opened.extractfile(entry) if entry.isreg() and _stays_inside(entry.name) else None
                if content is None:
                    raise BrokenBundle(f"bundle {digest[:12]} holds {entry.name!r}, which is no file within an app")
                files[entry.name] = content.read()
    except tarfile.TarError as error:
        raise BrokenBundle(f"bundle {digest[:12]} cannot be read: {error}") from None
    bundle = Bundle(files=files)
    if bundle.digest != digest:
        raise BrokenBundle(f"bundle {digest[:12]} holds other files than it was named after", way_out="deploy it again")
    return bundle


def laid_out(bundle: Bundle, home: Path) -> Path:
    """A folder with the files of a bundle, below `home`, which nobody else may enter; made at once and whole."""
    folder = home / bundle.digest
    if _holds(folder, bundle):
        return folder
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.exists():  # somebody has changed something in it
        shutil.rmtree(folder, ignore_errors=True)
    arriving = Path(tempfile.mkdtemp(prefix=".arriving-", dir=home))
    try:
        for name, content in bundle.files.items():
            path = arriving / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        os.rename(arriving, folder)  # noqa: PTH104 - onto what another process has made it fails, which is all the same
    except OSError:
        if not _holds(folder, bundle):
            raise
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    return folder


def _holds(folder: Path, bundle: Bundle) -> bool:
    """Whether a folder holds just the files of a bundle."""
    if not folder.is_dir():
        return False
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return there == set(bundle.files) and all(
        (folder / name).read_bytes() == content for name, content in bundle.files.items()
    )


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name

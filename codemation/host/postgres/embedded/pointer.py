"""The pointer from a project to a home in the system's state folder, for root's server.

It holds a bare name, never a path: root must not be led out of its state folder by a file that lies in a project.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from pathlib import Path

from codemation.host.postgres.embedded.account import Account
from codemation.host.postgres.embedded.errors import (
    EXTERNAL,
    AccountUnavailable,
    ClusterDamaged,
    CopiedProject,
    refusing,
)
from codemation.host.postgres.embedded.filesystem import PASSABLE, make_folder, write_private

_NAME = re.compile(r"[0-9a-f]{12}-[0-9a-f]{8}")


def pointer_of(directory: Path) -> Path:
    """Where a project keeps its pointer."""
    return directory / "postgres-home"


def follow(pointer: Path, state: Path) -> Path:
    """The home that a pointer names; a moved project takes its home along, a copy does not."""
    name, project = pointer.read_text(errors="replace").strip(), pointer.parent
    folder = state / name
    if not _NAME.fullmatch(name) or not (folder / "project").is_file():
        raise ClusterDamaged(
            f"{pointer} says that this project's data is in {state} under the name {name[:40]!r}, and it is not there.",
            way_out=f"Bring that folder back, or delete {pointer} to start with an empty database.",
        )
    home_of = Path(os.fsdecode((folder / "project").read_bytes()))
    if home_of != project:
        original = pointer_of(home_of)
        if original.is_file() and original.read_text(errors="replace").strip() == name:
            raise CopiedProject(
                f"{project} is a copy of {home_of}, and both point at the data in {folder}.",
                way_out=f"Delete {pointer} to give the copy an empty database of its own.",
            )
        write_private(folder / "project", os.fsencode(project))
    return folder


def settle(pointer: Path, state: Path, account: Account) -> Path:
    """A new home in the state folder, and the pointer to it; the caller holds the project's lock."""
    project = pointer.parent
    name = f"{hashlib.sha256(os.fsencode(project)).hexdigest()[:12]}-{secrets.token_hex(4)}"
    folder = state / name
    with refusing(state):
        make_folder(state, PASSABLE)
        if barrier := account.barrier(state):
            raise unreachable(state, barrier)
        make_folder(folder, PASSABLE)
        write_private(folder / "project", os.fsencode(project))
    try:
        write_private(pointer, name.encode())
    except OSError:
        shutil.rmtree(folder)
        raise
    return folder


def unreachable(place: Path, barrier: Path) -> AccountUnavailable:
    """The refusal for a place that root's server cannot reach."""
    return AccountUnavailable(
        f"Root's embedded PostgreSQL server runs under an unprivileged account, and {barrier} keeps it from {place}.",
        way_out=f"Let others pass {barrier} (chmod o+x), run codemation as an ordinary user, {EXTERNAL}.",
    )

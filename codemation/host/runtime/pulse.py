"""Signs of life that no node can keep back: told to a helper process, which beats in our place if it must."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

from codemation.core.ids import WorkerId

_log = logging.getLogger("codemation.worker")
HELPER = Path(__file__).with_name("pulse_helper.py")


class Pulse:
    """The pipe to a helper process; what is forked from this process shares it."""

    def __init__(self, every: float) -> None:
        """`every` is the seconds between two beats."""
        self._url = ""
        self._every = every
        self._guard = threading.Lock()
        self._helper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the helper. It ends when this process, and all that share its pipe, have ended."""
        helper = subprocess.Popen(
            [sys.executable, "-I", str(HELPER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._helper = helper
        self._write(f"u {self._url}\ne {self._every}\n")

    def reach(self, url: str) -> None:
        """Say where the database is, with its password, which no command line shows."""
        with self._guard:
            self._url = url
            self._write(f"u {url}\n")

    def beaten(self, worker: WorkerId) -> None:
        """Say that a worker, which is this process, has just shown a sign of life by itself."""
        line = f"b {os.getpid()} {worker}\n"
        with self._guard:
            if not self._write(line):  # it was killed
                self.start()
                self._write(line)

    def close(self) -> None:
        """Let go of the helper."""
        with self._guard:
            helper, self._helper = self._helper, None
        if helper is None or helper.stdin is None:
            return
        helper.stdin.close()
        try:
            helper.wait(timeout=1.0)
        except (subprocess.TimeoutExpired, ChildProcessError):  # others write to it still, or it is not our child
            helper.returncode = 0

    def _write(self, text: str) -> bool:
        if self._helper is None or self._helper.stdin is None:
            return False
        try:
            os.write(self._helper.stdin.fileno(), text.encode())  # in one piece, for children write to the same pipe
        except OSError as error:
            _log.info("the helper that beats for busy workers is gone: %s", error)
            return False
        return True

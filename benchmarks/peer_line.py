"""How a peer's program is told what to do: a line of JSON for each piece of work, answered with seconds.

Programs of peers are executed as files in environments of their own, and import nothing of ours but this.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

RECORD = {"n": 1, "name": "JFK", "late": False}
STEPS = 10


def told() -> dict[str, Any]:
    """The first line: where database and Redis are."""
    first: dict[str, Any] = json.loads(sys.stdin.readline())
    return first


def serve(version: str, work: Mapping[str, Callable[[int], bool]]) -> None:
    """Do what comes, line by line, until there is no more."""
    answer({"version": version})
    for line in sys.stdin:
        asked = json.loads(line)
        seconds = []
        for _ in range(asked["count"]):
            began = time.perf_counter()
            done = work[asked["work"]](asked["size"])
            seconds.append(time.perf_counter() - began)
            assert done
        answer({"seconds": seconds})


def answer(said: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def start(command: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
    """Start a worker, which ends with us whatever becomes of us."""
    return subprocess.Popen(
        command,
        cwd=Path(__file__).parent,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - it has one thread
    )


def _end_with_parent() -> None:
    with suppress(AttributeError, OSError):  # where there is no Linux it has to be stopped by hand
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)

"""The ways in which a process dies in the middle of a node."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

from tests.adapters.mill import exceed, leave, overflow


def be_killed() -> None:
    """End as the system ends who has taken the memory of all."""
    taken = bytearray(64 << 20)
    os.kill(os.getpid(), signal.SIGKILL)
    del taken


def reach_nowhere() -> None:
    """Read what is not there, as code in C does that has a mistake."""
    ctypes.string_at(0)


DEATHS: dict[str, Callable[[], None]] = {
    "leave": leave,
    "overflow": overflow,
    "exceed": exceed,
    "be_killed": be_killed,
    "reach_nowhere": reach_nowhere,
}


def decree(fate: Path, how: str) -> None:
    """The process of whichever call looks next dies in this way."""
    written = fate.with_suffix(".written")
    written.write_text(how)
    written.rename(fate)


def meet(fate: Path) -> None:
    """Die, if that was decreed; each decree is for one."""
    mine = fate.with_suffix(f".{os.getpid()}")
    try:
        fate.rename(mine)
    except FileNotFoundError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    DEATHS[mine.read_text()]()

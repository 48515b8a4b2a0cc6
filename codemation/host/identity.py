"""Ids and randomness: made by whoever needs them, without asking anybody."""

from __future__ import annotations

import getpass
import os
import socket
import struct
import time
import uuid
from collections import deque

from codemation.core.ids import RunId


def new_run_id() -> RunId:
    """A UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, then random bits."""
    spelled = f"{_timed(time.time_ns() // 1_000_000):032x}"
    return RunId(f"{spelled[:8]}-{spelled[8:12]}-{spelled[12:16]}-{spelled[16:20]}-{spelled[20:]}")


def id_beside(run: RunId) -> uuid.UUID:
    """A UUIDv7 with the time of a run: what belongs to a run lies in the same range as the run, however late it came.

    So tables that are cut by the time of the run (docs/how-to/partitions.md) keep all of a run in one piece.
    """
    return uuid.UUID(int=_timed(uuid.UUID(run).int >> 80))


def _timed(milliseconds: int) -> int:
    """A UUIDv7 as a number."""
    chance = entropy() << 63 | entropy()
    return milliseconds << 80 | 0x7 << 76 | (chance >> 62 & 0xFFF) << 64 | 0b10 << 62 | chance & 0x3FFF_FFFF_FFFF_FFFF


def user() -> str:
    """Whose process this is; in a container the account may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"


def user_at_host() -> str:
    """Whose process this is, and on which machine."""
    return f"{user()}@{socket.gethostname()}"


def entropy() -> int:
    """63 random bits, never zero: they fit a signed bigint."""
    try:
        return _drawn.pop()
    except IndexError:
        _drawn.extend([number >> 1 or 1 for number in struct.unpack(f"{_DRAWS}Q", os.urandom(8 * _DRAWS))])
        return _drawn.pop()


_DRAWS = 64
"""Numbers that the system is asked for at a time: the question takes longer than they do."""
_drawn: deque[int] = deque()
"""Those that nobody has been given yet."""
os.register_at_fork(after_in_child=_drawn.clear)

"""Ids and randomness: made by whoever needs them, without asking anybody."""

from __future__ import annotations

import os
import secrets
import time
import uuid

from codemation.core.ids import RunId


def new_run_id() -> RunId:
    """A UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    bits = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return RunId(str(uuid.UUID(int=bits)))


def entropy() -> int:
    """63 random bits, never zero: they fit a signed bigint."""
    return int.from_bytes(os.urandom(8)) >> 1 or 1

"""Sizes as people write them: `"500kB"`, `"25MB"`, `"2GB"`, or a number of bytes."""

from __future__ import annotations

import re

_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]+)")


def in_bytes(size: str | int) -> int:
    """The size in bytes.

    Raises:
        ValueError: it is no size, or not a positive one.
    """
    total = 0
    if isinstance(size, int) and not isinstance(size, bool):
        total = size
    elif isinstance(size, str) and (found := _SIZE.fullmatch(size.strip())) and found[2].lower() in _UNITS:
        total = int(float(found[1]) * _UNITS[found[2].lower()])
    if total <= 0:
        raise ValueError(f'{size!r} is no size; write it like "500kB", "25MB", "2GB" or a number of bytes')
    return total


def readable_size(size: int) -> str:
    """A number of bytes for people: `340 B`, `1.5 MB`, `2 GB`."""
    unit, factor = next((name, by) for name, by in _SHOWN if size >= by or by == 1)
    return f"{size / factor:.3g} {unit}" if factor > 1 else f"{size} B"


_SHOWN = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3), ("B", 1))

"""How often a node is called, as people write it: `"20/s"`, `"300/m"`, `"1000/1h 30m"`."""

from __future__ import annotations

import re

from codemation.core.durations import seconds

_RATE = re.compile(r"\s*(\d+)\s*/\s*(\S.*?)\s*")


def spacing(rate: object) -> float:
    """The seconds between two calls.

    Raises:
        ValueError: it is no rate.
    """
    found = _RATE.fullmatch(rate) if isinstance(rate, str) else None
    if found is None or not int(found[1]):
        raise ValueError(f'{rate!r} is no rate; write it like "20/s", "300/m" or "1000/h"')
    per = found[2] if found[2][0].isdigit() else f"1{found[2]}"
    try:
        return seconds(per) / int(found[1])
    except ValueError:
        raise ValueError(f'{rate!r} is no rate: {found[2]!r} is no time; write it like "20/s" or "50/10s"') from None

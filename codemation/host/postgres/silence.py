"""How long a server may say nothing before its connection is given up, which may be half open.

Keepalives find out that the other machine is gone. They do not find out that something in between, or a server that
hangs, takes what it is sent and passes nothing on: then only the answer is missing. A server gives up a statement after
`statement_timeout`, so one that has said nothing for half as long again will not say anything any more.
"""

from __future__ import annotations

import math
import re
import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict

Given = TypeVar("Given")
USUAL = 45.0
"""Seconds of silence, where nobody says how long a statement may take."""
SLACK = 1.5
_INTERVAL = 0.1
"""Seconds between two looks at a connection that says nothing; Ctrl-C is heard so often."""
_TIMEOUT = re.compile(r"statement_timeout\s*=\s*'?(\d+)\s*(us|ms|s|min|h|d)?")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def answer_limit(conninfo: str) -> float:
    """Seconds that a server may say nothing; for ever, where a statement may take for ever."""
    told = _TIMEOUT.findall(str(conninfo_to_dict(conninfo).get("options") or ""))
    if not told:
        return USUAL
    number, unit = told[-1]  # the last one counts
    return SLACK * int(number) * _SECONDS[unit or "ms"] or math.inf


class Attentive(psycopg.Connection[tuple[Any, ...]]):
    """A connection that ends when its server has said nothing for too long."""

    limit = math.inf

    def wait(self, gen: PQGen[Given], interval: float = _INTERVAL, timeout: float | None = None) -> Given:
        """Go on with something until it is done.

        Raises:
            psycopg.OperationalError: nothing was heard for too long; the connection is of no use any more.
        """
        return super().wait(self._attended(gen), interval, timeout)

    def _attended(self, gen: PQGen[Given]) -> PQGen[Given]:
        heard = time.monotonic()
        try:
            wanted: Any = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard > self.limit:
                    self.pgconn.finish()  # what stands above must not wait for an answer as well
                    raise unanswered(self.limit)
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # it is what `gen` gives


def unanswered(seconds: float) -> psycopg.OperationalError:
    """The error for a server that has said nothing for too long."""
    return psycopg.OperationalError(f"it has not answered for {seconds:g} seconds")

"""Signals from outside, in memory."""

from __future__ import annotations

import json

from codemation.core.errors import InputError, UnknownRun
from codemation.core.ids import RunId, TicketId
from codemation.core.ports import Letter
from codemation.core.states import FINISHED
from codemation.host.memory.tables import Tables


class MemoryInbox:
    """Signals from outside."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def post(self, run: RunId, key: str, body: str, fold: TicketId) -> bool:
        """Leave a signal."""
        tables = self._tables
        try:
            json.loads(body)
        except ValueError as error:
            raise InputError(f"the signal {key!r} is not JSON: {error}") from error
        with tables.lock:
            row = tables.runs.get(run)
            if row is None:
                raise UnknownRun(f"no run {run}", way_out="codemation runs list")
            letters = tables.letters.setdefault(run, [])
            if row.status in FINISHED or any(letter.key == key for letter in letters):
                return False
            letters.append(Letter(id=tables.number(), key=key, body=body, at=tables.clock().timestamp()))
            tables.ask_for_fold(run, fold)
            return True

    def pending(self, run: RunId) -> tuple[Letter, ...]:
        """What is not folded yet."""
        with self._tables.lock:
            return tuple(self._tables.letters.get(run, ()))

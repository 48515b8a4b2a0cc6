"""Payloads that this process has just stored, kept for the nodes that read them next."""

from __future__ import annotations

import threading
from collections import OrderedDict

from codemation.core.ids import RunId

BYTES = 128 * 1024 * 1024
"""Kept at the most; a payload larger than an eighth of it is not kept at all."""
MANY = 4_096
"""Payloads that are kept at the most: beside a small one its name and place weigh more than itself."""


class Recent:
    """The most recently stored or read payloads by run and reference; what is not here is read from the database."""

    def __init__(self, limit: int = BYTES) -> None:
        self._limit = limit
        self._guard = threading.Lock()
        self._kept: OrderedDict[tuple[RunId, str], bytes] = OrderedDict()
        self._size = 0

    def put(self, run: RunId, ref: str, data: bytes) -> None:
        """Keep a payload; what was not used for longest makes room."""
        if not ref or len(data) > self._limit // 8:
            return
        key = (run, ref)
        with self._guard:
            if key in self._kept:
                return
            self._kept[key] = data
            self._size += len(data)
            while self._size > self._limit or len(self._kept) > MANY:
                _, dropped = self._kept.popitem(last=False)
                self._size -= len(dropped)

    def get(self, run: RunId, ref: str) -> bytes | None:
        """The payload, if it is kept."""
        key = (run, ref)
        with self._guard:
            data = self._kept.get(key)
            if data is not None:
                self._kept.move_to_end(key)
            return data

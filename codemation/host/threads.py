"""Threads that are started where that is possible: a process may have no memory, or no room, for one more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger("codemation.scheduler")


def started(work: Callable[[], object], *, name: str) -> threading.Thread | None:
    """Do something in a thread of its own; `None` if there could be none."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except (RuntimeError, MemoryError) as error:
        _log.warning("no thread can be started: %s", error)
        return None
    return thread

"""Ctrl-C and SIGTERM while a run is worked on: the first one pauses the run, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from codemation.cli.troubles import Exit

SECOND = b"\nstopped at once; what was under way is found and released by whoever resumes the run\n"


class Interruption:
    """Turns the first signal into a `KeyboardInterrupt`, wherever the main thread is."""

    def __init__(self) -> None:
        self.number = 0

    @property
    def exit(self) -> Exit:
        """The exit code of a process that was interrupted so."""
        return Exit.TERMINATED if self.number == signal.SIGTERM else Exit.INTERRUPTED

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Hear both signals for as long as this lasts; only a main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if self.number:
            os.write(2, SECOND)
            os._exit(self.exit)
        self.number = number
        raise KeyboardInterrupt

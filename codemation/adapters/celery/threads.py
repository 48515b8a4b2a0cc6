"""A pool of threads that lets Celery's loop know when one of them is free.

A worker fetches no message while all of its slots are in use. When a thread is done nobody tells the loop, which finds
that out by itself as much as a second later, and hears no hint until then.
"""

from __future__ import annotations

from typing import Any

from celery.concurrency import thread

from codemation.core.ports import nothing


class TaskPool(thread.TaskPool):  # type: ignore[misc]  # Celery has no types
    """Celery's own pool of threads, each of which wakes the loop when it is done."""

    _loop: Any = None

    def register_with_event_loop(self, loop: Any) -> None:
        """Know the loop; it begins anew whenever the connection to the broker was lost."""
        self._loop = loop

    def on_apply(self, *args: Any, **kwargs: Any) -> Any:
        """Do a task in a thread, and wake the loop when that is done."""
        begun = super().on_apply(*args, **kwargs)
        begun.f.add_done_callback(self._wake)
        return begun

    def _wake(self, _: object) -> None:
        if self._loop is not None:
            self._loop.call_soon(nothing)

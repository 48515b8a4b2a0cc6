"""News of runs for whoever watches them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self

from codemation.core.ids import RunId, WorkflowId
from codemation.core.sealed import sealed
from codemation.core.states import RunStatus


@sealed
class News:
    """That a run has a new revision: never what is in it, which is read from the database."""

    run: RunId
    """Empty where something about any run may have been missed."""
    revision: int
    """0 where something may have been missed: whoever hears it looks for himself."""
    workflow: WorkflowId = WorkflowId("")
    status: RunStatus | None = None
    """Where the run stands as whoever said it knows; `None` where nobody knows."""


class Subscription(Protocol):
    """Hears of one run, or of all, until it is closed, or its `with` ends.

    Who is slow is not waited for: of several revisions of a run that he has not taken yet, the newest is kept. Those of
    one run only ever rise. The last of them can be lost without a trace, so that everybody looks now and then.
    """

    def next(self, timeout: float | None = None) -> News | None:
        """What is new, waited for at most so many seconds, for ever without; `None` if nothing is, or it is closed."""
        ...

    def close(self) -> None:
        """Hear no more; whoever waits in `next` is let go."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Bus(Protocol):
    """Tells processes of each other's news. What it loses costs time: the truth is in the database.

    The order for whoever waits is: subscribe, read how it stands, wait for news, read again; and read now and then
    without any.
    """

    def publish(self, news: News) -> None:
        """Tell everybody, soon; returns at once. A broker that is away is no error: it is said once in the log."""
        ...

    def subscribe(self, run: RunId | None = None, wake: Callable[[], None] | None = None) -> Subscription:
        """Hear of one run, or of all, from the moment on that this returns, if the broker is there.

        `wake` is called, in a thread of the bus, whenever there may be something to take; it must not block.
        """
        ...

    def close(self) -> None:
        """Send what has not been sent, and end every subscription; harmless when that was done before."""
        ...

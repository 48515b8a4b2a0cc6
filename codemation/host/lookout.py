"""What a process looks out for beside its work: turns that come, and failures that something follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codemation.core.opening import OpenRun
from codemation.core.signals import Event
from codemation.core.workflow import Workflow
from codemation.host.following import Followers
from codemation.host.queueing import Queues

if TYPE_CHECKING:
    from codemation.host.app import App


class Lookout:
    """Told what becomes true; looks when the caretaker of the process lets it."""

    def __init__(self, app: App) -> None:
        self.followers = Followers(app)
        self._app = app
        self._queues = Queues(app.engine, app.scheduler)

    def know(self, workflow: Workflow[Any, ...]) -> None:
        """Have at hand what follows the failures of a workflow."""
        self.followers.know(workflow)

    def rest(self) -> bool:
        """Whether something is to be looked at often: a run here waits for the world or its turn, or has failed."""
        watched = self._app.scheduler.watched()
        return self.followers.fresh or any(one.run.queued or one.run.snapshot.waits for one in watched)

    def hear(self, events: tuple[Event, ...]) -> None:
        """Take note of what has become true."""
        if self.followers.hear(events) or self._queues.concern(events):
            self._app.caretaker.wake()

    def look(self) -> None:
        """Take up whose turn has come, and start what follows a failure."""
        self._queues.look()
        self.followers.look()

    def make_way(self, run: OpenRun) -> None:
        """Cancel those that a queued run replaces."""
        self._queues.make_way(run, self._app.cancel)

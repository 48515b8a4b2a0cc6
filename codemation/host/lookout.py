"""What a process looks out for beside its work: turns that come, and failures that something follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from codemation.core.ids import RunId, WorkerId
from codemation.core.opening import OpenRun
from codemation.core.ports import News
from codemation.core.signals import Event
from codemation.core.states import FINISHED
from codemation.core.workflow import Workflow
from codemation.host.following import Followers
from codemation.host.queueing import Queues
from codemation.host.slots import check_pools, named_pools

if TYPE_CHECKING:
    from codemation.host.app import App


class Lookout:
    """Told what becomes true; looks when the caretaker of the process lets it."""

    def __init__(self, app: App) -> None:
        self.followers = Followers(app)
        self._app = app
        self._queues = Queues(app)

    def begin(self, new_worker: Callable[[], WorkerId], stopping: Callable[[tuple[RunId, ...]], bool]) -> None:
        """Let the caretaker look from now on, and others know how many slots the pools of this app have."""
        app = self._app
        app.caretaker.begin(new_worker, stopping, self.rest, self.look, app.family.tend)
        if app.settings.config.pools:
            app.engine.persist(app.stores.pools.declare, app.settings.config.pools)

    def know(self, workflow: Workflow[Any, ...]) -> None:
        """Have at hand what follows the failures of a workflow; a pool of which nobody says anything has one slot.

        Raises:
            HostError: the settings have pools, and not this one.
        """
        app, pools = self._app, named_pools(workflow)
        check_pools(workflow, app.settings.config.pools)
        if pools and not app.settings.config.pools:
            app.engine.persist(app.stores.pools.declare, dict.fromkeys(pools, 1), default=True)
        self.followers.know(workflow)

    def rest(self) -> bool:
        """Whether something is to be looked at often: a run here waits for the world or its turn, or has failed."""
        watched = self._app.scheduler.watched()
        return self.followers.fresh or any(one.run.queued or one.run.snapshot.waits for one in watched)

    def hear(self, news: News, events: tuple[Event, ...]) -> None:
        """Take note of what has become true: how a run came to its end."""
        if news.status in FINISHED and (self.followers.hear(events) or self._queues.concern(events)):
            self._app.caretaker.wake()

    def look(self) -> None:
        """Take up whose turn has come, and start what follows a failure."""
        self._queues.look()
        self.followers.look()

    def tend(self) -> None:
        """Mend what a crash has left anywhere in a fleet, whose workers come and go with their tickets."""
        app = self._app
        if app.fleet is None:
            return
        app.engine.persist(app.stores.events.meet)
        app.engine.persist(app.stores.events.forget)
        app.family.tend()
        self._queues.mend()
        self.followers.look()
        app.caretaker.fold()

    def make_way(self, run: OpenRun) -> None:
        """Cancel those that a queued run replaces."""
        stop = self._app.cancel if self._app.fleet is None else self._app.family.stop
        self._queues.make_way(run, stop)

"""What is owed is started: items and params are made by the workflow's own code, the run is started by key.

Several processes may do so for one and the same firing, now or after a crash: the key gives them one run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from codemation.core.errors import InputError, RunError, RunInTheWay, StoreUnavailable
from codemation.core.ids import RunId
from codemation.core.launch import Launch
from codemation.core.origins import Origin
from codemation.core.ports import Firing
from codemation.core.values import decode
from codemation.host.triggers.arms import SCHEDULES, KnownTrigger
from codemation.host.triggers.given import fired
from codemation.host.triggers.words import in_words

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.handles import RunHandle

Begin: TypeAlias = "Callable[[Launch], RunHandle]"
"""Starts a run, and works on it or leaves it to others."""
_log = logging.getLogger("codemation.triggers")
FIRST_WAIT, LONGEST_WAIT = 2.0, 900.0
"""Seconds after which something that failed is tried again: at first, and at the most."""
MAKING_WAY = 0.5
"""Seconds between looks at a run that is cancelled to make way for the next one."""


class Firer:
    """Starts what the triggers of this process owe."""

    def __init__(self, app: App) -> None:
        self._app = app

    def fire(self, known: Mapping[str, KnownTrigger], limit: int = 50) -> int:
        """Start what is owed; says how many firings were claimed for that."""
        app = self._app
        if not known:
            return 0
        claimed = app.engine.persist(app.stores.firings.claim, app.engine.worker, list(known), limit)
        for firing in claimed:
            self.settle(firing, known[firing.trigger])
        return len(claimed)

    def settle(self, firing: Firing, known: KnownTrigger) -> RunId | None:
        """Start the run that is owed, or say why there is none; a run that was started before is that run.

        Whatever goes wrong is noted at the trigger, and tried again later.
        """
        app = self._app
        firings, limit = app.stores.firings, app.settings.config.max_chain
        try:
            if firing.chain > limit:
                why = f"{limit} runs have started one another, so this one was not started: it looks like a circle"
                app.engine.persist(firings.dropped, firing, why)
                _log.error("trigger %s: %s", firing.trigger, why)
                return None
            return self.start(firing, known).id if self._has_way(firing) else None
        except StoreUnavailable:
            raise
        except RunInTheWay as error:  # as its author wants it
            app.engine.persist(firings.dropped, firing, "")
            _log.info("trigger %s starts no run: %s", firing.trigger, error.message)
        except RunError as error:  # the run that it follows was pruned, or the one that its key has started
            app.engine.persist(firings.dropped, firing, error.message)
        except Exception as error:  # noqa: BLE001  # code of the author: said at the trigger, and tried again
            said = in_words(error)
            wait = min(FIRST_WAIT * 2.0**firing.tries, LONGEST_WAIT)
            app.engine.persist(firings.failed, firing, said, wait)
            if not firing.tries:
                _log.error("trigger %s could not start its run, and tries again: %s", firing.trigger, said)
        return None

    def _has_way(self, firing: Firing) -> bool:
        """Whether the run may begin now, for all that the run before it does."""
        app = self._app
        if firing.overlap == "skip" and firing.busy is not None:
            app.engine.persist(app.stores.firings.dropped, firing, "")
            _log.info("trigger %s skips %s: run %s is not over", firing.trigger, firing.at, firing.busy)
            return False
        if firing.overlap != "replace" or not firing.serial:
            return True
        if firing.superseded:
            app.engine.persist(app.stores.firings.dropped, firing, "")
            return False
        if firing.busy is not None:
            app.family.stop(firing.busy, reason=f"replaced by the next run of {firing.trigger}")
            app.caretaker.fold()  # it ends by a fold when its nodes have stopped, and nobody else may be at it
            app.engine.persist(app.stores.firings.later, firing, MAKING_WAY)
            return False
        return True

    def start(self, firing: Firing, known: KnownTrigger, begin: Begin | None = None) -> RunHandle:
        """Start the run that is owed; or find the one that its key has started.

        Raises:
            Exception: whatever keeps it from starting, the author's own code included.
        """
        app, origin = self._app, origin_of(firing)
        try:
            run = begun(app, launch_of(known, origin, self.given(firing, known)), begin)
        except InputError:
            # By other code, or a function that says something else each time: what was started first counts.
            earlier = app.engine.persist(app.stores.firings.run_of, known.workflow.id, origin.run_key)
            if earlier is None:
                raise
            run = app.attach(earlier)
        app.engine.persist(app.stores.firings.started, firing, run.id)
        return run

    def given(self, firing: Firing, known: KnownTrigger) -> Any:
        """What sets the trigger off, as its author's code is given it."""
        if firing.kind in SCHEDULES:
            return firing.at
        told = json.loads(firing.item or "null")
        if firing.kind in ("finished", "dataset"):
            return self._app.attach(RunId(told["run"])).at(int(told["revision"]))
        return decode(told)


def launch_of(known: KnownTrigger, origin: Origin, given: Any) -> Launch:
    """The wish to run what a trigger starts.

    Raises:
        InputError: items or params do not fit.
    """
    items, params = fired(known.trigger, given, datetime.now(UTC))
    launch = known.workflow.options(key=origin.run_key).launch(items, params or None)
    return replace(launch, origin=origin, who=f"trigger {origin.trigger}")


def begun(app: App, launch: Launch, begin: Begin | None = None) -> RunHandle:
    """Start a run that anybody may work on, or as `begin` does."""
    last = app.last
    handle = (begin or app.submit)(launch)
    app.last = last
    return handle


def signed(begin: Begin, who: str) -> Begin:
    """Begins runs in the name of somebody, who has had a trigger start them."""
    return lambda launch: begin(replace(launch, who=who))


def origin_of(firing: Firing) -> Origin:
    """Where the run comes from."""
    at = firing.at.astimezone(UTC).isoformat() if firing.kind in SCHEDULES else ""
    return Origin(trigger=firing.trigger, key=firing.key, at=at, chain=firing.chain)

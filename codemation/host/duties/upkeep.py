"""What a process does for all processes, and for the triggers whose code it has, beside its work.

One thread goes its rounds: it beats for the duties that the process holds, takes those that are free, learns in the
same statement how soon there is something to do, and sleeps until then. What is long, or calls somebody else's code,
is done in threads beside it, so that a prune or a slow source delays no timer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from codemation.core.errors import HostError
from codemation.core.ports import DUTIES, DutyRow, Pulse
from codemation.host.duties.compacting import compact
from codemation.host.duties.holding import Holding
from codemation.host.pruning import Pruner
from codemation.host.runtime.liveness import place
from codemation.host.threads import started
from codemation.host.triggers.adopting import adopt_left
from codemation.host.triggers.known import Triggers
from codemation.host.triggers.ticking import tick

if TYPE_CHECKING:
    from codemation.host.app import App

_log = logging.getLogger("codemation.duties")
ROUND = 3.0
"""Seconds between two rounds at the most; the beats of the duties that are held."""
AGAIN = 1.0
"""Seconds until the next round when something is due that could not be done."""
SOON = 0.05
"""Seconds until the next round at the least."""
RECOVER = 30.0
"""Seconds between two looks for the dead. Whoever beats looks for them as well, so this is the net below that."""
REMIND = 5.0
"""Seconds between two looks for work that no worker has heard of."""
HOURLY = 3600.0
"""Seconds between two prunings of a database, or two compactions."""
FIRST = 30.0
"""Seconds after its beginning when a process first prunes: by then most are over."""
LEFT_TO_THE_HOLDER = 5.0
"""Seconds by which a source is overdue when others than the holder of `poll` ask it: he has not got its code."""


class Upkeep:
    """Goes its rounds from `begin` to `end`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.triggers = Triggers(app)
        self.pruner = Pruner(app.engine)
        self._holding = Holding(
            app.stores.duties, DUTIES, app.settings.config.duty_silence, app.settings.config.place or place()
        )
        self._over, self._news = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._firing = _Aside("codemation-firing", self._fire)
        self._adopting = _Aside("codemation-adopting", lambda: adopt_left(app, self.triggers.known))
        self._slow = {name: _Aside(f"codemation-{name}", work) for name, work in self._hourly().items()}
        self.first_prune = FIRST
        self._began = self._recovered = self._reminded = 0.0
        self._rest = min(ROUND, app.settings.config.duty_silence / 2)
        self._did: dict[str, float] = {}
        self._deaths = False
        app.caretaker.died = self._died

    def begin(self, first: float = ROUND) -> None:
        """Go rounds from now on, the first one after so many seconds; again is harmless."""
        if self._thread is None:
            self._began = time.monotonic()
            self._thread = threading.Thread(target=self._go, args=(first,), name="codemation-duties", daemon=True)
            self._thread.start()
        elif not first:
            self.wake()

    def end(self) -> None:
        """Begin nothing more, and leave what is held to others."""
        self._over.set()
        self._news.set()
        self.pruner.end()
        if self._thread is None:
            return
        self._thread.join(timeout=5.0)
        for aside in (self._firing, self._adopting, *self._slow.values()):
            aside.end()
        try:
            self._holding.leave(self._app.engine.worker)
        except HostError as error:
            _log.info("could not leave the duties to others: %s", error.message)

    def wake(self) -> None:
        """Go the next round at once: there may be something to do."""
        self._news.set()

    def outage(self) -> None:
        """The database does not answer: what was observed of others before says nothing now."""
        self._app.caretaker.outage()
        self._holding.outage()

    @property
    def held(self) -> frozenset[str]:
        """The duties that this process holds, as far as it knows."""
        return frozenset(self._holding.held)

    def _go(self, pause: float) -> None:
        while True:
            self._news.wait(pause)
            self._news.clear()
            if self._over.is_set():
                return
            pause = AGAIN
            try:
                pause = self._round()
            except HostError as error:
                self._holding.outage()
                _log.info("no round: %s", error.message)
            except Exception:  # noqa: BLE001  # the next round may fare better
                _log.exception("the upkeep failed and goes on")

    def _round(self) -> float:
        """One round; seconds until the next one."""
        app, known = self._app, self.triggers.known
        pulse = app.stores.duties.beat(app.engine.worker, self._holding.held, did=self._did, triggers=list(known))
        self._did = {}
        self._holding.look(pulse, app.engine.worker)
        self._recover()
        acted = self._due("fire", pulse.fire, self._wake_what_is_due)
        self._remind()
        acted |= self._due("schedule", pulse.schedule, self._tick)
        acted |= self._ask(pulse)
        if pulse.owed is not None and pulse.owed <= 0:
            self._firing.start()
        for name in self._slow:
            self._begin_if_due(name, next(row for row in pulse.duties if row.name == name))
        return SOON if acted else self._pause(pulse)

    def _due(self, name: str, left: float | None, work: Callable[[], bool]) -> bool:
        """Do a duty whose time has come, if it is held; says whether there may be more to do at once."""
        if name not in self._holding.held:
            return False
        late = 0.0 if left is None else max(0.0, -left)
        more = work() if left is not None and left <= 0 else False
        self._did[name] = late
        return more

    def _wake_what_is_due(self) -> bool:
        engine = self._app.engine
        left = engine.stores.tickets.fire()
        self._app.caretaker.wake()
        if self._app.fleet is not None:
            self._app.fleet.rouse()
        return left is not None and left <= 0

    def _remind(self) -> None:
        fleet = self._app.fleet
        if fleet is not None and "fire" in self._holding.held and time.monotonic() - self._reminded >= REMIND:
            self._reminded = time.monotonic()
            fleet.remind()

    def _tick(self) -> bool:
        owed, more = tick(self._app.engine, self._app.settings.config.tick_grace)
        if owed and self.triggers.known:
            self._firing.start()
        return more

    def _died(self) -> None:
        """This process has seen that somebody died: what is left is mended at once, whoever holds the duty."""
        self._deaths = True
        self.wake()

    def _recover(self) -> None:
        due = "recover" in self._holding.held and time.monotonic() - self._recovered >= RECOVER
        if due or self._deaths:
            self._recovered, self._deaths = time.monotonic(), False
            self._app.caretaker.recover()
            self._app.stores.firings.free()
            self._did["recover"] = 0.0
            self._app.lookout.tend()
            if self._app.fleet is not None:  # what the dead held is ready, and nobody has heard of it
                self._app.fleet.rouse()
            if self.triggers.known:
                self._adopting.start()

    def _ask(self, pulse: Pulse) -> bool:
        """Ask the sources that are due; whoever does not hold the duty leaves them to the holder for a while."""
        held, poller = "poll" in self._holding.held, self.triggers.poller
        if held:
            self._did["poll"] = 0.0 if pulse.poll is None else max(0.0, -pulse.poll)
        due = pulse.poll is not None and pulse.poll <= (0.0 if held else -LEFT_TO_THE_HOLDER)
        return bool((due or not poller.idle()) and poller.poll(self.triggers.known))

    def _fire(self) -> None:
        while not self._over.is_set() and self.triggers.firer.fire(self.triggers.known):
            pass

    def _begin_if_due(self, name: str, row: DutyRow) -> None:
        """Begin with a duty that is done once an hour, in a thread of its own."""
        if name not in self._holding.held or time.monotonic() - self._began < self.first_prune:
            return
        if row.age is None or not 0 <= row.age < HOURLY:  # a clock that was set back would leave it alone for as long
            self._did[name] = 0.0 if row.age is None else max(0.0, row.age - HOURLY)
            self._slow[name].start()

    def _hourly(self) -> dict[str, Callable[[], object]]:
        app = self._app
        return {"prune": self.pruner.prune, "compact": lambda: compact(app, self._over.is_set)}

    def _pause(self, pulse: Pulse) -> float:
        held = self._holding.held
        times = [pulse.owed]
        times += [pulse.fire] if "fire" in held else []
        times += [pulse.schedule] if "schedule" in held else []
        times += [pulse.poll if "poll" in held else None if pulse.poll is None else pulse.poll + LEFT_TO_THE_HOLDER]
        left = [AGAIN if one <= 0 else max(SOON, one) for one in times if one is not None]
        return min([self._rest, *left, *([] if self.triggers.poller.idle() else [AGAIN])])


class _Aside:
    """A piece of work that is done in a thread of its own, by one thread at a time."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self._name, self._work = name, work
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._again = False

    def start(self) -> None:
        """Do it now, or once more when what is being done is over."""
        with self._guard:
            self._again = True
            if self._thread is None:
                self._thread = started(self._run, name=self._name)

    def end(self, timeout: float = 5.0) -> None:
        """Wait for what is being done, so long."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._guard:
                if not self._again:
                    self._thread = None
                    return
                self._again = False
            try:
                self._work()
            except HostError as error:
                _log.info("%s: %s", self._name, error.message)
            except Exception:  # noqa: BLE001  # it is tried again
                _log.exception("%s failed and goes on later", self._name)

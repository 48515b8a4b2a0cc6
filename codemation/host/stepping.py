"""Executing the activations of one run on demand, one at a time, in the thread that asks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from codemation.core.errors import RunError
from codemation.core.ids import ActivationId, TicketId, node_of
from codemation.core.launch import Launch
from codemation.core.nesting import nested
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome, Refusal
from codemation.core.ports import Claim, Holding
from codemation.core.sharding import Ending
from codemation.core.workflow import Workflow
from codemation.host.adoption import check_drift, check_free
from codemation.host.runtime.activity import Activity
from codemation.host.runtime.capture import CAPTURE
from codemation.host.runtime.delegating import asked_of
from codemation.host.runtime.here import call_here
from codemation.host.runtime.meter import Meter
from codemation.host.runtime.performing import Performance
from codemation.host.runtime.trouble import Interrupted
from codemation.host.runtime.workbench import RunCode

if TYPE_CHECKING:
    from codemation.host.app import App

PAUSE = 0.05
"""Seconds between looks at an activation whose time has not come."""


class Stepper:
    """Holds what is due in a run, and works on one activation when it is told to."""

    def __init__(self, app: App, run: OpenRun, workflow: Workflow[Any, ...]) -> None:
        self._app = app
        self.run = run
        self.workflow = workflow
        self.meter = Meter()
        self._held: dict[ActivationId, Claim] = {}

    @property
    def code(self) -> RunCode:
        """The code that is called, with the params of the run."""
        return RunCode.of(self.workflow, self.run)

    def due(self) -> list[ActivationId]:
        """What may be worked on, those that wait for another try last; what waits for the world is not among them."""
        snapshot = self.run.snapshot
        live = [one for one in snapshot.live if one not in snapshot.waits]
        return sorted(live, key=lambda one: (one in snapshot.delayed, snapshot.plan.rank[node_of(one)], one))

    def take_up(self, outcome: Outcome) -> None:
        """Hold what a delivery let this process go on with; forget what was held before of the same ticket."""
        if outcome.next is not None:
            self._held[outcome.next.activation] = outcome.next

    def forget(self) -> None:
        """Whatever was held is not held any more."""
        self._held.clear()

    def execute(self, activation: ActivationId) -> BaseException | None:
        """Work on an activation until it has given something or failed for now; gives what its code raised.

        Raises:
            RunError: somebody else works on the run, or it was asked to stop.
            DefinitionDrift: the code is not what the run goes by.
        """
        check_drift(self.run, self.workflow, with_changes=False)
        claim = self._claimed(activation)
        work = Performance(self._app.bench, self.run, self.code, claim, self.meter)
        CAPTURE.enter()
        try:
            signal, output = work.perform(lambda: self.run.stopping)
        except BaseException as error:
            self._held[activation] = claim  # Ctrl-C: it is still ours, and can be worked on again
            if isinstance(error, Interrupted):
                raise RunError(f"run {self.run.id} was asked to stop") from None
            raise
        finally:
            CAPTURE.leave()
        engine = self._app.engine
        if isinstance(signal, Ending):  # others have split it, and now its parts are worked on one after the other
            self.take_up(engine.settle_shards(claim, signal))
            return self.execute(activation)
        outcome = engine.deliver(self.run, claim, signal, output)
        if outcome.refusal is not None:
            raise _refused(self.run, outcome.refusal)
        work.keep()
        self.take_up(outcome)
        return work.error

    def finish(self, activation: ActivationId) -> bool:
        """Let the children work that an activation waits for; says whether it is due again.

        Where one of them waits for the world itself, it goes on when the world has answered.
        """
        waits = self.run.snapshot.waits.get(activation, {}).values()
        if not any(wait.kind == "child" for wait in waits):
            return False
        self.look()
        return activation in self.due()

    def look(self) -> None:
        """Let the children of the run work, and see what has become of it."""
        self._app.family.work_on(self.run.id)
        self._app.caretaker.fold()
        self._app.engine.refresh(self.run, [claim.holding.ticket for claim in self._held.values()])

    def call(self, activation: ActivationId, item: int | None) -> Any:
        """Call the code of an activation here, with what it would be given; nothing is recorded."""
        return call_here(self._activity(activation), item)

    def inside(self, activation: ActivationId, item: int | None) -> Launch | None:
        """The run that an activation would let work, for an item if it is one of several; `None` if it lets none."""
        activity = self._activity(activation)
        workflow = nested(self.workflow).get(activity.node.id)
        if workflow is None:
            return None
        items, params = asked_of(activity, item)
        return Launch(workflow=workflow, items=items, params=params)

    def _activity(self, activation: ActivationId) -> Activity:
        check_drift(self.run, self.workflow, with_changes=False)
        holding = Holding(ticket=TicketId(0), worker=self._app.engine.worker, fence=0)
        claim = Claim(holding=holding, run=self.run.id, activation=activation, fresh=True)
        return Activity(self._app.bench, self.run, self.code, claim, self.meter)

    def release(self) -> None:
        """Hand back all that is held, so that anybody may go on."""
        held, self._held = [claim.holding for claim in self._held.values()], {}
        if held:
            engine = self._app.engine
            engine.persist(engine.stores.tickets.hand_back, held)

    def _claimed(self, activation: ActivationId) -> Claim:
        held = self._held.pop(activation, None)
        if held is not None:
            return held
        while True:
            self._app.caretaker.recover()
            for row in check_free(self._app.engine, self.run):
                if row.activation == activation and row.kind in ("work", "shard"):
                    claim = self._app.engine.claim(self.run, row.id)
                    if claim is not None:
                        return claim
            if activation not in self.run.snapshot.live:
                raise RunError(f"run {self.run.id} has changed meanwhile, and {activation} is not due any more")
            time.sleep(PAUSE)


def _refused(run: OpenRun, refusal: Refusal) -> RunError:
    if refusal is Refusal.STOPPING:
        return RunError(f"run {run.id} was asked to stop")
    return RunError(f"run {run.id} was changed by somebody else ({refusal})", way_out="open it again")

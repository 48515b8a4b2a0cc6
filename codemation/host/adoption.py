"""Going on with an unfinished run: only when nobody who lives works on it, and by one process alone."""

from __future__ import annotations

from collections.abc import Sequence

from codemation.core.delivery import Outcome
from codemation.core.engine import Engine
from codemation.core.errors import RunError
from codemation.core.opening import OpenRun
from codemation.core.ports import TicketRow
from codemation.host.caretaking import Caretaker


def adopt(engine: Engine, caretaker: Caretaker, run: OpenRun) -> Outcome:
    """What there is to do in an unfinished run, the first of it claimed.

    Raises:
        RunError: somebody works on it; says who.
    """
    caretaker.recover()
    engine.persist(engine.stores.tickets.fire)
    rows = check_free(engine, run)
    ready = [row.id for row in rows if row.activation and row.state != "running"]
    for ticket in ready:
        claim = engine.claim(run, ticket)
        if claim is not None:
            return Outcome(next=claim, ready=tuple(one for one in ready if one != ticket))
    # What waits for its time may be waited for by several; who was faster with what is ready has the run.
    check_free(engine, run)
    return Outcome(ready=tuple(ready))


def check_free(engine: Engine, run: OpenRun) -> Sequence[TicketRow]:
    """The tickets of a run that no other process works on.

    Raises:
        RunError: one does; says which.
    """
    rows = engine.persist(engine.stores.runs.tickets, run.id)
    living = {worker.id: worker for worker in engine.persist(engine.stores.workers.living)}
    for row in rows:
        if row.state == "running" and row.worker in living and row.worker != engine.worker:
            worker = living[row.worker]
            raise RunError(
                f"run {run.id} is being worked on by process {worker.pid} ({worker.name})",
                way_out=f"watch it: codemation runs show {run.id}",
            )
    return rows

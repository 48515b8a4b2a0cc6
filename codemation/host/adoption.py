"""Going on with a run: only with the code that it goes by, when nobody who lives works on it, by one process alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codemation.core.drift import drift
from codemation.core.engine import Engine
from codemation.core.errors import DefinitionDrift, RunError
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome
from codemation.core.ports import TicketRow
from codemation.core.workflow import Workflow
from codemation.host.caretaking import Caretaker


def adopt(engine: Engine, caretaker: Caretaker, run: OpenRun) -> Outcome:
    """What there is to do in an unfinished run, the first of it claimed.

    Raises:
        RunError: somebody works on it; says who.
    """
    caretaker.recover()
    caretaker.fold()
    rows = check_free(engine, run)
    ready = [row.id for row in rows if row.kind in ("work", "shard") and row.state != "running"]
    for ticket in ready:
        claim = engine.claim(run, ticket)
        if claim is not None:
            return Outcome(next=claim, ready=tuple(one for one in ready if one != ticket))
    # What waits for its time may be waited for by several; who was faster with what is ready has the run.
    check_free(engine, run)
    return Outcome(ready=tuple(ready))


def reopened(engine: Engine, run: OpenRun, workflow: Workflow[Any, ...], who: str) -> Outcome:
    """What there is to do in a run that had failed or was cancelled, the first of it claimed.

    Raises:
        RunError: it is neither, or somebody was faster; says who.
    """
    try:
        return engine.resume(run, who=who, definition=workflow.definition)
    except RunError:
        check_free(engine, run)  # whoever was faster is named
        raise


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


def check_drift(run: OpenRun, workflow: Workflow[Any, ...], *, with_changes: bool) -> None:
    """See whether a run may go on with a workflow; one that is over may move to changed code that spoils nothing.

    Raises:
        DefinitionDrift: it may not; says what has changed, and what to do.
    """
    if run.definition.digest == workflow.digest:
        return
    changes = drift(run.definition, workflow.definition)
    if not (with_changes and run.finished):
        said = "; ".join(changes.lines()) or "nothing that shows in the nodes"
        first = "" if run.finished else f"codemation runs cancel {run.id}, then "
        raise DefinitionDrift(
            f'the code of "{workflow.id}" has changed since run {run.id} was started ({said})',
            way_out=f"{first}codemation runs resume {run.id} --with-changes keeps what has succeeded; "
            f"codemation run {workflow.id} starts anew",
        )
    finished = [node for node in run.snapshot.nodes if run.snapshot.reported(node)]
    if spoiled := changes.spoils(finished):
        raise DefinitionDrift(
            f"run {run.id} has finished {', '.join(spoiled)}, which the code has changed since",
            way_out=f"start anew: codemation run {run.definition.workflow}",
        )

"""Which statement records a new run, and what it is given beside what every run has."""

from __future__ import annotations

from codemation.core.ports import Deadline, NewRun
from codemation.core.states import FINISHED
from codemation.host.postgres import run_statements
from codemation.host.postgres.statements import Statement


def starting(run: NewRun) -> Statement:
    """The statement that records a new run."""
    timed = run.deadline is not None
    if run.parent is not None:
        return run_statements.start_child(timed=timed, ended=run.status in FINISHED)
    return run_statements.start(keyed=run.key is not None, timed=timed, queued=run.turnstile is not None)


def parent_values(run: NewRun) -> dict[str, object]:
    """Whose child it is, if it is one."""
    parent = run.parent
    if parent is None:
        return {}
    return {"parent": parent.run, "parent_ticket": parent.ticket, "outcome": run.status.value}


def deadline_values(deadline: Deadline | None) -> dict[str, object]:
    """When it is told that its time is over, if it is."""
    return {} if deadline is None else {"deadline_ticket": deadline.ticket, "deadline": deadline.seconds}

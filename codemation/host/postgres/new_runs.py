"""Which statement records a new run, and what it is given beside what every run has."""

from __future__ import annotations

import json
from functools import lru_cache

from codemation.core.ports import Deadline, NewRun
from codemation.core.states import FINISHED
from codemation.host.postgres import run_statements
from codemation.host.postgres.rows import cleaned, storable
from codemation.host.postgres.statements import Statement


def starting(run: NewRun) -> Statement:
    """The statement that records a new run."""
    timed, ended = run.deadline is not None, run.status in FINISHED
    if run.parent is not None:
        return run_statements.start_child(timed=timed, ended=ended)
    told, queued = ended and run.announces, run.turnstile is not None
    return run_statements.start(keyed=run.key is not None, timed=timed, queued=queued, ended=told)


def origin_values(run: NewRun) -> dict[str, object]:
    """What has started it, and what those are told who wait for its end, or listen to it."""
    parent, origin = run.parent, None if run.origin is None else json.dumps(cleaned(run.origin))
    told: dict[str, object] = {"origin": origin, "who": storable(run.who) or None, "outcome": run.status.value}
    return told if parent is None else {**told, "parent": parent.run, "parent_ticket": parent.ticket}


def deadline_values(deadline: Deadline | None) -> dict[str, object]:
    """When it is told that its time is over, if it is."""
    return {} if deadline is None else {"deadline_ticket": deadline.ticket, "deadline": deadline.seconds}


@lru_cache(maxsize=256)
def kept_for(retention: tuple[tuple[str, float | None], ...]) -> str | None:
    """For how long a run is kept, as JSON."""
    return json.dumps(dict(retention)) if retention else None

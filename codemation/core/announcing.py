"""What triggers hear of a step: that the run has ended, and which data was written. A session sets nothing off."""

from __future__ import annotations

from codemation.core.facts import Done
from codemation.core.ids import node_of
from codemation.core.opening import OpenRun
from codemation.core.settling import Step


def announces(run: OpenRun) -> bool:
    """Whether triggers hear of it if the run ends now."""
    return not run.finished and not run.snapshot.session


def written(run: OpenRun, step: Step) -> tuple[str, ...]:
    """The names of the data that a step has written; what was not executed has written none."""
    names: tuple[str, ...] = ()
    if run.snapshot.session:
        return names
    for fact in step.delta:
        if type(fact) is Done and not fact.how and (name := run.snapshot.plan.nodes[node_of(fact.activation)].writes):
            names = (*names, name)
    return names

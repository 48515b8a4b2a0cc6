"""The table of transitions says what can happen, no more and no less."""

from __future__ import annotations

from codemation.core.advance import advance
from codemation.core.definition import Definition
from codemation.core.ids import START, NodeId, activation_id
from codemation.core.items import EMPTY
from codemation.core.limits import Limits
from codemation.core.signals import CancelRequested, Rearranged, Resumed, Signal, Started, Stopped, TimerFired
from codemation.core.snapshot import Snapshot
from codemation.core.standing import Cleared, Pinned
from codemation.core.states import FINISHED, TRANSITIONS, RunStatus
from codemation.core.waits import DEADLINE
from tests.core.test_advance import SOME, signals
from tests.core.test_definition import defined, node

SMALL = (
    defined(node("a", "start")),
    defined(node("a", "start"), node("b", "start")),
    defined(node("a", "start"), node("b", "a"), node("c", "start")),
)
Seen = set[tuple[RunStatus, str, RunStatus]]


def explored(definition: Definition, less: Definition) -> Seen:
    """Every transition within a few signals, of runs that may move to a definition with fewer nodes."""
    plans = {definition.digest: definition.plan, less.digest: less.plan}
    seen: Seen = set()
    frontier = [Snapshot(definition.plan, lambda digest: plans[digest])]
    for _ in range(5):
        following: list[Snapshot] = []
        for snapshot in frontier:
            for signal in possible(snapshot, less):
                step = advance(snapshot, signal)
                if step is None:
                    continue
                after = snapshot.fork()
                after.apply(step.delta)
                seen.add((snapshot.status, type(signal).__name__, after.status))
                if not any(after == other for other in following):
                    following.append(after)
        frontier = following[:400]
    return seen


def possible(snapshot: Snapshot, less: Definition) -> list[Signal]:
    """What could be said; tries are counted no further than the third, so that there is an end."""
    if not snapshot.revision:
        session = [Started(input=SOME, session=True)] if _is_small(snapshot) else []
        little = Started(input=SOME, limits=Limits(activations=1))
        return [Started(input=SOME), Started(input=EMPTY), little, *session]
    if any(attempt > 2 for attempt in snapshot.live.values()):
        return [CancelRequested(), Stopped()]
    moves: list[Signal] = [Resumed(digest=less.digest, was="")] if snapshot.status in FINISHED else []
    if _is_small(snapshot):
        a = NodeId("a")
        moves.append(TimerFired(activation=activation_id(START), wait=DEADLINE, at=0.0))
        moves += [Rearranged(standing=(fact,)) for fact in (Cleared(nodes=(a,)), Pinned(node=a, outputs={}))]
    return [*signals(snapshot), *moves]


def _is_small(snapshot: Snapshot) -> bool:
    return len(snapshot.plan.nodes) == 2


def test_every_transition_of_the_table_happens_and_no_other() -> None:
    start = defined(node("a", "start"))
    only_start = defined()
    seen = set().union(*(explored(definition, only_start) for definition in SMALL), explored(start, start))
    table = {
        (before, signal, after)
        for before, by_signal in TRANSITIONS.items()
        for signal, afters in by_signal.items()
        for after in afters
    }
    assert seen == table

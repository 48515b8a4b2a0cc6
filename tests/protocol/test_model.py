"""The recommended protocol keeps its promises in every interleaving, and every weaker one is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from tests.protocol.cancel_model import CancelModel, LockOrder, TakeOver
from tests.protocol.cancel_statements import Marking
from tests.protocol.child_model import ChildModel, Telling
from tests.protocol.event_model import EventModel, Meeting
from tests.protocol.exploration import Finding, explore
from tests.protocol.handback_model import HandBack, HandBackModel
from tests.protocol.inbox_model import InboxModel, Waking
from tests.protocol.join_model import Joining, JoinModel
from tests.protocol.payload_model import PayloadModel, Sharing
from tests.protocol.shard_model import ShardModel, Way
from tests.protocol.step_model import HeadLife, Release, StepModel
from tests.protocol.step_statements import Guard
from tests.protocol.step_world import Faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """A protocol without a flaw, and how many states at least an honest exploration of it visits."""

    name: str
    explored: Callable[[], Finding]
    states: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A protocol with a flaw: the promise that it breaks, and the length of the shortest story in which it does."""

    name: str
    explored: Callable[[], Finding]
    promise: str
    moves: int


FALSELY_CONDEMNED = Faults(false_condemnations=1)

CLEAN = [
    Clean(name="steps without a fault", explored=partial(explore, StepModel()), states=200),
    Clean(
        name="a kill, a false condemnation and a broken connection",
        explored=partial(explore, StepModel(faults=Faults(kills=1, false_condemnations=1, lost_connections=1))),
        states=60_000,
    ),
    Clean(name="two kills", explored=partial(explore, StepModel(faults=Faults(kills=2))), states=5_000),
    Clean(
        name="two false condemnations",
        explored=partial(explore, StepModel(faults=Faults(false_condemnations=2))),
        states=8_000,
    ),
    Clean(
        name="two broken connections",
        explored=partial(explore, StepModel(faults=Faults(lost_connections=2))),
        states=3_500,
    ),
    Clean(
        name="a kill, a lost hint and a doubled one",
        explored=partial(explore, StepModel(faults=Faults(kills=1, dropped_hints=1, doubled_hints=1))),
        states=5_000,
    ),
    Clean(
        name="cancel against claims, a kill and a false take-over",
        explored=partial(explore, CancelModel(kills=1, false_take_overs=1)),
        states=5_000,
    ),
    Clean(
        name="cancel against two false take-overs",
        explored=partial(explore, CancelModel(false_take_overs=2)),
        states=5_000,
    ),
    Clean(name="the end of a child", explored=partial(explore, ChildModel()), states=9),
    Clean(name="an event against a wait", explored=partial(explore, EventModel()), states=13),
    Clean(name="the join of shards", explored=partial(explore, JoinModel()), states=30),
    Clean(name="the life of a split activation", explored=partial(explore, ShardModel(kills=2)), states=1_500),
    Clean(name="a split activation against a cancel", explored=partial(explore, ShardModel(cancels=1)), states=2_000),
    Clean(
        name="shards that are given up, kills and a cancel",
        explored=partial(explore, ShardModel(poison=True, kills=2, cancels=1)),
        states=2_000,
    ),
    Clean(name="shared payloads and their collector", explored=partial(explore, PayloadModel()), states=30),
    Clean(name="hand-back", explored=partial(explore, HandBackModel()), states=400),
    Clean(name="signals while the inbox is folded", explored=partial(explore, InboxModel()), states=80),
]

BROKEN_STEPS = [
    Broken(
        name="no fence",
        explored=partial(explore, StepModel(guard=Guard.REVISION_ALONE, faults=FALSELY_CONDEMNED)),
        promise="the result of a is recorded twice",
        moves=10,
    ),
    Broken(
        name="no compare-and-set",
        explored=partial(explore, StepModel(guard=Guard.FENCE_ALONE)),
        promise="an unfinished run has no ticket",
        moves=7,
    ),
    Broken(
        name="fence and compare-and-set apart",
        explored=partial(explore, StepModel(guard=Guard.EACH_ITS_OWN_PART)),
        promise="an unfinished run has no ticket",
        moves=7,
    ),
    Broken(
        name="no re-dispatch",
        explored=partial(explore, StepModel(hints_again=False)),
        promise="the run is stuck at a",
        moves=0,
    ),
    Broken(
        name="a single release pass",
        explored=partial(explore, StepModel(release=Release.ONCE, faults=Faults(kills=1, false_condemnations=1))),
        promise="the run is stuck at a",
        moves=5,
    ),
    Broken(
        name="a new head for a step that is sent again",
        explored=partial(explore, StepModel(head_life=HeadLife.PER_SENDING, faults=Faults(lost_connections=1))),
        promise="the run is stuck at b",
        moves=10,
    ),
]

BROKEN_CANCELS = [
    Broken(
        name="cancel by a flag on the run",
        explored=partial(explore, CancelModel(marking=Marking.RUN_ONLY)),
        promise="other was claimed after the cancel was acknowledged",
        moves=5,
    ),
    Broken(
        name="cancel in one statement",
        explored=partial(explore, CancelModel(marking=Marking.SAME_STATEMENT)),
        promise="born was claimed after the cancel was acknowledged",
        moves=10,
    ),
    Broken(
        name="cancel that chooses tickets by state",
        explored=partial(explore, CancelModel(marking=Marking.BY_STATE, kills=1)),
        promise="held was claimed after the cancel was acknowledged",
        moves=9,
    ),
    Broken(
        name="a step that locks the ticket before the run",
        explored=partial(explore, CancelModel(lock_order=LockOrder.TICKET_THEN_RUN)),
        promise="the cancel and worker 0 are in a deadlock",
        moves=3,
    ),
    Broken(
        name="a take-over that forgets the cancel",
        explored=partial(explore, CancelModel(take_over=TakeOver.FREES_AND_FORGETS, kills=1)),
        promise="held was claimed after the cancel was acknowledged",
        moves=9,
    ),
    Broken(
        name="a take-over that frees a marked ticket",
        explored=partial(explore, CancelModel(take_over=TakeOver.FREES, kills=1)),
        promise="the run stays cancelling for ever",
        moves=8,
    ),
    Broken(
        name="a take-over that deletes a marked ticket and tells nobody",
        explored=partial(explore, CancelModel(take_over=TakeOver.DELETES, kills=1)),
        promise="the run stays cancelling for ever",
        moves=8,
    ),
]

BROKEN_PARTS = [
    Broken(
        name="a child that tells its parent after the commit",
        explored=partial(explore, ChildModel(telling=Telling.AFTER_THE_COMMIT)),
        promise="the parent waits for ever on a child that has ended",
        moves=2,
    ),
    Broken(
        name="event and wait that lock and look in one statement",
        explored=partial(explore, EventModel(meeting=Meeting.LOCK_AND_LOOK)),
        promise="event and wait are both stored, and neither saw the other",
        moves=6,
    ),
    Broken(
        name="event and wait without a lock",
        explored=partial(explore, EventModel(meeting=Meeting.NO_LOCK)),
        promise="event and wait are both stored, and neither saw the other",
        moves=4,
    ),
    Broken(
        name="a join by counting the unfinished shards",
        explored=partial(explore, JoinModel(joining=Joining.COUNT)),
        promise="every shard has ended, and nobody begins the join",
        moves=4,
    ),
    Broken(
        name="a join whose counter is a statement of its own",
        explored=partial(explore, JoinModel(joining=Joining.COUNTER_APART)),
        promise="every shard has ended, and nobody begins the join",
        moves=4,
    ),
    Broken(
        name="a join whose counter does not ask for the shard's ticket",
        explored=partial(explore, JoinModel(joining=Joining.COUNTER_UNFENCED)),
        promise="the join was begun before every shard had ended",
        moves=2,
    ),
    Broken(
        name="payloads named by their digest",
        explored=partial(explore, PayloadModel(sharing=Sharing.TOUCHED_NAMED_BY_DIGEST)),
        promise="a committed reference points to the deleted object 0",
        moves=5,
    ),
    Broken(
        name="payloads that are found but not touched",
        explored=partial(explore, PayloadModel(sharing=Sharing.UNTOUCHED)),
        promise="a committed reference points to the deleted object 0",
        moves=5,
    ),
    Broken(
        name="a hand-back that does not ask who owns the ticket",
        explored=partial(explore, HandBackModel(hand_back=HandBack.BY_TICKET)),
        promise="a worker handed back a ticket that somebody else holds",
        moves=5,
    ),
    Broken(
        name="deploys that count as losses",
        explored=partial(explore, HandBackModel(hand_back=HandBack.NEVER)),
        promise="the ticket is poison after 2 lost workers",
        moves=10,
    ),
    Broken(
        name="a sender that leaves the fold ticket alone",
        explored=partial(explore, InboxModel(waking=Waking.LEFT_ALONE)),
        promise="a signal lies in the inbox, and nobody will fold it",
        moves=7,
    ),
    Broken(
        name="a folder that looks for signals in its ending statement",
        explored=partial(explore, InboxModel(waking=Waking.LOOKED_AFTER)),
        promise="a signal lies in the inbox, and nobody will fold it",
        moves=7,
    ),
]

BROKEN_SHARDS = [
    Broken(
        name="an end that does not ask who holds the shard",
        explored=partial(explore, ShardModel(way=Way.UNFENCED_END)),
        promise="the join was recorded before every shard had ended",
        moves=8,
    ),
    Broken(
        name="a split that does not lock the run",
        explored=partial(explore, ShardModel(way=Way.SPLIT_WITHOUT_THE_RUN, cancels=1)),
        promise="shard 1 was claimed after the cancel was acknowledged",
        moves=4,
    ),
    Broken(
        name="an end that claims what a cancel has marked",
        explored=partial(explore, ShardModel(way=Way.END_IGNORES_A_CANCEL, cancels=1)),
        promise="the activation was claimed after the cancel was acknowledged",
        moves=7,
    ),
    Broken(
        name="a join that is claimed in a statement of its own",
        explored=partial(explore, ShardModel(way=Way.CLAIM_APART)),
        promise="the activation is stuck",
        moves=6,
    ),
    Broken(
        name="a shard that is given up and not counted",
        explored=partial(explore, ShardModel(way=Way.POISON_WITHOUT_COUNTING, poison=True)),
        promise="the activation is stuck",
        moves=6,
    ),
]


@pytest.mark.parametrize("clean", CLEAN, ids=lambda clean: clean.name)
def test_the_recommended_protocol_keeps_its_promises_in_every_interleaving(clean: Clean) -> None:
    finding = clean.explored()
    assert finding.flaw is None, str(finding)
    assert finding.states >= clean.states, f"only {finding.states} states: some actor or fault no longer takes part"


@pytest.mark.parametrize(
    "broken", [*BROKEN_STEPS, *BROKEN_CANCELS, *BROKEN_PARTS, *BROKEN_SHARDS], ids=lambda broken: broken.name
)
def test_a_weaker_protocol_is_caught_by_its_shortest_story(broken: Broken) -> None:
    finding = broken.explored()
    assert finding.flaw is not None, f"the flaw of '{broken.name}' is no longer seen in {finding.states} states"
    assert (finding.flaw.promise, len(finding.flaw.trace)) == (broken.promise, broken.moves), str(finding)

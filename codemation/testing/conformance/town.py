"""A world with triggers in it, to try the ports of triggers in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from codemation.core.ids import RunId, WorkerId, WorkflowId
from codemation.core.ports import Arm, ArmedTrigger, DueSchedule, Emitted, Firing, PollClaim, Stores, Tick
from codemation.testing.conformance.world import World

FLOW = WorkflowId("flow")
EVERY = {"every": 60.0, "overlap": "queue", "catch_up": "all"}
DIGEST = "ab" * 32
PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2099, 1, 1, tzinfo=UTC)
LEASE = 50.0


def arm(id_: str = "flow/every", **changes: Any) -> Arm:
    """A schedule whose first tick is long due."""
    return replace(Arm(id=id_, kind="every", number=1, config=EVERY, overlap="queue", next_at=PAST), **changes)


def source(id_: str = "flow/poll", **changes: Any) -> Arm:
    """A source that is due."""
    return arm(id_, **{"kind": "poll", "config": {"every": 60.0}, "overlap": "", **changes})


def listener(id_: str, kind: str, subject: str, outcome: str = "") -> Arm:
    """What listens to other runs."""
    return arm(id_, kind=kind, config={}, overlap="", next_at=None, subject=subject, outcome=outcome)


class Town:
    """Arms triggers, and knows them."""

    def __init__(self, stores: Stores, world: World) -> None:
        self.stores, self.world = stores, world
        self.worker = world.worker()

    def uuid(self) -> str:
        """An id for what is owed; later ones sort behind."""
        return self.world.run_id()

    def arm(self, *arms: Arm, workflow: WorkflowId = FLOW) -> None:
        """Arm triggers of a workflow and no others."""
        self.stores.armory.arm(workflow, DIGEST, arms, "somebody")

    def trigger(self, id_: str) -> ArmedTrigger:
        """A trigger as it is told of."""
        return next(one for one in self.stores.armory.triggers() if one.id == id_)

    def ticks(self, *minutes: int) -> list[Tick]:
        """Ticks so many minutes after the first."""
        return [Tick(id=self.uuid(), at=PAST + timedelta(minutes=one)) for one in minutes]

    def due(self) -> DueSchedule:
        """The schedule that is due, of which there is one."""
        (found,) = self.stores.schedules.due()
        return found

    def owe_ticks(self, *minutes: int, next_at: datetime = FUTURE) -> int | None:
        """Move the schedule that is due on to `next_at`, and owe runs for ticks."""
        return self.stores.schedules.advance(self.due(), self.ticks(*minutes), next_at)

    def claim(self, *triggers: str, worker: WorkerId | None = None, **more: Any) -> tuple[Firing, ...]:
        """Claim what is owed."""
        return self.stores.firings.claim(worker or self.worker, triggers or ("flow/every",), **more)

    def item(self, key: str, item: str = "1") -> Emitted:
        """An item of a source."""
        return Emitted(id=self.uuid(), key=key, item=item)

    def ask(self, *, worker: WorkerId | None = None) -> PollClaim | None:
        """Claim the source."""
        return self.stores.polls.claim(worker or self.worker, ["flow/poll"], LEASE)

    def asked(self) -> PollClaim:
        """The claim of a source that is due."""
        self.arm(source())
        claim = self.ask()
        assert claim is not None, "a source that is due can be claimed"
        return claim

    def save(self, claim: PollClaim, keys: Sequence[str], wait: float | None = 60.0, state: str | None = "{}") -> Any:
        """Record items of these keys."""
        return self.stores.polls.save(claim, state, [self.item(key) for key in keys], wait)

    def start(self, firing: Firing, **changes: Any) -> RunId:
        """Start what is owed; the run goes on until somebody ends it."""
        claim = self.world.held("a/1", **changes)
        self.stores.firings.started(firing, claim.run)
        return claim.run

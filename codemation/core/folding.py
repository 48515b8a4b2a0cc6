"""Fold inboxes: what was signalled from outside, and the end of a run that was asked to stop."""

from __future__ import annotations

from collections.abc import Callable

from codemation.core.advance import advance
from codemation.core.delivery import Courier
from codemation.core.errors import StoreUnavailable
from codemation.core.opening import Opener, OpenRun
from codemation.core.outcome import Refusal
from codemation.core.ports import Claim, Letter, Stores
from codemation.core.settling import Step
from codemation.core.signals import Signal, Stopped
from codemation.core.snapshot import Snapshot

UNREADABLE_PAUSE = 60.0
"""Seconds until an inbox that could not be folded is tried again: by then another release may look after it."""


class Inboxes:
    """Answers fold tickets; whoever sends a signal needs neither the plan nor a lock on the run."""

    def __init__(self, stores: Stores, opener: Opener, courier: Courier) -> None:
        self._stores = stores
        self._opener = opener
        self._courier = courier

    def fold(self, claim: Claim, read: Callable[[Letter], Signal]) -> OpenRun | None:
        """Fold what is in a run's inbox, or end a run that was asked to stop; `None` when it has to wait.

        `read` turns a letter into a signal. Where a letter or the run cannot be read, the claim, a fold
        ticket, waits for a while, so that it stands in nobody's way.
        """
        try:
            return self._folded(claim, read)
        except StoreUnavailable:
            raise
        except Exception:
            self._opener.persist(self._stores.tickets.postpone, claim.holding, UNREADABLE_PAUSE)
            raise

    def _folded(self, claim: Claim, read: Callable[[Letter], Signal]) -> OpenRun | None:
        run = self._opener.open(claim.run)
        if run.snapshot.cancelling:
            return self._stop(run, claim)
        head = self._courier.new_head()
        refusal: Refusal | None = Refusal.OVERTAKEN
        while refusal is Refusal.OVERTAKEN:
            letters = self._opener.persist(self._stores.inbox.pending, run.id)
            step = _together(run.snapshot, [read(letter) for letter in letters])
            consumed = tuple(letter.id for letter in letters)
            commit = self._courier.commit(run, claim, step, head=head, consumed=consumed)
            refusal = self._courier.write(run, commit, step)
        if refusal is None:
            return run
        # A cancel came between, or another folder: whoever is next sees it.
        self._opener.persist(self._stores.tickets.hand_back, [claim.holding])
        return None

    def _stop(self, run: OpenRun, claim: Claim) -> OpenRun | None:
        """End a run that was asked to stop, unless somebody is still at work on it."""
        tickets = self._opener.persist(self._stores.runs.tickets, run.id)
        others = [ticket for ticket in tickets if ticket.id != claim.holding.ticket]
        if any(ticket.state == "running" for ticket in others):
            self._opener.persist(self._stores.tickets.postpone, claim.holding, 0.2)
            return None
        self._courier.deliver(run, claim, Stopped())
        return run


def _together(snapshot: Snapshot, signals: list[Signal]) -> Step:
    """Several signals in one step; those that have nothing to say any more leave no trace."""
    ahead = snapshot.fork()
    steps = []
    for signal in signals:
        step = advance(ahead, signal)
        if step is not None:
            ahead.apply(step.delta)
            steps.append(step)
    return Step(
        delta=tuple(fact for step in steps for fact in step.delta),
        due=tuple(activation for step in steps for activation in step.due),
        status=ahead.status,
        reason=ahead.reason,
        events=tuple(event for step in steps for event in step.events),
    )

"""Stopping runs, and what stands below them."""

from __future__ import annotations

from codemation.core.advance import advance
from codemation.core.delivery import Courier
from codemation.core.facts import encode_delta
from codemation.core.ids import RunId
from codemation.core.means import Means
from codemation.core.opening import Opener
from codemation.core.signals import CancelRequested
from codemation.core.states import RunStatus


class Cancels:
    """Asks runs to stop, from the top down."""

    def __init__(self, opener: Opener, courier: Courier, means: Means) -> None:
        self._opener = opener
        self._stores = opener.stores
        self._courier = courier
        self._publish = means.publish

    def cancel(self, run: RunId, *, who: str = "", reason: str = "") -> RunStatus:
        """Ask a run to stop, and its children after it; when this returns, nothing of them is claimed any more.

        Says where the run stood before.
        """
        status = self._cancel(run, who, reason)
        while children := self._opener.persist(self._stores.children.unwanted, run):
            for child in children:
                self.cancel(child, who=who, reason=reason)
        return status

    def _cancel(self, run: RunId, who: str, reason: str) -> RunStatus:
        while True:
            opened = self._opener.open(run)
            step = advance(opened.snapshot, CancelRequested(who=who, reason=reason))
            if step is None:
                return opened.snapshot.status
            head, fold = self._courier.new_head(), self._courier.new_ticket()
            delta = encode_delta(step.delta)
            if self._opener.persist(self._stores.journal.cancel, run, opened.row, head, delta, fold):
                self._publish(opened.news(ahead=1), step.events)
                return opened.snapshot.status

"""Deliver the signals of many runs at once: fold each, write them in one transaction, apply each.

What others are at work on, what is refused and what would break the whole group is left to be settled alone, so that no
run stands or falls with another.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from codemation.core.delivery import Courier, Delivery, Sent
from codemation.core.ids import Head
from codemation.core.outcome import Outcome
from codemation.core.ports import Stores


class Groups:
    """Brings the signals of many runs to the journal together."""

    def __init__(self, stores: Stores, courier: Courier) -> None:
        self._stores = stores
        self._courier = courier

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Outcome | Exception | None]:
        """Record deliveries of as many runs: what followed, or what went wrong after one was recorded.

        `None` for each that has to be settled alone; what is wrong with it is heard there.
        """
        with ExitStack() as locks:
            for delivery in deliveries:
                if delivery.run.lock.acquire(blocking=False):  # nobody is waited for
                    locks.callback(delivery.run.lock.release)
                    delivery.sent = self._prepared(delivery)
            written = self._written([delivery.sent for delivery in deliveries if delivery.sent is not None])
            return [
                None if one.sent is None or one.head not in written else self._taken_up(one, one.sent)
                for one in deliveries
            ]

    def _prepared(self, delivery: Delivery) -> Sent | None:
        try:
            return self._courier.prepare(delivery)
        except Exception:  # noqa: BLE001  # it will be raised again where it is settled alone, and be heard there
            return None

    def _written(self, sent: Sequence[Sent]) -> frozenset[Head]:
        try:
            return self._stores.journal.steps([one.commit for one in sent])
        except Exception:  # noqa: BLE001  # nobody knows what stands: whoever settles one of them alone looks first
            return frozenset()

    def _taken_up(self, delivery: Delivery, sent: Sent) -> Outcome | Exception:
        delivery.run.apply(sent.step.delta, sent.commit.new_head, len(sent.commit.delta))
        try:
            return self._courier.recorded(delivery, sent)
        except Exception as error:  # noqa: BLE001  # it is told to whoever works on the run
            return error

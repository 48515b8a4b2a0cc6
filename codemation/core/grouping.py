"""Deliver the signals of many runs at once: fold each, write them in one transaction, apply each.

What others are at work on, what is refused and what would break the whole group is left to be settled alone, so that no
run stands or falls with another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from codemation.core.delivery import Courier, Delivery, Sent
from codemation.core.ids import Head
from codemation.core.outcome import Outcome
from codemation.core.ports import Stores, nothing
from codemation.core.states import FINISHED


class Written:
    """A group that was written. Its runs are held, by the thread that wrote it, until it is taken up."""

    def __init__(
        self, courier: Courier, deliveries: Sequence[Delivery], stand: frozenset[Head], locks: ExitStack
    ) -> None:
        self._courier = courier
        self._deliveries = deliveries
        self._stand = stand
        self._locks = locks

    @property
    def concerns_others(self) -> bool:
        """Whether other runs may be folded for what stands of it: children begin, or parents go on.

        That must not be done by a thread that holds the runs of another group.
        """
        sent = [(one.run, one.sent.step) for one in self._deliveries if one.sent is not None]
        return any(step.waits or (step.status in FINISHED and run.snapshot.parent) for run, step in sent)

    def take_up(self) -> list[Outcome | Exception | None]:
        """Let each run have what stands of it: what followed, or what went wrong after it was recorded.

        `None` for each that has to be settled alone; what is wrong with it is heard there.
        """
        with self._locks:
            return [
                None if one.sent is None or one.head not in self._stand else self._taken_up(one, one.sent)
                for one in self._deliveries
            ]

    def _taken_up(self, delivery: Delivery, sent: Sent) -> Outcome | Exception:
        delivery.run.apply(sent.step.delta, sent.commit.new_head, len(sent.commit.delta))
        try:
            return self._courier.recorded(delivery, sent)
        except Exception as error:  # noqa: BLE001  # it is told to whoever works on the run
            return error


class Groups:
    """Brings the signals of many runs to the journal together."""

    def __init__(self, stores: Stores, courier: Courier) -> None:
        self._stores = stores
        self._courier = courier

    def write(self, deliveries: Sequence[Delivery], meanwhile: Callable[[], object] = nothing) -> Written:
        """Record deliveries of as many runs.

        `meanwhile` is called at most once, while there is only an answer to wait for; it may take up another group,
        unless that concerns others.
        """
        with ExitStack() as locks:
            for delivery in deliveries:
                if delivery.run.lock.acquire(blocking=False):  # nobody is waited for
                    locks.callback(delivery.run.lock.release)
                    delivery.sent = self._prepared(delivery)
            stand = self._written([delivery.sent for delivery in deliveries if delivery.sent is not None], meanwhile)
            return Written(self._courier, deliveries, stand, locks.pop_all())

    def _prepared(self, delivery: Delivery) -> Sent | None:
        try:
            return self._courier.prepare(delivery)
        except Exception:  # noqa: BLE001  # it will be raised again where it is settled alone, and be heard there
            return None

    def _written(self, sent: Sequence[Sent], meanwhile: Callable[[], object]) -> frozenset[Head]:
        try:
            return self._stores.journal.steps([one.commit for one in sent], meanwhile)
        except Exception:  # noqa: BLE001  # nobody knows what stands: whoever settles one of them alone looks first
            return frozenset()

"""The bus between processes: whatever a broker carries, and a short way inside of the process."""

from __future__ import annotations

from collections.abc import Callable

from codemation.core.ids import RunId
from codemation.core.ports import News, Subscription
from codemation.host.bus.carrier import Carrier
from codemation.host.bus.notifier import Notifier
from codemation.host.bus.receiver import Receiver
from codemation.host.memory.bus import MemoryBus


class CarriedBus:
    """News go to this process's own mailboxes at once, and to those of others over a carrier."""

    def __init__(self, carrier: Carrier) -> None:
        self._here = MemoryBus()
        self._notifier = Notifier(carrier)
        self._receiver = Receiver(carrier, self._here)

    def publish(self, news: News) -> None:
        """Tell everybody, soon."""
        self._here.publish(news)
        self._notifier.put(news)

    def subscribe(self, run: RunId | None = None, wake: Callable[[], None] | None = None) -> Subscription:
        """Hear of one run, or of all."""
        mailbox = self._here.subscribe(run, wake)
        self._receiver.begin()
        return mailbox

    def close(self) -> None:
        """Send what has not been sent, and end every subscription."""
        self._notifier.close()
        self._here.close()
        self._receiver.close()

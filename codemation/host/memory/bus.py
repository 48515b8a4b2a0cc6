"""The bus inside of one process."""

from __future__ import annotations

import threading
from collections.abc import Callable

from codemation.core.ids import RunId
from codemation.core.ports import News
from codemation.host.bus.mailbox import Mailbox


class MemoryBus:
    """Puts news into the mailboxes of this process, at once."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._mailboxes: tuple[Mailbox, ...] = ()
        self._closed = False

    def publish(self, news: News) -> None:
        """Tell everybody."""
        for mailbox in self._mailboxes:
            mailbox.put(news)

    def miss(self) -> None:
        """Tell everybody that something may have been missed."""
        for mailbox in self._mailboxes:
            mailbox.miss()

    def subscribe(self, run: RunId | None = None, wake: Callable[[], None] | None = None) -> Mailbox:
        """Hear of one run, or of all."""
        mailbox = Mailbox(run, wake, self._leave)
        with self._guard:
            closed = self._closed
            if not closed:
                self._mailboxes = (*self._mailboxes, mailbox)
        if closed:
            mailbox.close()
        return mailbox

    def close(self) -> None:
        """End every subscription."""
        with self._guard:
            self._closed, mailboxes = True, self._mailboxes
        for mailbox in mailboxes:
            mailbox.close()

    @property
    def quiet(self) -> bool:
        """Whether nobody listens here."""
        return not self._mailboxes

    def _leave(self, mailbox: Mailbox) -> None:
        with self._guard:
            self._mailboxes = tuple(one for one in self._mailboxes if one is not mailbox)

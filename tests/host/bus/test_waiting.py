"""Whoever waits for a run that another process works on hears that it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import codemation as cm
from codemation.core.ids import RunId
from codemation.core.launch import Launch
from codemation.core.ports import News
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.bus.mailbox import Mailbox
from codemation.host.memory import memory_stores
from codemation.host.memory.bus import MemoryBus
from codemation.host.settings import Settings

PATIENCE = 30.0


class Heard(Mailbox):
    """Remembers what its subscriber was told; without news he waits for ever."""

    bus: HeardBus

    def next(self, timeout: float | None = None) -> News | None:
        self.bus.waits.set()
        news = super().next(PATIENCE)
        self.bus.told.append(news)
        return news


class HeardBus(MemoryBus):
    """A bus whose subscribers are waited for, and remember."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[News | None] = []
        self.waits = threading.Event()

    def subscribe(self, run: RunId | None = None, wake: Callable[[], None] | None = None) -> Mailbox:
        mailbox = Heard(run, wake, self._leave)
        mailbox.bus = self
        self._mailboxes = (*self._mailboxes, mailbox)
        return mailbox


gate = threading.Event()


@cm.node
def held() -> int:
    assert gate.wait(PATIENCE)
    return 7


flow = cm.workflow("held").then(held).build()


def test_the_end_of_a_run_of_another_process_is_heard(tmp_path: Path) -> None:
    stores, bus = memory_stores(), HeardBus()
    settings = Settings(tmp_path, {}, {})
    with (
        App(Backend(stores=stores, close=lambda: None, describes="one", bus=bus), settings) as one,
        App(Backend(stores=stores, close=lambda: None, describes="two", bus=bus), settings) as two,
    ):
        run = one.launch(Launch(workflow=flow)).serve().id
        found: list[object] = []
        waiter = threading.Thread(target=lambda: found.append(two.attach(run).result(PATIENCE)))
        waiter.start()
        assert bus.waits.wait(PATIENCE)
        gate.set()
        waiter.join(PATIENCE)
        assert found == [[7]]
        assert bus.told[-1] is not None
        assert bus.told[-1].status is RunStatus.SUCCEEDED

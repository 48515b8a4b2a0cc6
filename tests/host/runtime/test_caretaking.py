"""What a process does beside its work: beats, the dead, inboxes, and a new id when it was buried itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.engine import Engine
from codemation.core.errors import RunFailed, StoreUnavailable
from codemation.core.ids import ActivationId, RunId, TicketId, WorkerId
from codemation.core.launch import Launch
from codemation.core.means import Means
from codemation.core.opening import OpenRun
from codemation.core.ports import Lane, Letter, Stores, WorkerRow
from codemation.core.signals import Lost
from codemation.host.app import App
from codemation.host.caretaking import Caretaker
from codemation.host.identity import entropy
from codemation.host.letters import read_letter
from codemation.host.memory import memory_stores
from codemation.host.runtime.liveness import place
from tests.core.simulation.faults import reached
from tests.host.runtime.conftest import PATIENCE, opened

GONE = 2**22 + 12345
"""A pid that Linux never gives."""


def dead_worker(stores: Stores) -> WorkerId:
    """A worker of this place whose process has ended."""
    worker = WorkerId(entropy())
    stores.workers.register(WorkerRow(id=worker, name="gone", place=place(), pid=GONE, pid_started=1))
    return worker


def alone(stores: Stores, changed: Callable[[OpenRun], None] = lambda run: None) -> Caretaker:
    """A caretaker on its own."""

    def patience(tries: int, error: StoreUnavailable) -> None:
        raise error

    means = Means(entropy=entropy, lock=threading.RLock, patience=patience)
    return Caretaker(Engine(stores, WorkerId(entropy()), means), "1.0", changed)


def lost_times(stores: Stores, run: RunId, times: int) -> None:
    """Let so many workers die over the only ticket of a run."""
    for _ in range(times):
        (ticket,) = stores.runs.tickets(run)
        worker = dead_worker(stores)
        row, _ = stores.journal.load(run)
        assert stores.tickets.claim(worker, [lane(row.digest)], ticket.id) is not None
        stores.workers.bury([worker])
        stores.tickets.take_over([worker], poison_after=times)


def lane(digest: str) -> Lane:
    """The lane of ordinary work."""
    return Lane(queue="default", digest=digest)


def poisoned(app: App) -> RunId:
    """A run whose first node has killed whoever worked on it; nobody has read the letter that says so."""

    @cm.node
    def deadly() -> int:
        return 1

    handle = app.launch(Launch(workflow=cm.workflow("w").then(deadly).build()))
    assert handle.watched is not None
    app.scheduler.pause(handle.watched)
    lost_times(app.stores, handle.id, 1)
    return handle.id


def test_a_letter_is_read_as_the_signal_that_it_holds() -> None:
    letter = Letter(id=1, key="k", body='{"kind": "Lost", "activation": "a/1", "times": 3}')
    assert read_letter(letter) == Lost(activation=ActivationId("a/1"), times=3)
    with pytest.raises(ValueError, match="a signal that this release does not know: 'Guessed'"):
        read_letter(replace(letter, body='{"kind": "Guessed"}'))


def test_poison_is_folded_and_the_run_fails_with_a_reason_that_people_see(app: App) -> None:
    run = poisoned(app)
    assert app.caretaker.fold()
    assert not app.caretaker.fold()
    handle = app.attach(run)
    assert (handle.status, handle.reason) == ("failed", '"deadly" failed')
    with pytest.raises(RunFailed, match="Lost: the process that worked on it died 1 times"):
        handle.result()


def test_a_letter_that_cannot_be_read_stays_for_later_and_holds_up_no_other_run(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    run, other = poisoned(app), poisoned(app)
    app.stores.inbox.post(run, "k", '{"kind": "Unheard"}', TicketId(entropy()))
    with caplog.at_level(logging.ERROR, "codemation.caretaker"):
        assert app.caretaker.fold()
    assert f"run {run}" in caplog.text
    assert "does not know" in caplog.text
    assert len(app.stores.inbox.pending(run)) == 2
    assert {row.state for row in app.stores.runs.tickets(run)} == {"waiting"}
    assert app.attach(other).status == "failed"
    assert not app.caretaker.fold()


def test_whoever_waits_for_a_run_whose_letter_cannot_be_read_is_told(app: App) -> None:
    run = poisoned(app)
    app.stores.inbox.post(run, "k", '{"kind": "Unheard"}', TicketId(entropy()))
    with pytest.raises(ValueError, match="does not know"):
        app.caretaker.fold(run)


def test_the_dead_are_found_and_what_they_hold_is_released(stores: Stores, tmp_path: Path) -> None:
    with opened(stores, tmp_path) as app:
        workflow = cm.workflow("w").map(lambda item: 1).build()
        handle = app.launch(Launch(workflow=workflow))
        assert handle.watched is not None
        app.scheduler.pause(handle.watched)
        (ticket,) = stores.runs.tickets(handle.id)
        worker = dead_worker(stores)
        stores.tickets.claim(worker, [lane(workflow.digest)], ticket.id)
        assert app.caretaker.recover() == 1
        assert app.caretaker.recover() == 0
        assert [row.state for row in stores.runs.tickets(handle.id)] == ["ready"]
        assert worker not in {row.id for row in stores.workers.living()}
        assert app.resume(handle.id, workflow).result() == [1]


def test_a_process_that_was_buried_takes_a_new_id_and_goes_on(stores: Stores) -> None:
    ids = iter([WorkerId(101), WorkerId(102)])
    caretaker = alone(stores)
    engine = caretaker._engine
    caretaker.begin(lambda: next(ids), lambda runs: False)
    stores.workers.bury([engine.worker])
    caretaker._beat()
    assert engine.worker == 101
    assert 101 in {row.id for row in stores.workers.living()}
    caretaker._beat()
    assert engine.worker == 101
    caretaker.end()
    assert 101 not in {row.id for row in stores.workers.living()}


def test_a_beat_tells_which_runs_should_stop_and_folds_while_something_is_worked_on(stores: Stores) -> None:
    told: list[tuple[RunId, ...]] = []
    caretaker = alone(stores)

    def stopping(runs: tuple[RunId, ...]) -> bool:
        told.append(runs)
        return True

    caretaker.begin(lambda: WorkerId(entropy()), stopping)
    dead = dead_worker(stores)
    caretaker._beat()
    assert told == [(), ()]
    assert dead not in {row.id for row in stores.workers.living()}
    caretaker.end()


@pytest.mark.parametrize("error", [StoreUnavailable("away"), KeyError("a flaw")])
def test_a_beat_that_fails_is_logged_and_the_next_one_comes(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    failing, beaten = threading.Event(), threading.Event()
    failing.set()

    def asked(name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name == "workers.beat":
            if failing.is_set():
                failing.clear()
                raise error
            beaten.set()
        return method(*args, **kwargs)

    caretaker = alone(reached(memory_stores(), asked))
    caretaker.begin(lambda: WorkerId(entropy()), lambda runs: False)
    with caplog.at_level(logging.INFO, "codemation.caretaker"):
        assert beaten.wait(PATIENCE)
    caretaker.end()
    assert any(text in caplog.text for text in ("no beat: away", "the caretaker failed and goes on"))


def test_signing_off_from_a_database_that_is_away_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    away = threading.Event()

    def asked(name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if away.is_set():
            raise StoreUnavailable("away")
        return method(*args, **kwargs)

    caretaker = alone(reached(memory_stores(), asked))
    caretaker.begin(lambda: WorkerId(entropy()), lambda runs: False)
    away.set()
    with caplog.at_level(logging.INFO, "codemation.caretaker"):
        caretaker.end()
    assert "could not sign off: away" in caplog.text

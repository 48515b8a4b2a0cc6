"""A workflow under test: the real engine on a store in memory, a clock that the test moves, and no network."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from codemation.core.context import Context
from codemation.core.credentials import Credential, MissingCredential
from codemation.core.durations import seconds
from codemation.core.errors import InputError, RunFailed
from codemation.core.events import NamedEvent
from codemation.core.ids import NodeId, RunId, node_of
from codemation.core.mistakes import listed
from codemation.core.node import Node
from codemation.core.params import Params
from codemation.core.pins import Pin
from codemation.core.ports import OpenWait, Slot
from codemation.core.run import Pins, Run
from codemation.core.states import FINISHED, RunStatus
from codemation.core.triggers import Trigger
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.asking import decide, send
from codemation.host.backend import Backend
from codemation.host.handles import RunHandle
from codemation.host.memory import Tables, stores_on
from codemation.host.pinning import pins_of, pins_within
from codemation.host.settings import Settings
from codemation.host.triggers.given import fired, meant
from codemation.testing.clock import BEGINNING, VirtualClock
from codemation.testing.fakes import Fakes, with_fakes
from codemation.testing.network import closed

Given = Mapping[str, Credential | Mapping[str, object]]
"""Credentials by the name of their slot."""


class Harness:
    """Runs workflows for a test; what it has run is gone when it is closed.

    `network` names hosts that may be reached; `resources` stands in for what openers would give; `pins` are folders of
    what nodes give in every run.
    """

    def __init__(
        self,
        *,
        now: datetime = BEGINNING,
        network: Sequence[str] = (),
        resources: Mapping[Callable[..., Any], Any] | None = None,
        pins: Sequence[str | Path] = (),
    ) -> None:
        self._folders = [Path(folder) for folder in pins]
        self.clock = VirtualClock(now)
        self._open = ExitStack()
        self._credentials = _Credentials()
        self._tables = Tables(self.clock.now)
        self._runs: list[RunHandle] = []
        folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix="codemation-harness-"))
        backend = Backend(stores=stores_on(self._tables), close=lambda: None, describes="memory, for a test")
        self._app = App(
            backend,
            Settings(Path(folder), {}, {}),
            credentials=[self._credentials],
            resources=resources,
            clock=self.clock,
        )
        self._open.enter_context(self._app)
        self._open.enter_context(closed(network))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything that was run."""
        self._open.close()

    @property
    def now(self) -> datetime:
        """The time on the clock of this harness."""
        return self.clock.now()

    def run(  # noqa: PLR0913 - everything that a test may put in the place of the world
        self,
        workflow: Workflow[Any, ...],
        items: Any = None,
        *,
        params: Params | Mapping[str, object] | None = None,
        pins: Pins | None = None,
        replace: Fakes | None = None,
        credentials: Given | None = None,
    ) -> Run:
        """Run a workflow until it has finished or waits for the world; delays before retries take no time.

        `pins` are what nodes give without being executed, over those of the mark `pins`; `replace` gives nodes, by id
        or held in the hand, a function that is called instead of theirs.

        Raises:
            RunFailed: it failed; has the run.
            InputError: items, params or fakes do not fit.
        """
        self._credentials.given.update(credentials or {})
        launch = with_fakes(workflow, replace or {}).launch(items, params)
        run = self._app.launch(dataclasses.replace(launch, pins=self._pinned(workflow, pins)))
        self._runs.append(run)
        self._go_on()
        return cast("Run", run)

    def fire(self, workflow: Workflow[Any, ...], trigger: Trigger | None = None, given: Any = None, **more: Any) -> Run:
        """Start the run that a trigger of the workflow would start: the only one, or the one that is named.

        `given` is what sets it off: a time for `cm.cron` and `cm.every` (now, if none is given), a run for
        `workflow.finished()` and `dataset.written()`, a path or an item for `cm.watch`, the item for `cm.webhook` and
        `cm.poll`. `more` is what `run` takes beside items and params.

        Raises:
            InputError: the trigger would not be set off by that.
            RunFailed: the run failed.
        """
        items, params = fired(meant(workflow, trigger), given, self.now)
        return self.run(workflow, items, params=params, **more)

    def send(self, event: NamedEvent[Any], key: str, payload: object, *, dedup: str | None = None) -> bool:
        """Send an event: whoever waits for it goes on, and it is kept for who waits later; `False` if sent before.

        Raises:
            InputError: the payload does not fit the event's model.
            RunFailed: a run failed after it.
        """
        new = send(self._app, event, key, payload, dedup)
        self._go_on()
        return new

    def advance(self, duration: str | timedelta) -> None:
        """Let time pass: whatever falls due meanwhile happens at its time, in order.

        Raises:
            RunFailed: a run failed.
        """
        end = self.now + timedelta(seconds=seconds(duration))
        while (due := self._next_due()) is not None and due <= end:
            self.clock.pass_to(due)
            self._go_on()
        self.clock.pass_to(end)
        self._go_on()

    def approve(self, node: str | Node[Any, Any], *, item: int | None = None, who: str = "", **decision: Any) -> None:
        """Approve what waits at a node: one item by its position, or all; `decision` holds the fields of the form.

        Raises:
            InputError: nothing waits there.
            InvalidDecision: the fields do not fit the form.
            RunFailed: a run failed after it.
        """
        self._decide(node, item, who, decision, approved=True)

    def reject(self, node: str | Node[Any, Any], *, item: int | None = None, who: str = "", **decision: Any) -> None:
        """Reject what waits at a node: one item by its position, or all.

        Raises:
            InputError: nothing waits there.
            RunFailed: a run failed after it.
        """
        self._decide(node, item, who, decision, approved=False)

    def _decide(
        self, node: str | Node[Any, Any], item: int | None, who: str, decision: Mapping[str, Any], *, approved: bool
    ) -> None:
        name = node if isinstance(node, str) else node.id
        open_ = self._waits()
        found = [one for one in open_ if node_of(one.activation) == name and item in (None, int(one.wait or 0))]
        if not found:
            there = listed(sorted({node_of(one.activation) for one in open_}), "nothing")
            which = "nothing" if item is None else f"no item {item}"
            raise InputError(f'{which} waits for a decision at "{name}"; what waits for one: {there}')
        for wait in found:
            decide(self._app, wait.wait_key or "", approved=approved, who=who, fields=dict(decision))
        self._go_on()

    def _pinned(self, workflow: Workflow[Any, ...], pins: Pins | None) -> dict[NodeId, Pin]:
        """What nodes give: from the folders of the test what the workflow has nodes for, and over it what was given."""
        tables = self._app.tables
        found = {node: pin for folder in self._folders for node, pin in pins_within(folder, workflow, tables).items()}
        return found | pins_of(pins, workflow, tables)

    def _waits(self) -> list[OpenWait]:
        return list(self._app.stores.waits.open(kind="approval", limit=100_000))

    def _next_due(self) -> datetime | None:
        """When the next thing happens that was put off."""
        with self._tables.lock:
            later = [one.due_at for one in self._tables.tickets.values() if one.state == "waiting" and one.due_at]
        return min(later, default=None)

    def _go_on(self) -> None:
        """Work until every run has finished or waits for the world."""
        before = {run.id for run in self._runs if run.snapshot.status in FINISHED}
        while self._app.caretaker.fold() or self._moves():
            for watched in self._app.scheduler.watched():
                self._app.scheduler.drive(watched, until=self._still)
                if watched.error is not None:
                    raise watched.error
        ended = [run for run in self._runs if run.id not in before and run.snapshot.status in FINISHED]
        for run in ended:
            if run.snapshot.status is RunStatus.FAILED:
                _raise(run)

    def _moves(self) -> bool:
        """Whether there is something to do still; a child that another thread is about to start is there afterwards."""
        if not self._still():
            return True
        self._app.family.begin()
        return not self._still()

    def _still(self) -> bool:
        """Whether nothing moves any more."""
        watched = self._app.scheduler.watched()
        return all(one.settled or self._waits_for_the_world(one.run.id) for one in watched)

    def _waits_for_the_world(self, run: RunId) -> bool:
        """Whether there is nothing to do in a run, now or later, before the world has answered or a time has come.

        A run without tickets is over, and whoever ended it is about to say so.
        """
        with self._tables.lock:
            tickets = list(self._tables.of_run(run))
        return bool(tickets) and all(ticket.is_wait for ticket in tickets)


def _raise(run: RunHandle) -> None:
    """Raise the failure of a run, with a way out that is open to a test: no command finds a run in memory."""
    try:
        run.wait()
    except RunFailed as failure:
        said = "with pytest.raises(cm.RunFailed) as caught: … has the run, and what its nodes gave: caught.value.run"
        raise RunFailed(failure.message, run=run, way_out=said) from failure.__cause__


class _Credentials:
    """What the test has given; a slot that it has not given is refused, whatever the environment holds."""

    def __init__(self) -> None:
        self.given: dict[str, Credential | Mapping[str, object]] = {}

    def find(self, slot: Slot) -> Mapping[str, object] | Credential | None:
        """The credential of a slot."""
        if slot.name in self.given:
            return self.given[slot.name]
        if not slot.required:
            return None
        raise MissingCredential(
            f'{slot.name} of "{slot.node}" was not given: {slot.type.__name__}',
            way_out=f'harness.run(…, credentials={{"{slot.name}": {slot.type.__name__}(…)}}), or replace the node',
        )


def context(**fields: Any) -> Context:
    """A context to call a node with in a test: any of its fields, by name.

    Raises:
        TypeError: it has no such field.
    """
    known = [field.name for field in dataclasses.fields(Context)]
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise TypeError(f"a context has no {listed(unknown)}; it has: {listed(known)}")
    return Context(**fields)

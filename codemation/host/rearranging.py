"""A run in which may be changed what stands: it goes back, begins again at a node, has something pinned or edited."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from codemation.core.drift import drift
from codemation.core.editing import edited
from codemation.core.errors import RunError
from codemation.core.facts import Broke, Done
from codemation.core.ids import ActivationId, NodeId
from codemation.core.knowledge import Knowledge
from codemation.core.node import Node
from codemation.core.opening import OpenRun, decoded
from codemation.core.outcome import Outcome
from codemation.core.pins import Pin
from codemation.core.replaying import Pins, downstream, rearranged, what_stands
from codemation.core.signals import Rearranged
from codemation.core.snapshot import Snapshot
from codemation.core.standing import Cleared, Pinned, Standing, Unpinned
from codemation.core.workflow import Workflow
from codemation.host import pin_files, pinning
from codemation.host.handles import RunHandle, named
from codemation.host.stepping import Stepper

if TYPE_CHECKING:
    from codemation.host.app import App


class Rearrangeable(RunHandle):
    """Handle of a run that this process alone works on, when it is told to."""

    def __init__(self, app: App, run: OpenRun, workflow: Workflow[Any, ...], outcome: Outcome) -> None:
        super().__init__(app, run, workflow)
        self._stepper = Stepper(app, run, workflow)
        self._stepper.take_up(outcome)
        self._stopped_at: ActivationId | None = None
        """Where a breakpoint has stopped the run, and nothing has happened since."""

    @property
    def snapshot(self) -> Snapshot:
        """The run as it stands now."""
        return self._run.snapshot

    @property
    def pins(self) -> dict[NodeId, Pinned]:
        """What is pinned, with where it comes from."""
        return dict(self.snapshot.pins)

    @property
    def code(self) -> Workflow[Any, ...]:
        """The workflow, whose code is at hand."""
        return self._stepper.workflow

    @property
    def stale(self) -> tuple[str, ...]:
        """The nodes whose results do not count any more, and that have not been executed again."""
        return tuple(sorted(self.snapshot.stale, key=self.snapshot.plan.rank.__getitem__))

    def back(self, n: int = 1) -> Self:
        """Take back the last `n` steps; what is pinned or edited stays so.

        Raises:
            RunError: there are not so many.
        """
        return self._let_stand_what_stood(self._before(n))

    def goto(self, revision: int) -> Self:
        """Let count what counted at a revision, as far as it still fits pins and code.

        Raises:
            RunError: there is no such revision.
        """
        return self._let_stand_what_stood(revision)

    def restart(self) -> Self:
        """Begin anew, with the same params, input, pins and breakpoints."""
        return self.goto(1)

    def clear(self, node: str | Node[Any, Any]) -> Self:
        """Let a node, and all that stands on it, be executed again."""
        target = self._node(node)
        return self._rearrange(self.snapshot, downstream(self.snapshot.plan, {target}, self.snapshot.pins))

    def edit(self, node: Node[Any, Any] | Workflow[Any, ...]) -> Self:
        """Go on with other code for the node of the same id, or with another version of the workflow.

        Only what has changed, and what stands on it, is due again.

        Raises:
            AuthorError: with it the workflow cannot work; nothing has changed.
        """
        before = self.definition
        workflow = node if isinstance(node, Workflow) else edited(self._stepper.workflow, node)
        if workflow.id != before.workflow:
            raise RunError(f'this is a run of "{before.workflow}", not of "{workflow.id}"')
        if workflow.digest == before.digest:
            self._goes_by(workflow)
            return self
        changes = drift(before, workflow.definition)
        touched = {*changes.added, *changes.rewired, *changes.rewritten}
        self.app.know(workflow)
        self._rearrange(self.snapshot, touched, workflow=workflow)
        self._goes_by(workflow)
        return self

    def save_pins(self, path: str | Path) -> Path:
        """Write the session's pins into a folder, a file for each node and port."""
        fetch = self.fetcher().fetch
        return pin_files.write(Path(path), [pinning.read(pin, fetch) for pin in self.snapshot.pins.values()])

    def pin(self, node: NodeId, pin: Pin) -> Pin:
        """Let a node stand as done with what a pin holds; what stands on it is due again unless it gave the same."""
        pinning.check_allowed(self.app.settings.config, self.definition.workflow, [node])
        self._rearrange(self.snapshot, (), *pinning.stored(self.app.engine, self.id, [pin]))
        return pin

    def pin_as_it_is(self, pin: Pin) -> Pin:
        """Let a node stand as done with what it has given to these ports; what stands on it stays if these are all."""
        pinning.check_allowed(self.app.settings.config, self.definition.workflow, [pin.node])
        held, said = self.snapshot.outputs(pin.node), pin.provenance
        outputs = {port: held[port] for port in pin.ports if port in held}
        fact = Pinned(node=pin.node, outputs=outputs, by=said.by, at=said.at, origin=said.origin)
        self._rearrange(self.snapshot, (), fact)
        return pin

    def unpin(self, node: NodeId) -> None:
        """Let a node be executed again; harmless if it is not pinned."""
        if node in self.snapshot.pins:
            self._rearrange(self.snapshot, {node}, Unpinned(nodes=(node,)))

    def _before(self, n: int) -> int:
        """The revision before the last `n` steps, as the run has gone since: what was taken back is passed over."""
        _, entries = self.app.engine.persist(self.app.stores.journal.load, self.id)
        at, left = len(entries), n
        while at > 1 and left:
            delta = decoded(self.id, entries[at - 1])
            back = next((fact.to for fact in delta if isinstance(fact, Cleared) and fact.to), 0)
            if back:
                at = back
                continue
            left -= any(isinstance(fact, Done | Broke) for fact in delta)
            at -= 1
        if left:
            raise RunError(f"only {n - left} of the last {n} steps can be taken back: that is where the session began")
        return at

    def _let_stand_what_stood(self, revision: int) -> Self:
        past = self.at(revision)
        changes = drift(past.definition, self.definition)
        touched = {*changes.added, *changes.rewired, *changes.rewritten}
        return self._rearrange(past.snapshot, touched, to=revision)

    def _rearrange(
        self,
        past: Knowledge,
        touched: Collection[NodeId],
        *facts: Standing,
        to: int = 0,
        workflow: Workflow[Any, ...] | None = None,
    ) -> Self:
        """Let stand what may of `past`, after these facts about pins."""
        definition = workflow.definition if workflow else self.definition
        pins = _pins(self.snapshot, facts, definition.plan.nodes)
        standing = what_stands(past, definition.plan, pins, touched)
        change = rearranged(self.snapshot, definition.plan, standing, pins, to)
        signal = Rearranged(standing=(*facts, *change.standing), skipped=change.skipped)
        outcome = self.app.engine.rearrange(self._run, signal, definition=definition)
        self._stepper.forget()
        self._stepper.take_up(outcome)
        self._stopped_at = None
        return self

    def _goes_by(self, workflow: Workflow[Any, ...]) -> None:
        self._workflow = self._stepper.workflow = workflow

    def _node(self, node: str | Node[Any, Any]) -> NodeId:
        return RunHandle.__getitem__(self, named(node, self._workflow)).node


def _pins(run: Knowledge, facts: tuple[Standing, ...], nodes: Collection[NodeId]) -> Pins:
    """What is pinned after these facts."""
    pins: dict[NodeId, Any] = {node: pin.outputs for node, pin in run.pins.items() if node in nodes}
    for fact in facts:
        if isinstance(fact, Pinned):
            pins[fact.node] = fact.outputs
        elif isinstance(fact, Unpinned):
            for node in fact.nodes:
                pins.pop(node, None)
    return pins

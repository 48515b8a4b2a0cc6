"""A run that goes on only when it is told to: step by step, to a node or a breakpoint, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from codemation.core.errors import RunError, RunFailed
from codemation.core.ids import START, ActivationId, NodeId, node_of
from codemation.core.knowledge import Knowledge
from codemation.core.mistakes import listed
from codemation.core.node import Node
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome
from codemation.core.pins import Pin, pin_key
from codemation.core.run import Nodes
from codemation.core.workflow import Workflow
from codemation.host import pinning
from codemation.host.rearranging import Rearrangeable
from codemation.host.replays import meant_nodes
from codemation.host.results import ResultHandle
from codemation.host.runtime.trouble import theirs

if TYPE_CHECKING:
    from codemation.host.app import App

Question = Callable[[Any], object]
"""Asked of an item that a node is about to be given."""


class SessionHandle(Rearrangeable):
    """Handle of a session; the thread that calls it does the work."""

    def __init__(self, app: App, run: OpenRun, workflow: Workflow[Any, ...], outcome: Outcome) -> None:
        super().__init__(app, run, workflow, outcome)
        self._breakpoints: dict[NodeId, Question | None] = {}
        self.executing = frozenset()  # it holds what is due between its steps, too

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def due(self) -> tuple[str, ...]:
        """The nodes that may be executed now, the next one first."""
        return tuple(dict.fromkeys(map(node_of, self._stepper.due())))

    def step(self, n: int = 1) -> Self:
        """Execute the next `n` nodes.

        Raises:
            RunFailed: a node failed; `back()` takes it back, `edit(node)` mends it.
            RunError: nothing is due.
        """
        for _ in range(n):
            self._execute(self._next())
        return self

    def resume(self, from_: Nodes = None, *, with_changes: bool = False) -> Self:
        """Go on to the end or the next breakpoint; with `from_` begin again there.

        `with_changes` moves a session whose code has changed since it was begun to the code of today.

        Raises:
            DefinitionDrift: the code has changed; says what.
        """
        if with_changes:
            self.edit(self.code)
        for node in meant_nodes(self.code, from_):
            self.clear(node)
        return self.continue_()

    def step_into(self, item: int | None = None) -> Any:
        """Call the code of the next node here, with what it would be given, and give what it gives.

        It is a plain call, so a debugger stops in it; nothing is recorded, and the node is due as before. Of a node
        that is called once per item, `item` is the position of the item, by default the first. Of a sub-workflow it is
        a session of the run that would do the work.

        Raises:
            RunError: nothing is due, the node has no code, or no such item.
        """
        activation = self._next()
        inside = self._stepper.inside(activation, item)
        if inside is None:
            return self._stepper.call(activation, item)
        from codemation.host.opening import begin  # noqa: PLC0415 - which begins sessions, and therefore imports this

        return begin(self.app, inside)

    def run_to(self, node: str | Node[Any, Any]) -> Self:
        """Execute what `node` stands on, and then the node; stops earlier at a breakpoint.

        Raises:
            RunFailed: a node failed.
            RunError: nothing that is due leads there.
        """
        target = self._node(node)
        wanted = _upstream(self.snapshot, target)
        while not self.snapshot.reported(target):
            due = [one for one in self._stepper.due() if node_of(one) in wanted]
            if not due:
                raise RunError(f'nothing that is due leads to "{target}"', way_out=f"due: {listed(self.due)}")
            if self._stops_at(due[0]):
                return self
            self._execute(due[0])
        return self

    def continue_(self) -> Self:
        """Go on to the next breakpoint, or to the end; returns as well when the run waits for the world.

        Raises:
            RunFailed: a node failed.
        """
        while due := self._stepper.due():
            if self._stops_at(due[0]):
                break
            self._execute(due[0])
        return self

    def break_at(self, node: str | Node[Any, Any], when: Question | None = None) -> Self:
        """Stop before `node`; with `when` only if it says so of an item that the node is about to be given.

        Rows of a table are given to `when` as dicts.
        """
        self._breakpoints[self._node(node)] = when
        return self

    def close(self) -> None:
        """Hand back what is held, so that the session can be opened elsewhere at once."""
        self._stepper.release()

    def __getitem__(self, node: Any) -> SessionNode:
        """What one node took and gave, by id or by the node itself."""
        found = super().__getitem__(node)
        return SessionNode(self, found.node)

    def __repr__(self) -> str:
        due = f", due: {listed(self.due)}" if self.due else ""
        return f'<Session {self.id} of "{self.definition.workflow}": {self.status}{due}>'

    def _next(self) -> ActivationId:
        if not self._stepper.due() and self.snapshot.waits:
            self._stepper.look()
        if due := self._stepper.due():
            return due[0]
        if failed := self.snapshot.failed():
            raise RunError(
                f"nothing is due, for {listed(failed)} failed", way_out="session.back(), or session.edit(node)"
            )
        stands = "it waits for the world" if self.snapshot.waits else f"the run is {self.status}"
        raise RunError(f"nothing is due: {stands}", way_out="session.back(), or session.restart()")

    def _execute(self, activation: ActivationId) -> None:
        self._stopped_at = None
        self.executing = frozenset((activation,))
        try:
            cause = self._stepper.execute(activation)
            while self._stepper.finish(activation):
                cause = self._stepper.execute(activation)
        finally:
            self.executing = frozenset()
        node = node_of(activation)
        if node in self.snapshot.failed():
            error = self.snapshot.nodes[node].error
            said = f"{error.type}: {error.message}" if error else self.reason
            failure = RunFailed(
                f'session {self.id} stopped at "{node}": {said}',
                run=self,
                way_out=f"session.edit({node}) with the mended node and go on, or session.back()",
            )
            failure.__cause__ = cause and cause.with_traceback(theirs(cause.__traceback__))
            raise failure

    def _stops_at(self, activation: ActivationId) -> bool:
        """Whether to stop before an activation; not twice at the same one without a step between."""
        node = node_of(activation)
        if node not in self._breakpoints or self._stopped_at == activation:
            return False
        when = self._breakpoints[node]
        if when is not None and not self._asked(node, when):
            return False
        self._stopped_at = activation
        return True

    def _asked(self, node: NodeId, when: Question) -> bool:
        fetcher = self.fetcher()
        given = [fetcher.given(one) for one in self.snapshot.plan.nodes[node].inputs if not one.ordering]
        return any(when(value) for one in given[:1] for value in fetcher.items(one).values)


class SessionNode(ResultHandle):
    """What one node of a session took and gave; here it can be pinned."""

    def __init__(self, session: SessionHandle, node: NodeId, port: str | None = None) -> None:
        super().__init__(session, node, port)
        self._session = session

    def pin(self, value: Any = ...) -> Pin:
        """Let the node stand as done with this value, or with what it has given."""
        if value is ...:
            return self._session.pin_as_it_is(super().pin())
        return self._session.pin(
            self.node,
            pinning.made(
                self._session.code, pin_key(self.node, self.port), value, self._session.app.tables, pinning.provenance()
            ),
        )

    def unpin(self) -> None:
        """Let the node be executed again, and what stands on it."""
        self._session.unpin(self.node)

    def __getitem__(self, port: str) -> SessionNode:
        """The same for another port."""
        return SessionNode(self._session, self.node, port)


def _upstream(run: Knowledge, node: NodeId) -> set[NodeId]:
    """What a node stands on, itself included."""
    found, frontier = {node}, [node]
    while frontier:
        for before in run.plan.awaits[frontier.pop()]:
            if before not in found:
                found.add(before)
                frontier.append(before)
    return found - {START}

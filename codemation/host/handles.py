"""Runs as their users hold them: `run.status`, `run["clean"].frame`, `run.resume()`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from codemation.core.differing import Diff
from codemation.core.errors import RunCancelled, RunError
from codemation.core.ids import MAIN, START, ActivationId, NodeId
from codemation.core.inputs import Fetcher
from codemation.core.mistakes import listed, meant
from codemation.core.node import Node
from codemation.core.opening import OpenRun, decoded
from codemation.core.run import Nodes, Others, Pins
from codemation.core.signature import Signature
from codemation.core.snapshot import Snapshot
from codemation.core.states import FINISHED, RunStatus
from codemation.core.workflow import UnknownNode, Workflow
from codemation.host.answering import Answering
from codemation.host.asked import Asked
from codemation.host.differences import difference
from codemation.host.endings import driven, fail, gone, wait_for_others
from codemation.host.launching import decoded_params
from codemation.host.replays import Wish, replay, resume_from
from codemation.host.results import ResultHandle, together
from codemation.host.showing import ShownRun

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.runtime.scheduler import Watched

POLL = 1.0
"""Seconds between looks at a run that another process works on."""


class RunHandle(Answering, ShownRun, Asked):
    """Handle and result of one run."""

    executing: frozenset[ActivationId] | None = None
    """The activations that are executed now, where the handle decides that; else whoever holds a ticket is at it."""

    def __init__(
        self,
        app: App,
        run: OpenRun,
        workflow: Workflow[Any, ...] | None = None,
        watched: Watched | None = None,
        *,
        frozen: bool = False,
    ) -> None:
        """`watched` is the run as this process works on it; a `frozen` one stays at the revision that it is at."""
        self.app = app
        self._run = run
        self._workflow = workflow
        self.watched = watched
        self.frozen = frozen
        self._errors: Mapping[NodeId, BaseException] = {}

    @property
    def workflow(self) -> Workflow[Any, ...] | None:
        """The workflow, if its code is at hand."""
        return self._workflow

    @property
    def snapshot(self) -> Snapshot:
        """The run as it stands now, or at the revision that this handle was opened at."""
        worked_on = self.watched is not None and not self.watched.stop()
        if not (self.frozen or worked_on or self._run.finished):
            self.app.engine.opener.follow(self._run)
        return self._run.snapshot

    @property
    def params(self) -> Any:
        """The parameters that it was started with; a dict when the code is not at hand."""
        text = self._run.row.params
        return decoded_params(self._workflow, text) if self._workflow else json.loads(text)

    @property
    def output(self) -> Any:
        """What the workflow gave, in the type that its last node returned.

        Raises:
            RunError: the workflow has several outputs, or none.
        """
        names = list(self.definition.outputs)
        if MAIN in names or len(names) == 1:
            return _gathered(self, MAIN if MAIN in names else names[0])
        said = f"the workflow has no single output; it has: {listed(names, 'none')}"
        raise RunError(said, way_out="run.outputs, or run[node].output")

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Everything that the workflow gave, by name."""
        return {name: _gathered(self, name) for name in self.definition.outputs}

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end, at most `timeout` seconds, working on the run if this process does; gives the output.

        Several outputs are given by name.

        Raises:
            RunFailed: it failed.
            RunCancelled: it was cancelled.
            RunPaused: Ctrl-C while this process worked on it.
            TimeoutError: it is not over yet.
        """
        self.wait(timeout)
        names = self.definition.outputs
        return self.output if MAIN in names or len(names) == 1 else self.outputs or None

    def wait(self, timeout: float | None = None) -> None:
        """Do what `result` does, without reading what came out; raises the same."""
        if not self._run.finished:
            self._check_present()
        self._wait(timeout)
        status = self.status
        if status is RunStatus.FAILED:
            fail(self, self._errors)
        if status is RunStatus.CANCELLED:
            raise RunCancelled(f"run {self.id} was cancelled: {self.reason}", run=self)
        if status not in FINISHED:
            raise TimeoutError(f"run {self.id} is still {status} after {timeout} s")

    def go(self) -> RunHandle:
        """Work on the run until it is over or waits for the world; in the latter case threads of the process go on.

        Raises:
            RunFailed: it failed.
            RunCancelled: it was cancelled.
            RunPaused: Ctrl-C while this process worked on it.
        """
        return gone(self)

    def serve(self) -> RunHandle:
        """Let threads of this process work on the run."""
        if self.watched is not None:
            self.app.scheduler.serve(self.watched)
        return self

    def cancel(self) -> None:
        """Ask the run to stop; when this returns, nothing of it is claimed any more."""
        self._check_present()
        self.app.cancel(self.id)

    def resume(self, from_: Nodes = None) -> RunHandle:
        """Go on from where the run failed or was left; returns when it is over.

        With `from_` a run that is over begins again there: this node, and all that stands on it, are done again.

        Raises:
            AmbiguousStart: `from_` may mean several nodes; says which.
        """
        self._check_present()
        code = self._code()
        resumed = self.app.resume(self.id, code) if from_ is None else resume_from(self.app, self, code, from_)
        self._run, self._errors = resumed._run, {}  # noqa: SLF001 - this handle follows
        return resumed.go()

    def replay(
        self, *, from_: Nodes = None, to: Nodes = None, pins: Pins | None = None, params: Others = None
    ) -> RunHandle:
        """A new run with the same params and input, linked to this one; returns when it is over.

        What does not stand on `from_` is taken over by reference, and nothing is run that `to` does not stand on. With
        `to` alone just that node is done again, and what is missing before it. `params` gives some of them other
        values: whatever sees one that has changed is done again.

        Raises:
            AmbiguousStart: `from_` or `to` may mean several nodes; says which.
            SourcePruned: what is to be taken over is not there any more.
        """
        begun = replay(self.app, self, self._code(), Wish(from_=from_, to=to, pins=pins, params=params))
        begun.wait()
        return begun

    def diff(self, other: RunHandle) -> Diff:
        """What differs, from this run to another one: params, code, columns, rows and timing."""
        return difference(self, other)

    def at(self, revision: int) -> RunHandle:
        """The run as it was at an earlier revision."""
        row, entries = self.app.engine.persist(self.app.stores.journal.load, self.id)
        if not 1 <= revision <= len(entries):
            raise RunError(f"run {self.id} has the revisions 1 to {len(entries)}, not {revision}")
        deltas = [decoded(self.id, entry) for entry in entries]
        opener = self.app.engine.opener
        snapshot, first = opener.folded(row, deltas, upto=revision)
        definition = opener.definition(snapshot.digest) if snapshot.digest else first
        past = OpenRun(row, definition, snapshot, self._run.lock)
        return RunHandle(self.app, past, self._workflow, frozen=True)

    def __getitem__(self, node: Any) -> ResultHandle:
        """What one node took and gave, by id or by the node itself."""
        name, nodes = named(node, self._workflow), self.definition.plan.nodes
        if name not in nodes:
            known = [one for one in nodes if one != START]
            raise UnknownNode(
                f"run {self.id} has no node {name!r}", way_out=meant(name, known, f"it has {listed(known)}")
            )
        return ResultHandle(self, name)

    def signature(self, node: NodeId) -> Signature | None:
        """How the code of a node is called, if it is at hand."""
        code = self._workflow.code.get(node) if self._workflow else None
        return code.signature if code else None

    def fetcher(self) -> Fetcher:
        """Reads payloads of the run."""
        return Fetcher(
            snapshot=self.snapshot,
            fetch=lambda batch: self.app.fetch(self.id, batch),
            tables=self.app.tables,
            files=self.app.stores.blobs,
        )

    def _code(self) -> Workflow[Any, ...]:
        if self._workflow is None:
            raise RunError(f"the code of run {self.id} is not at hand", way_out=f"codemation runs resume {self.id}")
        return self._workflow

    def _check_present(self) -> None:
        if self.frozen:
            message = f"this is run {self.id} as it was at revision {self.revision}, where it stays {self.status}"
            raise RunError(message, way_out="use the handle of the run itself")

    def _wait(self, timeout: float | None) -> None:
        until = float("inf") if timeout is None else time.monotonic() + timeout
        watched, scheduler = self.watched, self.app.scheduler
        if watched is None:
            wait_for_others(self, until)
            return
        driven(self, watched, timeout)
        if watched.settled:
            scheduler.release(watched)
            self._errors, self.watched = watched.errors, None
            wait_for_others(self, until)


def named(node: object, workflow: Workflow[Any, ...] | None) -> NodeId:
    """The id of a node that is named or held in the hand."""
    if isinstance(node, str):
        return NodeId(node)
    if isinstance(node, Node):
        return workflow.find(node) if workflow is not None else NodeId(node.id)
    raise UnknownNode(f"{node!r} is no node", way_out="give the id of a node, or the node itself")


def _gathered(run: RunHandle, name: str) -> Any:
    """One output of the workflow, which several nodes may give together."""
    sources = run.definition.outputs[name]
    return ResultHandle(run, sources[0].node, sources[0].port).output if len(sources) == 1 else together(run, sources)

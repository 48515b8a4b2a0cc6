"""Runs as their users hold them: `run.status`, `run["clean"].frame`, `run.resume()`."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from codemation.core.errors import RunCancelled, RunError, RunFailed, RunPaused
from codemation.core.facts import decode_delta
from codemation.core.ids import ERROR, MAIN, START, NodeId, RunId
from codemation.core.inputs import Fetcher
from codemation.core.items import Batch, Failure
from codemation.core.opening import OpenRun
from codemation.core.payload import decode_items
from codemation.core.signature import Shape, Signature
from codemation.core.snapshot import NodeRecord, Snapshot
from codemation.core.states import FINISHED, NodeStatus, RunStatus
from codemation.core.workflow import Workflow

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.runtime.scheduler import Watched

POLL = 1.0
"""Seconds between looks at a run that another process works on."""


class RunHandle:
    """Handle and result of one run."""

    def __init__(
        self,
        app: App,
        run: OpenRun,
        workflow: Workflow[Any, ...] | None = None,
        watched: Watched | None = None,
        frozen: Snapshot | None = None,
    ) -> None:
        self.app = app
        self._run = run
        self._workflow = workflow
        self.watched = watched
        self._frozen = frozen
        self._errors: Mapping[NodeId, BaseException] = {}

    @property
    def id(self) -> RunId:
        """Names the run."""
        return self._run.id

    @property
    def workflow(self) -> Workflow[Any, ...] | None:
        """The workflow, if its code is at hand."""
        return self._workflow

    @property
    def snapshot(self) -> Snapshot:
        """The run as it stands now, or at the revision that this handle was opened at."""
        if self._frozen is not None:
            return self._frozen
        if self.watched is None and not self._run.finished:
            self._run = self.app.engine.open(self.id)
        return self._run.snapshot

    @property
    def status(self) -> RunStatus:
        """Where the run stands."""
        return self.snapshot.status

    @property
    def reason(self) -> str:
        """Why it stands there."""
        return self.snapshot.reason

    @property
    def revision(self) -> int:
        """How many signals it has accepted."""
        return self.snapshot.revision

    @property
    def params(self) -> Any:
        """The parameters that it was started with; a dict when the code is not at hand."""
        model = self._workflow.params if self._workflow else None
        return model.model_validate_json(self._run.row.params) if model else json.loads(self._run.row.params)

    @property
    def output(self) -> Any:
        """What the workflow gave, in the type that its last node returned.

        Raises:
            RunError: the workflow has several outputs, or none.
        """
        outputs = self.outputs
        if MAIN in outputs:
            return outputs[MAIN]
        if len(outputs) == 1:
            return next(iter(outputs.values()))
        names = ", ".join(outputs) or "none"
        raise RunError(f"the workflow has no single output; it has: {names}", way_out="run.outputs, or run[node].output")

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Everything that the workflow gave, by name."""
        return {name: self._gathered(name) for name in self._run.definition.outputs}

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end, at most `timeout` seconds, working on the run if this process does; gives the output.

        Raises:
            RunFailed: it failed.
            RunCancelled: it was cancelled.
            RunPaused: Ctrl-C while this process worked on it.
            TimeoutError: it is not over yet.
        """
        self._wait(timeout)
        status = self.status
        if status is RunStatus.FAILED:
            raise self._failure()
        if status is RunStatus.CANCELLED:
            raise RunCancelled(f"run {self.id} was cancelled: {self.reason}", run=self)
        if status not in FINISHED:
            raise TimeoutError(f"run {self.id} is still {status} after {timeout} s")
        return self.output if self._run.definition.outputs else None

    def serve(self) -> RunHandle:
        """Let threads of this process work on the run."""
        self.app.scheduler.serve()
        return self

    def cancel(self) -> None:
        """Ask the run to stop; when this returns, nothing of it is claimed any more."""
        self.app.cancel(self.id)

    def resume(self) -> RunHandle:
        """Go on from where the run failed or was left; returns when it is over."""
        if self._workflow is None:
            raise RunError(f"the code of run {self.id} is not at hand", way_out=f"codemation runs resume {self.id}")
        handle = self.app.resume(self.id, self._workflow)
        handle.result()
        return handle

    def at(self, revision: int) -> RunHandle:
        """The run as it was at an earlier revision."""
        row, entries = self.app.stores.journal.load(self.id)
        if not 1 <= revision <= len(entries):
            raise RunError(f"run {self.id} has the revisions 1 to {len(entries)}, not {revision}")
        deltas = [decode_delta(entry.delta) for entry in entries]
        frozen, _ = self.app.engine.opener.folded(row, deltas, upto=revision)
        return RunHandle(self.app, self._run, self._workflow, frozen=frozen)

    def __getitem__(self, node: Any) -> ResultHandle:
        """What one node took and gave, by id or by the node itself."""
        name = NodeId(node) if isinstance(node, str) else self._named(node)
        if name not in self._run.definition.plan.nodes:
            known = ", ".join(one for one in self._run.definition.plan.nodes if one != START)
            raise KeyError(f'run {self.id} has no node "{name}"; it has {known}')
        return ResultHandle(self, name)

    def __repr__(self) -> str:
        return f'<Run {self.id} of "{self._run.definition.workflow}": {self.status}>'

    def signature(self, node: NodeId) -> Signature | None:
        """How the code of a node is called, if it is at hand."""
        code = self._workflow.code.get(node) if self._workflow else None
        return code.signature if code else None

    def fetcher(self) -> Fetcher:
        """Reads payloads of the run."""
        payloads = self.app.stores.payloads
        return Fetcher(
            snapshot=self.snapshot,
            fetch=lambda batch: payloads.get(self.id, batch),
            tables=self.app.tables,
            files=self.app.stores.blobs,
        )

    @property
    def definition(self) -> Any:
        """The definition that the run goes by."""
        return self._run.definition

    def _named(self, node: Any) -> NodeId:
        if self._workflow is not None:
            return self._workflow.find(node)
        return NodeId(node.id)

    def _gathered(self, name: str) -> Any:
        sources = self._run.definition.outputs[name]
        results = [ResultHandle(self, source.node, source.port) for source in sources]
        if len(results) == 1:
            return results[0].output
        return [item for result in results for item in result.items]

    def _wait(self, timeout: float | None) -> None:
        watched, scheduler = self.watched, self.app.scheduler
        if watched is None:
            self._wait_for_others(timeout)
            return
        try:
            scheduler.drive(watched, patience=timeout)
        except KeyboardInterrupt:
            scheduler.pause(watched)
            raise RunPaused(self.id) from None
        if watched.error is not None:
            error = watched.error
            scheduler.pause(watched, grace=0.0)
            raise error
        if watched.settled:
            scheduler.release(watched)
            self._errors, self.watched = watched.errors, None
            if not self._run.finished:
                self._wait_for_others(timeout)

    def _wait_for_others(self, timeout: float | None) -> None:
        waiter = threading.Event()
        left = float("inf") if timeout is None else timeout
        while self.snapshot.status not in FINISHED and left > 0:
            self.app.caretaker.fold()
            waiter.wait(min(POLL, left))
            left -= POLL

    def _failure(self) -> RunFailed:
        node = self.snapshot.failed()[0] if self.snapshot.failed() else None
        if node is None:
            return RunFailed(f"run {self.id} failed: {self.reason}", run=self)
        record = self.snapshot.nodes[node]
        error = record.error
        item = f", item {error.item}" if error and error.item is not None else ""
        said = f"{error.type}: {error.message}" if error else self.reason
        failure = RunFailed(
            f'run {self.id} of "{self._run.definition.workflow}" failed at "{node}"{item}: {said}',
            run=self,
            way_out=f"codemation runs show {self.id}; after the fix: codemation runs resume {self.id}",
        )
        failure.__cause__ = self._errors.get(node)
        return failure


class ResultHandle:
    """What one port of a node held."""

    def __init__(self, run: RunHandle, node: NodeId, port: str = "") -> None:
        self._run = run
        self._node = node
        plan = run.definition.plan.nodes[node]
        self._port = port or (MAIN if MAIN in plan.ports else plan.ports[0])
        if self._port not in plan.ports:
            raise KeyError(f'"{node}" has no port "{port}"; it has {", ".join(plan.ports)}')

    @property
    def record(self) -> NodeRecord | None:
        """What the run knows of the node."""
        return self._run.snapshot.nodes.get(self._node)

    @property
    def status(self) -> str:
        """Where the node stands; `pending` while nothing has reached it."""
        return self.record.status.value if self.record else "pending"

    @property
    def batch(self) -> Batch:
        """The reference to what the port held."""
        return self._run.snapshot.output(self._node, self._port)

    @property
    def count(self) -> int:
        """Items, or rows of the table."""
        return self.batch.count

    @property
    def items(self) -> list[Any]:
        """What the port held, item by item; the rows of a table as dicts."""
        batch = self.batch
        if not batch.size:
            return []
        data = self._run.fetcher().fetch(batch)
        return self._run.app.tables.rows(data) if batch.kind == "table" else list(decode_items(data).values)

    @property
    def item(self) -> Any:
        """The only item.

        Raises:
            RunError: there is not exactly one.
        """
        items = self.items
        if len(items) != 1:
            raise RunError(f'"{self._node}" gave {len(items)} items, not one', way_out=f'run["{self._node}"].items')
        return items[0]

    @property
    def output(self) -> Any:
        """What the node gave, in the type that it returned."""
        signature = self._run.signature(self._node)
        if self.batch.kind == "table":
            wanted = signature.result.item_type if signature and signature.result.shape is Shape.TABLE else None
            return self._table(wanted) if wanted else self.frame
        plan = self._run.definition.plan.nodes[self._node]
        single = plan.grain != "item" and signature is not None and signature.result.shape is Shape.ONE
        return self.item if single and self.count == 1 else self.items

    @property
    def frame(self) -> Any:
        """What the port held as a table: of the library that the node returned, else of the configured one."""
        signature = self._run.signature(self._node)
        if signature and signature.result.shape is Shape.TABLE:
            return self._table(signature.result.item_type)
        frames = {"polars": "polars", "pandas": "pandas", "arrow": "pyarrow"}
        chosen = self._run.app.settings.config.frames
        names = [chosen] if chosen else list(frames)
        found = next(name for name in names if importlib.util.find_spec(frames[name]))
        return getattr(self, found)

    @property
    def polars(self) -> Any:
        """What the port held as a polars table."""
        import polars

        return self._table(polars.DataFrame)

    @property
    def pandas(self) -> Any:
        """What the port held as a pandas table."""
        import pandas

        return self._table(pandas.DataFrame)

    @property
    def arrow(self) -> Any:
        """What the port held as a pyarrow table."""
        import pyarrow

        return self._table(pyarrow.Table)

    @property
    def schema(self) -> tuple[tuple[str, str], ...]:
        """Names and Arrow types of the columns."""
        return self._run.app.tables.schema(self._packed())

    @property
    def input(self) -> Any:
        """What reached the node: a list of items for each input, by name; the list alone if there is only one."""
        plan, fetcher = self._run.definition.plan.nodes[self._node], self._run.fetcher()
        given = {one.name: list(fetcher.items(fetcher.given(one)).values) for one in plan.inputs if not one.ordering}
        return next(iter(given.values())) if len(given) == 1 else given

    @property
    def error(self) -> Failure[Any] | None:
        """Why the node failed, or is tried again."""
        record = self.record
        if record is None or record.error is None:
            return None
        return Failure(
            item=None,
            type=record.error.type,
            error=record.error.message,
            node=self._node,
            attempts=record.attempt,
            traceback=record.error.traceback,
        )

    @property
    def failures(self) -> list[Failure[Any]]:
        """The items that failed without failing the node."""
        plan = self._run.definition.plan.nodes[self._node]
        return ResultHandle(self._run, self._node, ERROR).items if ERROR in plan.ports else []

    @property
    def logs(self) -> str:
        """What the node printed and logged."""
        return "\n".join(line.text for line in self._run.app.stores.logs.read(self._run.id, self._node))

    @property
    def attempts(self) -> int:
        """How often the node was tried; 0 while nothing has reached it."""
        record = self.record
        if record is None or record.status is NodeStatus.SKIPPED:
            return 0
        return record.attempt - (record.status is NodeStatus.WAITING)

    def __getitem__(self, port: str) -> ResultHandle:
        """The same for another port."""
        return ResultHandle(self._run, self._node, port)

    def __repr__(self) -> str:
        return f"<{self._node}[{self._port}]: {self.status}, {self.count}>"

    def _table(self, wanted: Any) -> Any:
        return self._run.app.tables.unpack(self._packed(), wanted)

    def _packed(self) -> bytes:
        if self.batch.kind == "table":
            return self._run.fetcher().fetch(self.batch)
        return bytes(self._run.app.tables.from_rows(self.items).data)



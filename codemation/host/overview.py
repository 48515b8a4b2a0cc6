"""Runs as people see them: from the journal and the live tickets to rows and views, for command line and web."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from codemation.core.definition import Definition, NodePlan
from codemation.core.errors import CodemationError
from codemation.core.ids import START, ActivationId, NodeId, activation_id, node_of
from codemation.core.items import Item
from codemation.core.origins import Origin
from codemation.core.ports import RunRow as StoredRun
from codemation.core.record import NodeRecord
from codemation.core.sharding import is_sharded
from codemation.core.snapshot import Snapshot
from codemation.core.states import FINISHED, RunStatus
from codemation.core.states import NodeStatus as Stage
from codemation.host.alone import LEFT_ALONE, left_alone
from codemation.host.awaiting import run_in_words, turn_in_words, wait_rows, waits_in_words, with_times
from codemation.host.explaining import how
from codemation.host.handles import RunHandle
from codemation.host.launching import params_as_written
from codemation.host.naming import short
from codemation.views.failures import FailureView, frames_of
from codemation.views.marks import NodeStatus
from codemation.views.runs import NodeRow, RunRow, RunView

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.results import ResultHandle

_ENDED = frozenset({NodeStatus.SUCCEEDED, NodeStatus.FAILED, NodeStatus.SKIPPED, NodeStatus.CANCELLED})


def list_runs(app: App, rows: Sequence[StoredRun]) -> list[RunRow]:
    """Runs as people see them in a list."""
    alone = left_alone(app, [row.id for row in rows if row.status not in FINISHED])
    listed_rows = [run_row(row, *_opened(app, row)) for row in rows]
    return [replace(row, reason=LEFT_ALONE) if row.id in alone else row for row in listed_rows]


def _opened(app: App, row: StoredRun) -> tuple[Definition, Snapshot | None]:
    """The definition of a run, and its snapshot unless all that it would tell is known already."""
    definition = app.engine.opener.definition(row.digest)
    return definition, None if row.status is RunStatus.SUCCEEDED else app.engine.open(row.id).snapshot


def run_row(row: StoredRun, definition: Definition, snapshot: Snapshot | None) -> RunRow:
    """A run in a list; a run without a snapshot has done everything."""
    nodes = [node for node in definition.plan.nodes if node != START]
    done = nodes if snapshot is None else [node for node in nodes if _stage(snapshot, node, ()) in _ENDED]
    status, reason = (row.status, row.reason) if snapshot is None else (snapshot.status, snapshot.reason)
    if snapshot is not None and snapshot.at_rest and status not in FINISHED:
        reason = run_in_words(snapshot)
    end = row.finished_at or datetime.now(UTC)
    return RunRow(
        id=row.id,
        workflow=row.workflow,
        status="cancelling" if snapshot is not None and snapshot.cancelling else status.value,
        reason=reason,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        seconds=max(0.0, (end - (row.started_at or row.created_at)).total_seconds()),
        nodes_done=len(done),
        nodes_total=len(nodes),
        digest=row.digest,
        revision=row.revision if snapshot is None else snapshot.revision,
        error=_error_line(snapshot) if snapshot is not None else "",
        parent=row.parent,
        started_by=row.who,
        key=row.key or "",
    )


def run_view(handle: RunHandle, *, outputs: bool = False) -> RunView:
    """One run in full; with `outputs` everything that came out of it is read."""
    nodes, snapshot = nodes_now(handle)
    definition = handle.definition
    row = run_row(handle.row, definition, snapshot)  # as it stood with these nodes: what comes may read on
    alone = handle.watched is None and snapshot.status not in FINISHED and left_alone(handle.app, [handle.id])
    if turn := turn_in_words(handle.app, handle.row):
        row = replace(row, reason=turn)
    waits = handle.waits if snapshot.waits and snapshot.status not in FINISHED and not handle.frozen else []
    origin = Origin.from_json(handle.row.origin)
    return RunView(
        row=replace(row, reason=LEFT_ALONE) if alone else row,
        nodes=tuple(with_times(nodes, waits)),
        waits=wait_rows(waits),
        origin=None if origin is None else origin.to_json(),
        error=failure(handle),
        params=params_as_written(handle.definition, handle.row.params),
        outputs={name: _json(handle, name) for name in definition.outputs} if outputs else {},
        children=tuple(run_row(one, *_opened(handle.app, one)) for one in handle.app.stores.children.of(handle.id)),
    )


def nodes_now(handle: RunHandle) -> tuple[list[NodeRow], Snapshot]:
    """The nodes of a run as they stand now, whoever works on them, and what they are seen from, which is read once."""
    snapshot = handle.snapshot
    working = _working(handle) if snapshot.status not in FINISHED else {}
    return node_rows(handle.definition, snapshot, working, _shards(handle, snapshot)), snapshot


def node_rows(
    definition: Definition,
    snapshot: Snapshot,
    working: Mapping[ActivationId, int] = MappingProxyType({}),
    shards: Mapping[NodeId, tuple[int, int]] = MappingProxyType({}),
) -> list[NodeRow]:
    """The nodes of a run, sources first.

    `working` are the activations that somebody is at, with the items that are finished, and `shards` their parts.
    """
    ranked = sorted(definition.nodes, key=lambda node: definition.plan.rank[node.id])
    rows = [_node_row(node, snapshot, working) for node in ranked if node.id != START]
    return [replace(row, shards=shards.get(row.id)) for row in rows]


def _node_row(node: NodePlan, snapshot: Snapshot, working: Mapping[ActivationId, int]) -> NodeRow:
    record = snapshot.nodes.get(node.id)
    stage = _stage(snapshot, node.id, working)
    ended = record is not None and stage in (NodeStatus.SUCCEEDED, NodeStatus.FAILED)
    data = [one for one in node.inputs if not one.ordering]
    return NodeRow(
        id=node.id,
        kind=node.kind,
        status=stage,
        items_in={
            one.name: sum(snapshot.output(source.node, source.port).count for source in one.sources)
            for one in data
            if all(snapshot.reported(source.node) for source in one.sources)
        },
        items_out=_given(node, snapshot) if stage is NodeStatus.SUCCEEDED else {},
        attempts=_attempts(record),
        done=working.get(record.activation) or None if record is not None else None,
        seconds=record.milliseconds / 1000 if ended and record and not record.how else None,
        how=how(record) if stage is NodeStatus.SUCCEEDED and record else "",
        error=_trouble(record) or (waits_in_words(snapshot, node.id) if stage is NodeStatus.WAITING else ""),
    )


def _trouble(record: NodeRecord | None) -> str:
    return f"{record.error.type}: {record.error.message}" if record and record.error else ""


def _given(node: NodePlan, snapshot: Snapshot) -> dict[str, int]:
    """Items at each port; a node that gives nothing by design has none."""
    return {port: snapshot.output(node.id, port).count for port in node.ports} if node.gives else {}


def _attempts(record: NodeRecord | None) -> int:
    if record is None or record.status is Stage.SKIPPED:
        return 0
    return record.attempt - (record.status is Stage.WAITING)


def _stage(snapshot: Snapshot, node: NodeId, working: Collection[ActivationId]) -> NodeStatus:
    record = snapshot.nodes.get(node)
    if record is None:
        return NodeStatus.PENDING
    if record.activation in working:
        return NodeStatus.RUNNING
    unfinished = record.status in (Stage.DUE, Stage.WAITING)
    if unfinished and snapshot.status in FINISHED:
        return NodeStatus.CANCELLED
    return NodeStatus(record.status.value)


def _working(handle: RunHandle) -> Mapping[ActivationId, int]:
    """The activations that a worker holds, be it this process or another, and their items that are finished."""
    if handle.executing is not None:
        return dict.fromkeys(handle.executing, 0)
    if handle.watched is not None:
        return {activation_id(node): one.done for node, one in handle.watched.meter.readings().items()}
    rows = handle.app.stores.runs.tickets(handle.id)
    return {row.activation: row.done for row in rows if row.state == "running"}


def _shards(handle: RunHandle, snapshot: Snapshot) -> dict[NodeId, tuple[int, int]]:
    """Of each node that is worked on in parts now, how many have ended, and how many there are."""
    live, plan = snapshot.live, snapshot.plan
    if not any(is_sharded(plan.nodes[node_of(activation)].policy) for activation in live):
        return {}
    rows = handle.app.stores.runs.tickets(handle.id)
    return {node_of(row.activation): row.shards for row in rows if row.shards is not None}


def _error_line(snapshot: Snapshot) -> str:
    errors = ((node, error) for node in snapshot.failed() if (error := snapshot.nodes[node].error) is not None)
    return next((f"{node}: {error.type}: {error.message.partition(chr(10))[0]}" for node, error in errors), "")


def failure(handle: RunHandle) -> FailureView | None:
    """What went wrong in a run, at the first node that failed for good; `None` when none did."""
    broken = handle.snapshot.failed()
    record = handle.snapshot.nodes[broken[0]] if broken else None
    if record is None or record.error is None:
        return None
    item = record.error.item
    return FailureView(
        node=broken[0],
        type=record.error.type,
        message=record.error.message,
        item_index=item,
        item_key="" if item is None else _key(handle, broken[0], item),
        frames=frames_of(record.error.traceback),
        attempts=record.attempt,
        way_out=f"codemation runs resume {short(handle.id)}",
    )


def _key(handle: RunHandle, node: NodeId, position: int) -> str:
    item = failed_item(handle, node, position)
    return item.key if item is not None else ""


def failed_item(handle: RunHandle, node: NodeId, position: int) -> Item[Any] | None:
    """The item at a position of what a per-item node was given; `None` when it cannot be read any more."""
    data = next((one for one in handle.definition.plan.nodes[node].inputs if not one.ordering), None)
    if data is None:
        return None
    fetcher = handle.fetcher()
    try:
        items = fetcher.wrapped(fetcher.given(data))
    except CodemationError:  # the run is told of all the same; what is lost is the look at one item
        return None
    return items[position] if position < len(items) else None


def head(result: ResultHandle, rows: int) -> list[Any]:
    """The first items of what a port held; of a table, no more rows than that become Python objects."""
    if result.batch.kind == "table":
        beginning: list[Any] = result.arrow.slice(0, rows).to_pylist()
        return beginning
    return list(islice(result.items, rows))


def sources_of(handle: RunHandle, output: str) -> list[ResultHandle]:
    """Where an output of the run comes from."""
    return [handle[source.node][source.port] for source in handle.definition.outputs[output]]


def _json(handle: RunHandle, output: str) -> list[Any]:
    items = [item for result in sources_of(handle, output) for item in result.items]
    return [json_of(item) for item in items]


def json_of(value: object) -> Any:
    """A value of the user's as JSON has it; what JSON cannot hold becomes text."""
    bare = value.value if isinstance(value, Item) else value
    return to_jsonable_python(
        dict(bare) if isinstance(bare, Mapping) else bare,
        fallback=str,
        inf_nan_mode="strings",
        bytes_mode="base64",
        serialize_unknown=True,
    )

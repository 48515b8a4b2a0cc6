"""Runs as the API shows them."""

from __future__ import annotations

from typing import Any, Literal

from codemation.core.ports import RunRow
from codemation.views.runs import NodeRow, RunView
from codemation.web.models import Model, Moment

Status = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled", "cancelling"]


class RunSummary(Model):
    """A run in a list."""

    id: str
    workflow: str
    status: Status
    reason: str
    """Why it stands so, where that says more."""
    revision: int
    """How many signals it has accepted; it rises whenever something has become true of it."""
    priority: int
    digest: str
    """Of the definition that it is bound to."""
    parent: str | None
    """The run that it works for."""
    started_by: str
    """Who or what has started it: `api token:deploy`, `cli ada@desk`, `trigger …`, `run …`; empty if nobody knows."""
    key: str | None
    """What it was started under, so that it is started once."""
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None

    @classmethod
    def of(cls, row: RunRow) -> RunSummary:
        """A run as it is listed."""
        return cls(**summary(row))


class NodeState(Model):
    """A node of a run."""

    id: str
    kind: str
    status: Literal["pending", "due", "running", "waiting", "succeeded", "failed", "skipped", "cancelled"]
    items_in: dict[str, int]
    """Items that have come to each input."""
    items_out: dict[str, int]
    """Items that each port has given."""
    attempts: int
    seconds: float | None
    """How long it has worked."""
    error: str
    """The failure in one line, or what it waits for."""
    how: str
    """How it came to stand so if it was not executed: `pinned`, `cached`, `taken over`."""
    shards: tuple[int, int] | None
    """While it is worked on in parts: how many of them have ended, and how many there are."""
    done: int | None
    """While it is worked on item by item: how many are finished, as far as that is known yet."""

    @classmethod
    def of(cls, row: NodeRow) -> NodeState:
        """A node as it is shown."""
        said = row.to_json()
        return cls(**{name: said[name] for name in cls.model_fields})


class RunFailure(Model):
    """What went wrong in a run."""

    node: str
    type: str
    message: str
    item_index: int | None
    attempts: int


class WaitSummary(Model):
    """What a run waits for."""

    node: str
    item: int | None
    """The position of the item in what reached the node; `null` where it is about all of them."""
    what: str
    to: list[str]
    """Who is asked."""
    due_at: Moment | None


class RunDetail(RunSummary):
    """One run."""

    params: dict[str, Any]
    nodes: list[NodeState]
    error: RunFailure | None
    waits: list[WaitSummary]
    children: list[str]
    """The runs that do some of its work, oldest first."""
    source: str | None
    """The run that this one is a replay of."""
    outputs: list[str]
    """Where its results come from, as `node/port`: read them as outputs of these nodes."""


def summary(row: RunRow) -> dict[str, Any]:
    """What is told of a run in a list."""
    stopping = row.stop and row.finished_at is None
    return {
        "id": row.id,
        "workflow": row.workflow,
        "status": "cancelling" if stopping else row.status.value,
        "reason": row.reason,
        "revision": row.revision,
        "priority": row.priority,
        "digest": row.digest,
        "parent": row.parent,
        "started_by": row.who,
        "key": row.key,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }


def detail(row: RunRow, view: RunView, source: str | None, outputs: list[str]) -> RunDetail:
    """A run in full, all of it as it stood at one moment."""
    error, then = view.error, view.row
    moving = {name: getattr(then, name) for name in ("status", "reason", "revision", "started_at", "finished_at")}
    return RunDetail(
        **{**summary(row), **moving},
        params=dict(view.params),
        nodes=[NodeState.of(one) for one in view.nodes],
        error=None
        if error is None
        else RunFailure(
            node=error.node,
            type=error.type,
            message=error.message,
            item_index=error.item_index,
            attempts=error.attempts,
        ),
        waits=[
            WaitSummary(node=one.node, item=one.item, what=one.what, to=list(one.to), due_at=one.due_at)
            for one in view.waits
        ],
        children=[one.id for one in view.children],
        source=source,
        outputs=outputs,
    )

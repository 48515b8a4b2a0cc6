"""A snapshot as bytes, so that a run whose journal is long is not folded from its beginning again.

A checkpoint replaces nothing: every revision stays in the journal and can be gone back to. It says which revision it
stands at and how that was named, so that one which does not belong to the journal beside it is not believed. Whoever
cannot read one folds the journal instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from codemation.core.definition import Plan
from codemation.core.ids import ActivationId, Head, NodeId
from codemation.core.knowledge import COMPARED
from codemation.core.limits import Limits
from codemation.core.record import NodeRecord
from codemation.core.rounds import Rounds
from codemation.core.snapshot import Snapshot
from codemation.core.standing import Pinned
from codemation.core.states import RunStatus
from codemation.core.waits import Answer, Wait

LEAST = 64 * 1024
"""Bytes of the journal after which there may be a checkpoint; a large one is written the less often."""
_SPELLING = 1
"""Rises when what is written changes."""


@dataclass(frozen=True, kw_only=True)
class _State:
    """All that snapshots are compared by."""

    revision: int
    status: RunStatus
    reason: str
    cancelling: bool
    digest: str
    nodes: dict[NodeId, NodeRecord]
    live: dict[ActivationId, int]
    delayed: set[ActivationId]
    waits: dict[ActivationId, dict[str, Wait]]
    answers: dict[ActivationId, dict[str, Answer]]
    missing: dict[NodeId, int]
    limits: Limits
    activations: int
    turns: dict[NodeId, int]
    rounds: dict[NodeId, Rounds]
    session: bool
    source: str
    parent: str
    depth: int
    fresh: bool = False
    pins: dict[NodeId, Pinned]
    closed: set[NodeId]
    stale: set[NodeId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """Where a run stood at a revision, as it was read from a checkpoint."""

    head: Head
    state: _State

    @property
    def digest(self) -> str:
        """Of the definition that the run had moved to; empty if it had kept its first."""
        return self.state.digest

    def snapshot(self, plan: Plan, plans: Callable[[str], Plan]) -> Snapshot:
        """The snapshot, on the plan that it stood on."""
        snapshot = Snapshot(plan, plans)
        for name in COMPARED:
            setattr(snapshot, name, getattr(self.state, name))
        return snapshot


def encode_snapshot(snapshot: Snapshot, head: Head) -> bytes:
    """The bytes of a snapshot, whose revision has this name."""
    state = asdict(_State(**{name: getattr(snapshot, name) for name in COMPARED}))
    body = {"spelling": _SPELLING, "head": head, "state": state}
    return json.dumps(body, separators=(",", ":"), default=list).encode()


def decode_snapshot(data: bytes) -> Stood:
    """What `encode_snapshot` wrote.

    Raises:
        ValueError: it did not write this, or another release did, which spells it in another way.
    """
    try:
        body: dict[str, Any] = json.loads(data)
        if body["spelling"] != _SPELLING:
            raise ValueError(f"it is spelled in the way {body['spelling']!r}, and this release knows {_SPELLING}")
        return Stood(head=Head(body["head"]), state=msgspec.convert(body["state"], _State))
    except msgspec.ValidationError as error:
        raise ValueError(f"it holds no snapshot: {error}") from error
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"it is no checkpoint: {type(error).__name__}: {error}") from error

"""Folding a journal from a checkpoint instead of from its beginning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codemation.core.checkpoint import decode_snapshot, encode_snapshot
from codemation.core.definition import Plan
from codemation.core.facts import Delta
from codemation.core.ids import Head
from codemation.core.snapshot import Snapshot


def from_checkpoint(
    plan: Plan, deltas: Sequence[Delta], revision: int, plans: Callable[[str], Plan] | None = None
) -> Snapshot:
    """The fold of a journal of which only what came after a revision is read; `plan` is that of the beginning."""
    stood = decode_snapshot(encode_snapshot(Snapshot.of(plan, deltas[:revision], plans), Head(revision)))
    found = plans or (lambda digest: plan)
    snapshot = stood.snapshot(found(stood.digest) if stood.digest else plan, found)
    for delta in deltas[revision:]:
        snapshot.apply(delta)
    return snapshot

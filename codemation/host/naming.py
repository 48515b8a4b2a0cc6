"""What people call runs and nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from codemation.core.errors import UnknownRun
from codemation.core.ids import START, NodeId, RunId
from codemation.core.mistakes import listed, meant
from codemation.core.workflow import UnknownNode
from codemation.host.handles import RunHandle

if TYPE_CHECKING:
    from codemation.host.app import App

FULL_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""How the whole id of a run is written."""


def short(run: RunId) -> str:
    """The end of a run's id, which is random and therefore names it well enough for a person."""
    return run[-8:]


def find_run(app: App, wanted: str) -> RunId:
    """The run with this id, or the one whose id begins or ends so; `last` is the youngest that works for no other.

    Raises:
        UnknownRun: there is none, or there are several.
    """
    if FULL_ID.fullmatch(wanted):
        return RunId(wanted)
    found: tuple[RunId, ...] = ()
    if wanted == "last":
        found = tuple(islice(_of_their_own(app), 1))
    elif wanted:
        found = app.stores.runs.find(wanted)
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
        raise UnknownRun(f"{wanted!r} names {len(found)} runs: {several}", way_out="write more of the id")
    what = "there is no run yet" if wanted == "last" else f"no run has an id that begins or ends with {wanted!r}"
    raise UnknownRun(what, way_out="codemation runs list")


def _of_their_own(app: App) -> Iterator[RunId]:
    """The runs that somebody has started, youngest first, without those that work for another run."""
    before: RunId | None = None
    while rows := app.stores.runs.page(before=before, limit=50):
        yield from (row.id for row in rows if row.parent is None)
        before = rows[-1].id


def known_node(handle: RunHandle, wanted: str) -> NodeId:
    """The node of a run with this id.

    Raises:
        UnknownNode: the run has no such node.
    """
    known = [node for node in handle.definition.plan.nodes if node != START]
    if wanted not in known:
        raise UnknownNode(
            f"run {handle.id} has no node {wanted!r}", way_out=meant(wanted, known, f"it has {listed(known)}")
        )
    return NodeId(wanted)

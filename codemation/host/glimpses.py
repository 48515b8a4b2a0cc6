"""A short look at the items that people are asked about: so many letters, in a line, and no secret among them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any

from codemation.core.credentials import without_secrets
from codemation.core.errors import CodemationError
from codemation.core.ids import NodeId, RunId
from codemation.core.items import Item
from codemation.views.lettering import ELLIPSIS, clipped
from codemation.views.tables import VALUE, members, preview

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.asking import RunWait

LETTERS = 160
"""Columns of the whole."""
FIELDS, CELL = 6, 40
"""Fields that are shown, and columns of one."""
LARGEST = 8 * 1024 * 1024
"""Bytes of a batch that is read for a look at one of its items."""
_WHOLE = 2000
"""Columns of a cell before secrets are taken out, which have to stand in it as a whole."""
_DEPTH = 4
_MEMBERS = 8


def glimpses(app: App, waits: Sequence[RunWait]) -> list[str]:
    """What each of these is about; empty for what is no decision, and where the items cannot be read any more."""
    places = defaultdict[tuple[RunId, NodeId], list[int]](list)
    for at, wait in enumerate(waits):
        if wait.kind == "approval":
            places[wait.run, wait.node].append(at)
    found = [""] * len(waits)
    for (run, node), those in places.items():
        items = _given(app, run, node)
        for at in those:
            found[at] = _of(items, waits[at].item)
    return found


def _given(app: App, run: RunId, node: NodeId) -> Sequence[Item[Any]]:
    """What a node was given; nothing if that is not there any more, or too much for a look."""
    try:
        handle = app.attach(run)
        data = next((one for one in handle.definition.plan.nodes[node].inputs if not one.ordering), None)
        if data is None:
            return ()
        size = sum(handle.snapshot.output(source.node, source.port).size for source in data.sources)
        fetcher = handle.fetcher()
        return fetcher.wrapped(fetcher.given(data)) if size <= LARGEST else ()
    except CodemationError:  # it was pruned meanwhile, or its values are of code that is not here: a look is lost
        return ()


def _of(items: Sequence[Item[Any]], position: int | None) -> str:
    if position is not None:
        return glimpse(items[position].value) if position < len(items) else ""
    if not items:
        return ""
    first = glimpse(items[0].value)
    return first if len(items) == 1 else clipped(f"{len(items):,} items: {first}, {ELLIPSIS}", LETTERS)


def glimpse(value: object) -> str:
    """A value in a short line, without secrets."""
    shown = preview([_without_secrets(value, _DEPTH)], columns=FIELDS, width=_WHOLE)
    cells = [clipped(without_secrets(cell), CELL) for cell in shown.rows[0]]
    if shown.columns == (VALUE,):
        return cells[0]
    facts = [f"{name}={cell}" for name, cell in zip(shown.columns, cells, strict=True)]
    return clipped(", ".join([*facts, *([ELLIPSIS] if shown.left_out_columns else [])]), LETTERS)


def _without_secrets(value: object, depth: int) -> object:
    """The value with other texts, before anything of them is cut or written with escapes."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return without_secrets(value)
    if not depth:
        return value
    if isinstance(value, list | tuple):
        few = [_without_secrets(one, depth - 1) for one in islice(value, _MEMBERS)]
        return type(value)([*few, *value[_MEMBERS:]]) if type(value) in (list, tuple) else few
    inner = members(value)
    return value if inner is None else {name: _without_secrets(one, depth - 1) for name, one in inner.items()}

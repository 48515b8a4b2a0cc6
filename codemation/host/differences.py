"""What differs between two runs: read, matched and bounded."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from codemation.core.differing import (
    SHOWN,
    CellChange,
    CodeChange,
    ColumnChange,
    Diff,
    ParamChange,
    RowsChange,
    TimingChange,
)
from codemation.core.drift import drift
from codemation.core.errors import ContractError
from codemation.core.ids import START, NodeId
from codemation.core.items import Batch
from codemation.core.node import FunctionNode
from codemation.core.payload import decode_items
from codemation.core.values import Unstorable
from codemation.core.workflow import Workflow
from codemation.host.launching import params_as_written

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle

MOST_ROWS = 200_000
"""Rows of a port beyond which they are only counted."""
MOST_LINES = 200
"""Lines of a node's source that are compared and shown."""
_MISSING = object()


def difference(before: RunHandle, after: RunHandle) -> Diff:
    """What differs, from the first run to the second."""
    ports = [
        (node, port)
        for node, plan in before.definition.plan.nodes.items()
        if node != START and node in after.definition.plan.nodes
        for port in plan.ports
        if port in after.definition.plan.nodes[node].ports
    ]
    changed = [(node, port) for node, port in ports if _differs(before, after, node, port)]
    return Diff(
        before=before.id,
        after=after.id,
        statuses=(str(before.status), str(after.status)),
        params=tuple(_params(*(params_as_written(run.definition, run.row.params) for run in (before, after)))),
        code=tuple(code_changes(before.definition, after.definition, before.workflow, after.workflow)),
        schema=tuple(change for node, port in changed for change in _columns(before, after, node, port)),
        rows=tuple(change for node, port in changed for change in _rows(before, after, node, port)),
        timing=tuple(_timing(before, after)),
    )


def code_changes(
    before: Any, after: Any, old: Workflow[Any, ...] | None = None, new: Workflow[Any, ...] | None = None
) -> Iterator[CodeChange]:
    """The nodes that differ between two definitions, with their sources where both are at hand."""
    changes = drift(before, after)
    kinds = {"added": changes.added, "removed": changes.removed, "rewired": changes.rewired}
    for what, nodes in kinds.items():
        for node in nodes:
            yield CodeChange(node=node, what=what)
    digests = {node.id: node.code for node in before.nodes}, {node.id: node.code for node in after.nodes}
    for node in changes.rewritten:
        texts = source_of(old, node), source_of(new, node)
        if all(texts) and texts[0] != texts[1]:
            text = _unified(node, texts[0], texts[1])
        else:  # what it uses has changed, or nobody has the sources any more
            text = f"{digests[0][node][:12]} → {digests[1][node][:12]}"
        yield CodeChange(node=node, what="rewritten", text=text)


def source_of(workflow: Workflow[Any, ...] | None, node: NodeId) -> str:
    """The source of a node as it was written; empty if it is not at hand."""
    code = workflow.code.get(node) if workflow is not None else None
    if code is None:
        return ""
    function = code.function.function if isinstance(code.function, FunctionNode) else code.function
    try:
        return inspect.cleandoc("\n" + inspect.getsource(inspect.unwrap(function)))
    except (OSError, TypeError):
        return ""


def _unified(node: str, before: str, after: str) -> str:
    lines = list(
        difflib.unified_diff(before.splitlines(), after.splitlines(), f"{node} before", f"{node} after", lineterm="")
    )
    more = [f"… and {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
    return "\n".join([*lines[:MOST_LINES], *more])


def _params(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[ParamChange]:
    for name in dict.fromkeys([*before, *after]):
        if before.get(name, _MISSING) != after.get(name, _MISSING):
            yield ParamChange(name=name, before=before.get(name), after=after.get(name))


def _timing(before: RunHandle, after: RunHandle) -> Iterator[TimingChange]:
    for node in before.definition.plan.nodes:
        if node == START or node not in after.definition.plan.nodes:
            continue
        times = _milliseconds(before, node), _milliseconds(after, node)
        if times[0] != times[1]:
            yield TimingChange(node=node, before=times[0], after=times[1])


def _milliseconds(run: RunHandle, node: NodeId) -> int | None:
    record = run.snapshot.nodes.get(node)
    return None if record is None or record.how or not record.outputs else record.milliseconds


def _differs(before: RunHandle, after: RunHandle, node: NodeId, port: str) -> bool:
    """Whether a port held something else; what both have not given differs in nothing."""
    first, second = before.snapshot.output(node, port), after.snapshot.output(node, port)
    if (first.count, first.size, first.kind) != (second.count, second.size, second.kind):
        return True
    return bool(first.size) and _data(before, first) != _data(after, second)


def _data(run: RunHandle, batch: Batch) -> bytes:
    return run.fetcher().fetch(batch) if batch.size else b""


def _columns(before: RunHandle, after: RunHandle, node: NodeId, port: str) -> Iterator[ColumnChange]:
    first, second = dict(_schema(before, node, port)), dict(_schema(after, node, port))
    if not first or not second:  # no rows, so that nothing is known of the columns
        return
    for name in dict.fromkeys([*first, *second]):
        if first.get(name) != second.get(name):
            yield ColumnChange(
                node=node, port=port, column=name, before=first.get(name, ""), after=second.get(name, "")
            )


def _schema(run: RunHandle, node: NodeId, port: str) -> tuple[tuple[str, str], ...]:
    batch = run.snapshot.output(node, port)
    if not batch.size:
        return ()
    if batch.kind == "table":
        return run.app.tables.schema(_data(run, batch))
    try:
        packed = run.app.tables.from_rows(list(islice(decode_items(_data(run, batch)).values, MOST_ROWS)))
    except (ContractError, Unstorable):  # items without columns
        return ()
    return packed.schema


def _rows(before: RunHandle, after: RunHandle, node: NodeId, port: str) -> Iterator[RowsChange]:
    counts = tuple(run.snapshot.output(node, port).count for run in (before, after))
    if max(counts) > MOST_ROWS:
        yield RowsChange(node=node, port=port, by="", before=counts[0], after=counts[1], compared=False)
        return
    first, second = _records(before, node, port), _records(after, node, port)
    by = _key(first, second)
    found = compared(first, second, by)
    if found is not None:
        yield RowsChange(node=node, port=port, by=by or "position", before=counts[0], after=counts[1], **found)


def compared(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]], by: str) -> dict[str, Any] | None:
    """What differs between rows that are matched by a column, or by position; `None` if nothing does."""
    name: Callable[[int, Mapping[str, Any]], Any] = (lambda at, _row: at) if not by else (lambda _at, row: row[by])
    old = {name(at, row): row for at, row in enumerate(first)}
    new = {name(at, row): row for at, row in enumerate(second)}
    added, removed = [key for key in new if key not in old], [key for key in old if key not in new]
    cells, changed = list[CellChange](), 0
    for key, row in old.items():
        if key not in new or _same(row, new[key]):
            continue
        changed += 1
        for column in dict.fromkeys([*row, *new[key]]) if len(cells) < SHOWN else ():
            values = row.get(column), new[key].get(column)
            if not _same(*values):
                cells.append(CellChange(key=str(key), column=column, before=values[0], after=values[1]))
    if not (added or removed or changed):
        return None
    return {
        "added": len(added),
        "removed": len(removed),
        "changed": changed,
        "cells": tuple(cells[:SHOWN]),
        "added_keys": tuple(map(str, added[:SHOWN])),
        "removed_keys": tuple(map(str, removed[:SHOWN])),
    }


def _records(run: RunHandle, node: NodeId, port: str) -> list[dict[str, Any]]:
    batch = run.snapshot.output(node, port)
    if not batch.size:
        return []
    data = _data(run, batch)
    values: Sequence[Any] = run.app.tables.rows(data) if batch.kind == "table" else decode_items(data).values
    return [_record(value) for value in values]


def _record(value: Any) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return {str(name): held for name, held in value.items()} if isinstance(value, Mapping) else {"value": value}


def _key(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]) -> str:
    """The column that names a row on both sides: one called `id` or the like, else the first that could."""
    if not first or not second:
        return ""
    shared = [name for name in first[0] if all(name in row for row in (*first, *second))]
    names = [name for name in shared if _names_rows(first, name) and _names_rows(second, name)]
    called = [name for name in names if name.lower() in ("id", "key") or name.lower().endswith(("_id", "_key"))]
    return next(iter([*called, *(name for name in names if name != "value")]), "")


def _names_rows(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    values = [row[name] for row in rows]
    return all(isinstance(value, str | int) for value in values) and len(set(values)) == len(values)


def _same(first: Any, second: Any) -> bool:
    """Equality in which what is not a number equals itself."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(_same(first[name], second[name]) for name in first)
    return bool(first == second) or (first != first and second != second)  # noqa: PLR0124

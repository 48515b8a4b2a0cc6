"""Rows of the database as values of the domain, and text as the database can hold it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codemation.core.errors import UnknownRun
from codemation.core.ids import Head, RunId, WorkflowId
from codemation.core.ports import Entry, RunRow
from codemation.host.postgres.codes import STATUSES
from codemation.host.postgres.link import Row


def storable(text: str) -> str:
    """Text without what PostgreSQL cannot hold: U+0000 as its picture, halves of surrogate pairs as escapes."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "␀").encode("utf-8", "backslashreplace").decode()


def run_and_entries(run: RunId, rows: list[Row]) -> tuple[RunRow, tuple[Entry, ...]]:
    """The row of the run, which stands first and alone has no delta, and its entries.

    Raises:
        UnknownRun: there is no such row.
    """
    if not rows or rows[0][3] is not None:
        raise UnknownRun(f"no run {run}", way_out="codemation runs list")
    entries = [Entry(revision=row[0], head=Head(row[1]), at=row[2], delta=row[3]) for row in rows[1:]]
    entries.sort(key=lambda entry: entry.revision)
    return run_row(run, rows[0]), tuple(entries)


def run_row(run: RunId, row: Row) -> RunRow:
    """A run from its columns, as `run_statements` and `run_queries` ask for them."""
    revision, head, created_at, _, workflow, digest, status, reason, stop, params, priority, *rest = row
    started, finished, turnstile, parent, origin, who, key, *_ = rest
    return RunRow(
        id=run,
        workflow=WorkflowId(workflow),
        digest=digest.hex(),
        status=STATUSES[status],
        reason=reason,
        revision=revision,
        head=Head(head),
        stop=bool(stop),
        params=params,
        priority=priority,
        created_at=created_at,
        started_at=started,
        finished_at=finished,
        turnstile=turnstile,
        parent=None if parent is None else RunId(parent),
        origin=origin,
        who=who or "",
        key=key,
    )


def cleaned(value: Any) -> Any:
    """JSON without what the database cannot hold."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(name)): cleaned(one) for name, one in value.items()}
    return [cleaned(one) for one in value] if isinstance(value, list | tuple) else value

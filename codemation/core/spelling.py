"""How batches, waits and answers are spelled in the journal: as short as they can be, batches above all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codemation.core.ids import MAIN
from codemation.core.items import EMPTY, Batch
from codemation.core.waits import Answer, Wait


def outputs_row(outputs: Mapping[str, Batch]) -> dict[str, list[Any]] | list[Any]:
    """What each port holds; just the batch where there is only the main port, as nearly always."""
    if len(outputs) == 1 and MAIN in outputs:
        return batch_row(outputs[MAIN])
    return {port: batch_row(batch) for port, batch in outputs.items()}


def read_outputs(row: dict[str, list[Any]] | list[Any]) -> dict[str, Batch]:
    """What `outputs_row` wrote."""
    if isinstance(row, list):
        return {MAIN: read_batch(row)}
    return {port: read_batch(cells) for port, cells in row.items()}


def batch_row(batch: Batch) -> list[Any]:
    """Count and size, and what else cannot be guessed."""
    if not (batch.count or batch.size or batch.ref) and batch.kind == EMPTY.kind:
        return []
    row: list[Any] = [batch.count, batch.size]
    if batch.ref or batch.kind != "items":
        row += [batch.kind, batch.ref]
    return row


def read_batch(cells: list[Any]) -> Batch:
    """What `batch_row` wrote."""
    if not cells:
        return EMPTY
    count, size, *rest = cells
    kind, ref = rest or ("items", "")
    return Batch(ref=ref, count=count, kind="table" if kind == "table" else "items", size=size)


def wait_row(wait: Wait) -> list[Any]:
    """A wait as compact JSON."""
    row = [wait.key, wait.kind, wait.wakes, wait.delay, wait.until]
    return [*row, wait.detail] if wait.detail else row


def read_wait(row: list[Any]) -> Wait:
    """The wait that `wait_row` wrote."""
    key, kind, wakes, delay, until, *detail = row
    return Wait(key=key, kind=kind, wakes=wakes, delay=delay, until=until, detail=detail[0] if detail else {})


def answer_row(answer: Answer) -> list[Any]:
    """An answer as compact JSON."""
    row = [answer.reply, answer.at, answer.who, answer.body]
    return [*row, outputs_row(answer.outputs)] if answer.outputs else row


def read_answer(row: list[Any]) -> Answer:
    """The answer that `answer_row` wrote."""
    reply, at, who, body, *outputs = row
    return Answer(reply=reply, at=at, who=who, body=body, outputs=read_outputs(outputs[0]) if outputs else {})

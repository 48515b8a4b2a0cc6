"""The table of side effects: one line for each, only ever appended, by whichever process."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import codemation as cm


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Something that a node did to the world."""

    run: str
    node: str
    key: str
    """The idempotency key that it was done under."""
    attempt: int
    pid: int
    at: float
    """Seconds since the epoch, on the clock that the database of the same machine goes by."""


def note(ledger: Path, context: cm.Context) -> Effect:
    """Append an effect.

    A line is written whole or not at all, wherever its writer is killed.
    """
    effect = Effect(
        run=context.run_id,
        node=context.node_id,
        key=context.idempotency_key,
        attempt=context.attempt,
        pid=os.getpid(),
        at=time.time(),
    )
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{json.dumps(asdict(effect))}\n".encode())
    finally:
        os.close(descriptor)
    return effect


def place(ledger: Path, effect: Effect) -> int:
    """The how many-th of its run an effect is."""
    return [one for one in effects(ledger) if one.run == effect.run].index(effect) + 1


def effects(ledger: Path) -> list[Effect]:
    """Everything that was done so far; a line that somebody is about to write is not there yet."""
    if not ledger.exists():
        return []
    whole, _, _ = ledger.read_text(encoding="utf-8").rpartition("\n")
    return [Effect(**json.loads(line)) for line in whole.splitlines()]

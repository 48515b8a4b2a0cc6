"""What a crowd of workers is watched at: workflows that note every call, and a witness who sees every claim.

The witness is a trigger of the database: he writes down each moment at which a ticket changes hands or goes on with
another activation, whoever did it, in the order in which that was done to the ticket.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

import codemation as cm
from codemation.core.ids import RunId


class Turn(cm.Params):
    """What a run is asked for."""

    ledger: Path
    """Where each call is noted, a line when it begins and one when it ends."""
    pace: float = 0.0
    """Seconds that a call takes."""
    brake: Path = Path("/nonexistent")
    """While this file is there, the first call does not come to its end."""


def call(params: Turn, context: cm.Context) -> None:
    """Take the time that a call takes, between two notes."""
    note(params.ledger, "begun", context)
    over = time.monotonic() + params.pace
    while time.monotonic() < over or (context.node_id == "first" and params.brake.exists()):
        time.sleep(0.005)
    note(params.ledger, "ended", context)


def note(ledger: Path, what: str, context: cm.Context) -> None:
    """Note something; a line is written whole."""
    line = f"{what} {context.run_id} {context.node_id} {os.getpid()} {time.monotonic()}\n"
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line of the ledger."""

    what: str
    run: str
    node: str
    pid: int
    at: float


def notes(ledger: Path) -> list[Note]:
    """All that was noted so far."""
    whole, _, _ = ledger.read_text(encoding="utf-8").rpartition("\n") if ledger.exists() else ("", "", "")
    words = [line.split(" ") for line in whole.splitlines()]
    return [Note(what=w, run=r, node=n, pid=int(pid), at=float(at)) for w, r, n, pid, at in words]


@cm.node
def first(params: Turn, ctx: cm.Context) -> int:
    call(params, ctx)
    return 1


@cm.node
def left(number: int, params: Turn, ctx: cm.Context) -> int:
    call(params, ctx)
    return number + 1


@cm.node
def right(number: int, params: Turn, ctx: cm.Context) -> int:
    call(params, ctx)
    return number + 2


@cm.node
def both(one: int, other: int, params: Turn, ctx: cm.Context) -> int:
    call(params, ctx)
    return one + other


@cm.node
def last(number: int, params: Turn, ctx: cm.Context) -> int:
    call(params, ctx)
    return number + 10


fork = cm.workflow("crowd.fork", params=Turn).then(first).parallel(one=left, other=right).into(both).then(last).build()
short = cm.workflow("crowd.short", params=Turn).then(first).then(last).build()
steps = cm.workflow("crowd.long", params=Turn).then(first)
for number in range(12):
    steps = steps.then(left, id=f"step_{number}")
long = steps.then(last).build()

WITNESS = """
CREATE TABLE seen (at bigserial PRIMARY KEY, ticket bigint, run_id uuid, activation text, owner bigint, fence int,
    starts int, priority int);
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO seen (ticket, run_id, activation, owner, fence, starts, priority)
    VALUES (NEW.id, NEW.run_id, NEW.activation, NEW.owner, NEW.fence, NEW.starts, NEW.priority);
    RETURN NULL; END $$;
CREATE TRIGGER witness_of_births AFTER INSERT ON tickets FOR EACH ROW WHEN (NEW.owner IS NOT NULL)
    EXECUTE FUNCTION witness();
CREATE TRIGGER witness AFTER UPDATE ON tickets FOR EACH ROW WHEN (NEW.owner IS NOT NULL
    AND (OLD.owner IS DISTINCT FROM NEW.owner OR OLD.fence <> NEW.fence OR OLD.activation <> NEW.activation))
    EXECUTE FUNCTION witness();
"""
SEEN = """
SELECT at, ticket, run_id::text, activation, owner, fence, priority FROM seen
WHERE %(run)s::uuid IS NULL OR run_id = %(run)s::uuid ORDER BY at"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A moment at which somebody came to own an activation."""

    at: int
    ticket: int
    run: RunId
    activation: str
    owner: int
    fence: int
    priority: int


class Witness:
    """Sees who comes to own what, from his coming on."""

    def __init__(self, url: str) -> None:
        self._url = url
        with psycopg.connect(url, autocommit=True) as link:
            link.execute(WITNESS)

    def forget(self) -> None:
        """Forget what was seen."""
        with psycopg.connect(self._url, autocommit=True) as link:
            link.execute("TRUNCATE seen")

    def seen(self, run: RunId | None = None) -> list[Seen]:
        """All of it so far, or what was seen of a run."""
        with psycopg.connect(self._url, autocommit=True) as link:
            rows = link.execute(SEEN, {"run": run}).fetchall()
        return [
            Seen(at=at, ticket=t, run=RunId(r), activation=a, owner=o, fence=f, priority=p)
            for at, t, r, a, o, f, p in rows
        ]

"""SQL as it is sent: text with named values, numbered once, prepared by the connection that sends it.

Two rules hold for every statement that writes (why: each was seen to break without them).

* One statement, one commit. Nobody holds a lock while the network is asked, so a client that stops stops nobody else.
* Lock the guarded row, then hang everything on it. The parts of a statement all see the moment of its beginning and do
  not see one another: a guard that is only joined lets a late write through. So `run` is locked and compared first, the
  ticket second, and every insert, update and delete selects from them. Locks are taken in this order everywhere: runs,
  then tickets by id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from codemation.host.postgres.codes import FIRST_FINISHED, FOLD_LANE, FOLD_PRIORITY, TicketKind, TicketState

_NAME = re.compile(r"(?<!:):([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its values numbered."""

    text: bytes
    names: tuple[str, ...]

    def bind(self, values: Mapping[str, object]) -> list[object]:
        """The values in the order of their numbers."""
        return [values[name] for name in self.names]


def statement(sql: str) -> Statement:
    """The statement with each `:name` numbered."""
    names: dict[str, int] = {}
    text = _NAME.sub(lambda found: f"${names.setdefault(found[1], len(names) + 1)}", sql)
    return Statement("\n".join(line.strip() for line in text.strip().splitlines()).encode(), tuple(names))


# --- step ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShape:
    """What a step has, apart from its values; one prepared statement each."""

    then: str
    """`go on`, `leave`, `wait` or `drop`."""
    more: bool = False
    ends: bool = False
    consumes: bool = False
    cancelling: bool = False


# A ticket is found by its id. Said plainly, its state would lead the planner to the index of a worker's tickets instead,
# and to every ticket that the worker holds or has lately held.
HELD = f"state + 0 = {TicketState.RUNNING:d}"

_GUARD = """
    q AS MATERIALIZED (
        SELECT id FROM runs
        WHERE id = :run AND revision = :revision AND head = :head AND {stop} {unfinished} FOR NO KEY UPDATE),
    t AS MATERIALIZED (
        SELECT k.id, k.run_id {asked} FROM tickets k JOIN q ON k.run_id = q.id
        WHERE k.id = :ticket AND k.owner = :worker AND k.fence = :fence AND k.{held} {kind}
        FOR NO KEY UPDATE OF k),
    r AS (
        UPDATE runs SET revision = :revision + 1, head = :new_head, status = :status,
            started_at = COALESCE(started_at, now_()), reason = COALESCE(NULLIF(:reason::text, ''), reason) {ended}
        FROM t WHERE runs.id = t.run_id RETURNING runs.id, runs.digest, runs.priority),
    j AS (
        INSERT INTO journal (run_id, revision, head, at, delta, output)
        SELECT id, :revision + 1, :new_head, now_(), :delta, :output FROM r)"""

# A lane that is not there yet makes this fail on the column's NOT NULL: whoever sends it enters the lane, and sends it
# again.
_LANE = "(SELECT l.id FROM lanes l WHERE l.queue = {queue} AND l.digest = r.digest)"

_MORE = f"""
    m AS (
        INSERT INTO tickets (id, run_id, activation, kind, state, lane, priority, due_at)
        SELECT x.id, r.id, x.activation, {TicketKind.WORK:d}, {TicketState.READY:d}, {_LANE.format(queue="x.queue")},
            COALESCE(NULLIF(x.priority, 0), r.priority), now_()
        FROM r, unnest(:new_ids::bigint[], :new_activations::text[], :new_queues::text[], :new_priorities::int[])
            AS x (id, activation, queue, priority))"""

_CONSUME = """
    c AS (DELETE FROM signals USING r WHERE signals.run_id = r.id AND signals.id = ANY(:consumed::bigint[]))"""
_FORGET = """
    c AS (DELETE FROM signals USING r WHERE signals.run_id = r.id)"""

# After a cancel nothing is begun any more, so what nobody is at work on goes with the first fold.
_CLEAR = f"""
    gone AS (
        DELETE FROM tickets USING r WHERE tickets.run_id = r.id AND tickets.stop <> 0
            AND tickets.state <> {TicketState.RUNNING:d}
        RETURNING tickets.id),
    p AS (DELETE FROM progress USING gone WHERE progress.ticket = gone.id)"""

# The progress of an activation that goes on stays: a retry works on the items that are left.
_GO_ON = """
    x AS (DELETE FROM progress USING r WHERE ticket = :ticket AND activation <> :activation)
UPDATE tickets SET activation = :activation, fence = fence + 1, starts = 1, lost = 0
FROM r WHERE tickets.id = :ticket RETURNING 1"""

_LEAVE = f"""
    x AS (DELETE FROM progress USING r WHERE ticket = :ticket AND activation <> :activation)
UPDATE tickets SET activation = :activation, state = {{state}}, owner = NULL, priority = :priority, starts = 0,
    lost = 0, due_at = now_() + :delay * interval '1 second',
    lane = CASE WHEN kind = {TicketKind.FOLD:d} THEN lane ELSE {_LANE.format(queue=":queue")} END
FROM r, t WHERE tickets.id = :ticket RETURNING 1"""

# A letter that came while the inbox was being folded has only touched this ticket, for there was one already. The id of
# the last letter stands on it and is read under the row's lock, so that a fold which did not answer that letter is not
# done with, but asked for again.
_DROP = f"""
    d AS (DELETE FROM tickets USING r, t WHERE tickets.id = t.id AND NOT t.asked RETURNING tickets.id),
    a AS (
        UPDATE tickets SET state = {TicketState.READY:d}, owner = NULL, due_at = now_(), starts = 0
        FROM r, t WHERE tickets.id = t.id AND t.asked),
    x AS (DELETE FROM progress USING d WHERE ticket = d.id)
SELECT 1 FROM r"""
_ASKED = f""", k.kind = {TicketKind.FOLD:d} AND (
            (k.signal IS NOT NULL AND k.signal <> ALL(:consumed::bigint[]))
            OR EXISTS (SELECT FROM signals s WHERE s.run_id = k.run_id AND s.id <> ALL(:consumed::bigint[]))
            ) AS asked"""

# What others hold stays theirs; they are told when they come back.
_END = f"""
    d AS (
        DELETE FROM tickets USING r
        WHERE tickets.run_id = r.id AND (tickets.id = :ticket OR tickets.state <> {TicketState.RUNNING:d})
        RETURNING tickets.id),
    x AS (DELETE FROM progress USING d WHERE ticket = d.id)
SELECT 1 FROM r"""


@lru_cache
def step(shape: StepShape) -> Statement:
    """The statement that writes one revision: one row comes back if it stands, none if it was refused.

    Run, revision, head and stop are compared under the run's lock, holder and fence under the ticket's. A ticket
    without an activation is a fold ticket and stays one.
    """
    drops = shape.then == "drop"
    guard = _GUARD.format(
        stop="stop <> 0" if shape.cancelling else "stop = 0",
        unfinished="" if shape.ends else "AND finished_at IS NULL",
        held=HELD,
        kind="" if drops else f"AND (k.kind = {TicketKind.FOLD:d}) = (:activation::text = '')",
        asked=_ASKED if drops and not shape.ends else "",
        ended=", stop = 0, finished_at = COALESCE(finished_at, now_())" if shape.ends else "",
    )
    parts = [guard]
    if shape.more:
        parts.append(_MORE)
    if shape.ends:
        parts.append(_FORGET)
    elif shape.consumes:
        parts.append(_CONSUME)
    if shape.cancelling and not shape.ends:
        parts.append(_CLEAR)
    match shape.then:
        case _ if shape.ends:
            parts.append(_END)
        case "go on":
            parts.append(_GO_ON)
        case "leave":
            parts.append(_LEAVE.format(state=f"{TicketState.READY:d}"))
        case "wait":
            parts.append(_LEAVE.format(state=f"{TicketState.WAITING:d}"))
        case _:
            parts.append(_DROP)
    return statement("WITH" + ",".join(parts))


# --- asking for a fold ----------------------------------------------------------------------------------------------

_NOBODY = 0
"""Stands for the signal where there is none to point to: no letter has this id."""


def ask_for_fold(rows: str) -> str:
    """SQL that asks for a fold of each run in `rows`, which gives `id`, `run_id` and `signal`, a run at most once.

    A fold that waits becomes ready; one that somebody is at work on learns by the signal that it was asked for again.
    """
    return f"""
        INSERT INTO tickets (id, run_id, activation, kind, state, lane, priority, due_at, signal)
        SELECT id, run_id, '', {TicketKind.FOLD:d}, {TicketState.READY:d}, {FOLD_LANE}, {FOLD_PRIORITY}, now_(), signal
        FROM ({rows}) AS asking
        ON CONFLICT (run_id) WHERE kind = {TicketKind.FOLD:d} DO UPDATE SET signal = EXCLUDED.signal,
            state = CASE tickets.state WHEN {TicketState.WAITING:d} THEN {TicketState.READY:d} ELSE tickets.state END,
            due_at = CASE tickets.state WHEN {TicketState.WAITING:d} THEN EXCLUDED.due_at ELSE tickets.due_at END"""


RANDOM_ID = "hashtextextended(gen_random_uuid()::text, 0)"
"""An id for a ticket that the database itself asks for."""
UNFINISHED = f"status < {FIRST_FINISHED}"

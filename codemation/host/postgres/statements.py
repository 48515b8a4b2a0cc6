"""SQL as it is sent: text with named values, numbered once, prepared by the connection that sends it.

Two rules hold for every statement that writes (why: each was seen to break without them).

* One statement, one commit. Nobody holds a lock while the network is asked, so a client that stops stops nobody else.
* Lock the guarded row, then hang everything on it. The parts of a statement all see the moment of its beginning and do
  not see one another: a guard that is only joined lets a late write through. So `run` is locked and compared first, the
  ticket second, and every insert, update and delete selects from them. To change a row where it is as it was known is
  to lock and compare it, where all of the statement falls with the next guard (`_PLAIN`). Locks are taken in this order
  everywhere: runs, then tickets by id, then turnstiles and pools.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from codemation.core.states import RunStatus
from codemation.host.postgres.announcing import ENDED, WRITTEN
from codemation.host.postgres.answering import PARENT, UNFINISHED, telling
from codemation.host.postgres.codes import (
    FIRST_FINISHED,
    FOLD_LANE,
    STATUS_CODES,
    TicketKind,
    TicketState,
)

_NAME = re.compile(r"(?<!:):([a-z_]+)")


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A statement with its values numbered; itself the key under which a connection has prepared it."""

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


def numbers(values: Iterable[int]) -> str:
    """An array of numbers as PostgreSQL spells it."""
    return f"{{{','.join(map(str, values))}}}"


def texts(values: Iterable[str]) -> str:
    """An array of texts as PostgreSQL spells it."""
    listed = list(values)
    together = "".join(listed)
    if '"' in together or "\\" in together:
        listed = [value.replace("\\", "\\\\").replace('"', '\\"') for value in listed]
    return '{"' + '","'.join(listed) + '"}' if listed else "{}"


# --- step ------------------------------------------------------------------------------------------------------------


class Then(StrEnum):
    """What becomes of the ticket that brought a revision."""

    GO_ON = "its holder goes on with the next activation"
    READY = "anybody may claim it"
    WAIT = "anybody may claim it later"
    DROP = "it is done with"
    DROP_FOLD = "it is done with, unless a fold was asked for again meanwhile"
    END = "it is done with, for the run is over"


class StepShape(NamedTuple):
    """What a step has, apart from its values; one prepared statement each."""

    then: Then
    more: bool = False
    waits: bool = False
    ends: bool = False
    consumes: bool = False
    cancelling: bool = False
    leaves: bool = False
    """It gives back the place that the run has at a turnstile."""
    follows: bool = False
    """Another run is to be started because this one fails."""
    queued: bool = False
    """The run keeps standing where it stands, queued or let in meanwhile."""
    progressed: bool = True
    tells: bool = False
    announces: bool = False
    """Triggers may listen to the end of the run."""
    written: bool = False
    """Triggers may listen to the data that was written."""


# A plan is made once, perhaps while hardly anything is there: then to read all of an index seems as quick as to look up
# one row. It is kept while 100,000 runs come. So no way is left open but the one by the keys (ADR 0040): keys that come
# from other parts of a statement are given as a subquery or an array of them, for a join could be answered in the order
# of another index; and what is only compared is said so that no index has it, as here: a ticket is found by its id, and
# neither by its state nor by its run.
HELD = f"state + 0 = {TicketState.RUNNING:d}"


def in_order(tickets: str) -> str:
    """The order in which whoever waits for several tickets locks them: those of shards after that of their activation.

    So a shard that ends, which locks its activation first, and a cancel cannot wait for each other in a circle.
    """
    return f"ORDER BY {tickets}.kind = {TicketKind.SHARD:d}, {tickets}.id"


_RUN = """
    q AS MATERIALIZED (
        SELECT id, digest, priority{more} FROM runs
        WHERE id = :run AND revision = :revision AND head = :head AND {conditions} FOR NO KEY UPDATE)"""
_HOLDS = f"tickets.id = :ticket AND (run_id = {{run}}) IS TRUE AND owner = :worker AND fence = :fence AND {HELD}"
_FENCE = _HOLDS.format(run="q.id")
_PASSED = "RETURNING tickets.run_id, q.digest, q.priority"
_SAME_KIND = f"(kind = {TicketKind.FOLD:d}) = (:activation::text = '')"

# A lane that is not there yet makes this fail on the column's NOT NULL: whoever sends it enters the lane, and sends it
# again.
LANE = "(SELECT id FROM lanes WHERE lanes.queue = {queue} AND lanes.digest = {digest})"

_GOES_ON = "UPDATE tickets SET activation = :activation, fence = fence + 1, starts = 1, lost = 0, left_ = NULL"
_TICKET = {
    Then.GO_ON: f"""
    t AS (
        {_GOES_ON}
        FROM q WHERE {_FENCE} AND {_SAME_KIND} {_PASSED})""",
    Then.DROP: f"""
    t AS (DELETE FROM tickets USING q WHERE {_FENCE} AND kind <> {TicketKind.FOLD:d} {_PASSED})""",
    Then.END: f"""
    t AS (DELETE FROM tickets USING q WHERE {_FENCE} {_PASSED})""",
    # A letter that came while the inbox was being folded has only touched this ticket, for there was one already. The
    # id of the last letter stands on it and is read under the row's lock, so that a fold which did not answer that
    # letter is not done with, but asked for again.
    Then.DROP_FOLD: f"""
    k AS MATERIALIZED (
        SELECT tickets.id, run_id, digest, q.priority, kind = {TicketKind.FOLD:d} AND (
            (signal IS NOT NULL AND signal <> ALL(:consumed::bigint[]))
            OR EXISTS (SELECT FROM signals WHERE run_id = (SELECT id FROM q) AND id <> ALL(:consumed::bigint[]))
        ) AS asked
        FROM tickets CROSS JOIN q WHERE {_FENCE} FOR NO KEY UPDATE OF tickets),
    d AS (DELETE FROM tickets WHERE id = (SELECT id FROM k WHERE NOT asked)),
    a AS (
        UPDATE tickets SET state = {TicketState.READY:d}, owner = NULL, due_at = now_(), starts = 0
        WHERE id = (SELECT id FROM k WHERE asked)),
    t AS (SELECT run_id, digest, priority FROM k)""",
} | {
    then: f"""
    t AS (
        UPDATE tickets SET activation = :activation, state = {state:d}, owner = NULL, starts = 0, lost = 0,
            priority = :priority, due_at = now_() + :delay::float8 * interval '1 second',
            left_ = CASE WHEN activation = :activation THEN left_ END,
            lane = CASE WHEN kind = {TicketKind.FOLD:d} THEN lane
                ELSE {LANE.format(queue=":queue", digest="q.digest")} END
        FROM q WHERE {_FENCE} AND {_SAME_KIND} {_PASSED})"""
    for then, state in ((Then.READY, TicketState.READY), (Then.WAIT, TicketState.WAITING))
}

_JOURNAL = """
    j AS (
        INSERT INTO journal (run_id, revision, head, at, delta, output)
        SELECT run_id, :revision + 1, :new_head, now_(), :delta, :output FROM t)"""
_MORE = f"""
    m AS (
        INSERT INTO tickets (id, run_id, activation, kind, state, lane, priority, due_at, pool)
        SELECT x.id, t.run_id, x.activation, {TicketKind.WORK:d}, {TicketState.READY:d},
            {LANE.format(queue="x.queue", digest="t.digest")}, COALESCE(NULLIF(x.priority, 0), t.priority), now_(),
            NULLIF(x.pool, '')
        FROM t, unnest(:new_ids::bigint[], :new_activations::text[], :new_queues::text[], :new_priorities::int[],
            :new_pools::text[]) AS x (id, activation, queue, priority, pool))"""
# Nobody claims a wait, so it stands in no lane of its own.
_WAITS = f"""
    w AS (
        INSERT INTO tickets (id, run_id, activation, kind, state, lane, due_at, wait_key, wait, input)
        SELECT x.id, t.run_id, x.activation, x.kind, {TicketState.WAITING:d}, {FOLD_LANE},
            GREATEST(to_timestamp(x.until), now_() + x.delay * interval '1 second'), x.wait_key, x.wait, x.detail::jsonb
        FROM t, unnest(:wait_ids::bigint[], :wait_activations::text[], :wait_kinds::int[], :wait_delays::float8[],
            :wait_untils::float8[], :wait_keys::text[], :wait_names::text[], :wait_details::text[])
            AS x (id, activation, kind, delay, until, wait_key, wait, detail))"""
_CONSUME = """
    c AS (DELETE FROM signals WHERE (run_id = (SELECT run_id FROM t)) IS TRUE AND id = ANY(:consumed::bigint[]))"""
_CONSUME_ALL = """
    c AS (DELETE FROM signals WHERE run_id = (SELECT run_id FROM t))"""
# The progress of an activation that is tried again stays, so that only the items that are left are worked on. To look
# where there is none would cost a fifth of a step.
_PROGRESS = {
    True: """
    x AS (DELETE FROM progress USING t WHERE ticket = :ticket)""",
    False: """
    x AS (DELETE FROM progress USING t WHERE ticket = :ticket AND activation <> :activation)""",
}
# At the end, and from the first fold after a cancel, what nobody is at work on goes. What others hold stays theirs, and
# they are told by the next refusal.
_CLEAR = f"""
    o AS (
        DELETE FROM tickets WHERE run_id = (SELECT run_id FROM t) AND id <> :ticket
            AND state <> {TicketState.RUNNING:d} RETURNING id),
    p AS (DELETE FROM progress WHERE ticket = ANY(ARRAY(SELECT id FROM o)))"""
_FOLLOW_UP = """
    f AS (INSERT INTO follow_ups (run_id, revision, workflow) SELECT run_id, :revision + 1, :follow_up FROM t)"""
# The turnstile's row comes last, here as everywhere. Who has been queued has no place to give back.
_LEAVE = f"""
    g AS (
        UPDATE turnstiles SET running = GREATEST(running - 1, 0) FROM t JOIN q ON q.id = t.run_id
        WHERE turnstiles.name = :turnstile AND q.status > {STATUS_CODES[RunStatus.QUEUED]}
            AND q.status < {FIRST_FINISHED})"""
_STANDS = """SET revision = :revision + 1, head = :new_head, status = {status},
    started_at = COALESCE(started_at, now_()), reason = COALESCE(NULLIF(:reason::text, ''), reason) {ended}"""
_RECORD = f"""
UPDATE runs {_STANDS}
WHERE id = (SELECT run_id FROM t) RETURNING 1"""

# What most steps are: they go on, and nothing else. Then to change the run is its lock, and there is nothing to do once
# the ticket is known to be good but to enter the revision. What is entered is selected from the ticket: if that is not
# good there is nothing, the column refuses it, and nothing of the statement stands (ADR 0043).
_PLAIN = f"""WITH
    q AS (
        UPDATE runs {_STANDS.format(status=":status", ended="")}
        WHERE id = :run AND revision = :revision AND head = :head AND stop = 0 AND {UNFINISHED} RETURNING id),
    t AS (
        {_GOES_ON}
        WHERE {_HOLDS.format(run="(SELECT id FROM q)")} AND {_SAME_KIND} RETURNING 1){{also}}
INSERT INTO journal (run_id, revision, head, at, delta, output)
SELECT id, :revision + 1, :new_head, now_(), (SELECT :delta::bytea FROM t), :output FROM q RETURNING 1"""
REFUSED = "delta"
"""The column, of the journal or a partition of it, that refuses a revision whose ticket is not good."""


@lru_cache
def step(shape: StepShape) -> Statement:
    """The statement that writes one revision: one row comes back if it stands, none if it was refused.

    Run, revision, head and stop are compared under the run's lock, holder and fence under the ticket's; where these are
    not good, it may also fail as `REFUSED`. A ticket without an activation is a fold ticket and stays one.
    """
    if shape._replace(progressed=False) == StepShape(Then.GO_ON, progressed=False):
        return statement(_PLAIN.format(also="," + _PROGRESS[False] if shape.progressed else ""))
    drops = shape.then in (Then.DROP, Then.DROP_FOLD, Then.END)
    conditions = "stop <> 0" if shape.cancelling else "stop = 0"
    if not shape.ends:
        conditions += f" AND {UNFINISHED}"
    if shape.tells:
        conditions += " AND (SELECT count(*) FROM parent) >= 0"
    locked = _RUN.format(conditions=conditions, more=", status" if shape.leaves or shape.announces else "")
    consumes = _CONSUME_ALL if shape.ends else _CONSUME
    told = telling(
        "(SELECT * FROM runs WHERE id = (SELECT run_id FROM t) OFFSET 0) AS s", "s.id", "s.parent_ticket", "s.reason"
    )
    parts = (
        (shape.tells, PARENT),
        (True, locked),
        (True, _TICKET[shape.then]),
        (True, _JOURNAL),
        (shape.more, _MORE),
        (shape.waits, _WAITS),
        (shape.ends or shape.consumes, consumes),
        (shape.progressed, _PROGRESS[drops]),
        (shape.ends or shape.cancelling, _CLEAR),
        (shape.follows, _FOLLOW_UP),
        (shape.announces, ENDED),
        (shape.written, WRITTEN),
        (shape.leaves, _LEAVE),
        (shape.tells, told),
    )
    status = "runs.status" if shape.queued else ":status"
    ended = ", stop = 0, finished_at = COALESCE(finished_at, now_())" if shape.ends else ""
    written = ",".join(part for wanted, part in parts if wanted)
    return statement("WITH" + written + _RECORD.format(ended=ended, status=status))

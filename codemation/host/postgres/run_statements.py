"""The statements about runs as a whole: start, reopen, cancel, load, look. The step has a module of its own."""

from __future__ import annotations

from functools import lru_cache

from codemation.core.ids import START as GIVEN
from codemation.core.ids import activation_id
from codemation.core.states import RunStatus
from codemation.core.waits import DEADLINE
from codemation.host.postgres.announcing import ENDED_WITH_START
from codemation.host.postgres.answering import UNFINISHED, ask_for_fold, telling
from codemation.host.postgres.codes import FIRST_FINISHED, FOLD_LANE, STATUS_CODES, TicketKind, TicketState
from codemation.host.postgres.statements import HELD, Statement, in_order, statement
from codemation.host.postgres.turnstile_statements import FREE, WAIT_KEY

_QUEUED = str(STATUS_CODES[RunStatus.QUEUED])
# The first of the new tickets is held from the start if somebody claims it.
_TICKETS = f"""
    INSERT INTO tickets (id, run_id, activation, kind, state, lane, priority, due_at, pool, owner, fence, starts)
    SELECT x.id, r.id, x.activation, {TicketKind.WORK:d},
        CASE WHEN x.n = 1 AND :worker::bigint IS NOT NULL THEN {TicketState.RUNNING:d} ELSE {TicketState.READY:d} END,
        x.lane, COALESCE(NULLIF(x.priority, 0), r.priority), now_(), NULLIF(x.pool, ''),
        CASE WHEN x.n = 1 THEN :worker::bigint END,
        CASE WHEN x.n = 1 AND :worker::bigint IS NOT NULL THEN 1 ELSE 0 END,
        CASE WHEN x.n = 1 AND :worker::bigint IS NOT NULL THEN 1 ELSE 0 END
    FROM r, unnest(:ids::bigint[], :activations::text[], :lanes::int[], :priorities::int[], :pools::text[])
        WITH ORDINALITY AS x (id, activation, lane, priority, pool, n)"""
# Before a turnstile nobody holds anything.
_QUEUED_TICKETS = f"""
    INSERT INTO tickets (id, run_id, activation, kind, state, lane, priority, pool, wait_key)
    SELECT x.id, r.id, x.activation, {TicketKind.WORK:d}, {TicketState.WAITING:d}, x.lane,
        COALESCE(NULLIF(x.priority, 0), r.priority), NULLIF(x.pool, ''), {WAIT_KEY}
    FROM r, unnest(:ids::bigint[], :activations::text[], :lanes::int[], :priorities::int[], :pools::text[])
        AS x (id, activation, lane, priority, pool)"""
_TIMED = f""",
    e AS (
        INSERT INTO tickets (id, run_id, activation, kind, state, lane, due_at, wait)
        SELECT :deadline_ticket::bigint, r.id, '{activation_id(GIVEN)}', {TicketKind.TIMER:d}, {TicketState.WAITING:d},
            {FOLD_LANE}, now_() + :deadline::float8 * interval '1 second', '{DEADLINE}' FROM r)"""
# A key whose time is over, and whose run is not there any more, starts anew.
# A key in use gives no row, and the winner is not visible to this statement.
_KEY = """
    key AS (
        INSERT INTO run_keys AS known (workflow, run_key, run_id, input_digest, expires_at)
        SELECT :workflow, :key, :run::uuid, :input_digest::bytea, now_() + :key_age::float8 * interval '1 second'
        {source}
        ON CONFLICT (workflow, run_key) DO UPDATE SET run_id = EXCLUDED.run_id, input_digest = EXCLUDED.input_digest,
            expires_at = EXCLUDED.expires_at
            WHERE known.expires_at < now_() AND (SELECT runs.id FROM runs WHERE runs.id = known.run_id) IS NULL
        RETURNING run_id),"""
_RECORD = f"""
    r AS (
        INSERT INTO runs (id, workflow, digest, status, reason, revision, head, priority, params, retention,
            created_at, started_at, finished_at{{columns}})
        SELECT :run::uuid, :workflow, :digest, {{status}}, :reason, 1, :head, :priority, :params::jsonb,
            :retention::jsonb, now_(), {{started}}, CASE WHEN {{status}} >= {FIRST_FINISHED} THEN now_() END
            {{values}} {{source}}
        ON CONFLICT (id) DO NOTHING RETURNING id, priority, workflow, origin),
    j AS (
        INSERT INTO journal (run_id, revision, head, at, delta, output)
        SELECT id, 1, :head, now_(), :delta, :output FROM r),
    k AS ({{tickets}}){{more}}
    SELECT 1 FROM r"""
# The wait stays locked until the child is there: whoever cancels its run marks it before that, or sees the child after.
_WANTED = f"""
    parent AS MATERIALIZED (SELECT id FROM runs WHERE id = :parent::uuid FOR NO KEY UPDATE),
    wanted AS MATERIALIZED (
        SELECT tickets.id FROM tickets JOIN parent ON (parent.id = tickets.run_id) IS TRUE
        WHERE tickets.id = :parent_ticket::bigint AND state + 0 = {TicketState.WAITING:d} AND stop = 0
        FOR NO KEY UPDATE OF tickets),"""
# A child is as far down the chain of runs that start one another as its parent.
_INHERITED = """(
            SELECT jsonb_build_object('chain', p.origin->'chain') FROM runs p
            WHERE p.id = :parent::uuid AND p.origin->'chain' IS NOT NULL)"""
_TOLD = "," + telling("r", "r.id", ":parent_ticket::bigint", "''")
_ANNOUNCED = "," + ENDED_WITH_START


@lru_cache
def start(*, keyed: bool = False, timed: bool = False, queued: bool = False, ended: bool = False) -> Statement:
    """The statement that begins a run: a row comes back if it is recorded.

    One that has `ended` with its start sets off triggers.

    A `queued` run waits before its turnstile, whose row is locked already; without a free place it is not recorded
    where the turnstile refuses.
    """
    opening, source = ("\n" + FREE + ",", "FROM free WHERE free.free") if queued else ("", "")
    key = _KEY.format(source=source) if keyed else ""
    record = _RECORD.format(
        columns=", who, origin, run_key" + (", turnstile" if queued else ""),
        values=", :who, :origin::jsonb, " + (":key" if keyed else "NULL") + (", :turnstile" if queued else ""),
        status=_QUEUED if queued else ":status::smallint",
        started="NULL::timestamptz" if queued else "now_()",
        source="FROM key" if keyed else source,
        tickets=_QUEUED_TICKETS if queued else _TICKETS,
        more=(_TIMED if timed else "") + (_ANNOUNCED if ended else ""),
    )
    return statement("WITH" + opening + key + record)


@lru_cache
def start_child(*, timed: bool, ended: bool) -> Statement:
    """The statement that records a child, if it is waited for still, and tells so if it has ended with its start."""
    record = _RECORD.format(
        columns=", who, parent_run, parent_ticket, origin",
        values=f", :who, :parent::uuid, :parent_ticket::bigint, {_INHERITED}",
        status=":status::smallint",
        started="now_()",
        source="FROM wanted",
        tickets=_TICKETS,
        more=(_TIMED if timed else "") + (_TOLD + _ANNOUNCED if ended else ""),
    )
    return statement("WITH" + _WANTED + record)


WINNER = statement("SELECT run_id, input_digest FROM run_keys WHERE workflow = :workflow AND run_key = :key")
SAME_RUN = statement("SELECT 1 FROM journal WHERE run_id = :run::uuid AND revision = 1 AND head = :head")


@lru_cache
def reopen(*, timed: bool = False, queued: bool = False, placeless: bool = False) -> Statement:
    """The statement that lets a run go on anew: a row comes back if it does."""
    status = _QUEUED if queued else ":status::smallint"
    return statement(f"""
    WITH r AS (
        UPDATE runs SET revision = revision + 1, head = :new_head, digest = :digest, status = {status}, stop = 0,
            reason = :reason, parent_ticket = :parent_ticket::bigint,{" turnstile = NULL," if placeless else ""}
            finished_at = CASE WHEN {status} >= {FIRST_FINISHED} THEN now_() END
        WHERE id = :run AND revision = :revision AND head = :head AND stop = 0
            AND status = ANY(:reopenable::smallint[])
        RETURNING id, priority),
    j AS (
        INSERT INTO journal (run_id, revision, head, at, delta) SELECT id, :revision + 1, :new_head, now_(), :delta
        FROM r),
    -- Whoever still holds something of the run's former life, or asks for something, came too late.
    l AS MATERIALIZED (
        SELECT id FROM tickets WHERE run_id = (SELECT id FROM r) {in_order("tickets")} FOR NO KEY UPDATE),
    d AS (DELETE FROM tickets WHERE id = ANY(ARRAY(SELECT id FROM l)) RETURNING id),
    x AS (DELETE FROM progress WHERE ticket = ANY(ARRAY(SELECT id FROM d))),
    s AS (DELETE FROM signals WHERE run_id = (SELECT id FROM r)),
    k AS ({_QUEUED_TICKETS if queued else _TICKETS}){_TIMED if timed else ""}
    SELECT 1 FROM r""")


STOP = statement(f"""
    WITH r AS (
        UPDATE runs SET stop = 1, revision = revision + 1, head = :new_head
        WHERE id = :run AND revision = :revision AND head = :head AND stop = 0 AND {UNFINISHED}
        RETURNING id, revision)
    INSERT INTO journal (run_id, revision, head, at, delta) SELECT id, revision, :new_head, now_(), :delta FROM r""")
# Sees every ticket, because its own moment comes after the lock on the run; a claim that is under way is waited for.
# The fold's own ticket comes last, as where tickets are given up: so it stands on the marks, which came after it else.
_MARKED = "SELECT :fold::bigint AS id, id AS run_id, 0 AS signal FROM q WHERE (SELECT count(*) FROM m) >= 0"
MARK = statement(f"""
    WITH q AS (SELECT id FROM runs WHERE id = :run AND head = :new_head),
    t AS MATERIALIZED (
        SELECT id FROM tickets WHERE run_id = (SELECT id FROM q) AND kind <> {TicketKind.FOLD:d}
        {in_order("tickets")} FOR NO KEY UPDATE),
    m AS (UPDATE tickets SET stop = 1 WHERE id = ANY(ARRAY(SELECT id FROM t)) RETURNING 1)
    {ask_for_fold(_MARKED)}""")

RUN = """r.revision, r.head, r.created_at, NULL::bytea AS delta, r.workflow, r.digest, r.status, r.reason, r.stop,
    r.params::text, r.priority, r.started_at, r.finished_at, r.turnstile, r.parent_run::text, r.origin,
    r.who, r.run_key"""


def _beside(columns: int) -> str:
    """What stands in the row of an entry where that of a run has the rest of `RUN` and so many columns more."""
    return ", ".join(["NULL"] * (RUN.count(",") - 3 + columns))


def _entries(since: str, more: int = 0) -> str:
    """SQL for the entries of a run, in rows as wide as one that has `RUN` and so many columns more."""
    return f"""
    UNION ALL SELECT revision, head, at, delta, {_beside(more)} FROM journal WHERE run_id = :run AND {since}"""


LOAD = statement(f"SELECT {RUN} FROM runs r WHERE r.id = :run" + _entries("revision > 0"))
# The entry of the checkpoint's own revision comes along: it says whether the checkpoint belongs to this journal. Each
# OFFSET keeps the planner to the way by the keys, however many runs it believes there to be.
LOAD_LATEST = statement(f"""
    WITH c AS MATERIALIZED (
        SELECT i.run, kept.revision, kept.state FROM unnest(:runs::uuid[]) AS i (run) LEFT JOIN LATERAL (
            SELECT revision, state FROM checkpoints WHERE run_id = i.run ORDER BY revision DESC LIMIT 1
        ) AS kept ON true)
    SELECT {RUN}, c.revision, c.state, c.run::text FROM c
        CROSS JOIN LATERAL (SELECT * FROM runs WHERE id = c.run OFFSET 0) AS r
    UNION ALL SELECT j.revision, j.head, j.at, j.delta, {_beside(2)}, c.run::text FROM c CROSS JOIN LATERAL (
        SELECT * FROM journal WHERE run_id = c.run AND journal.revision >= COALESCE(c.revision, 0) OFFSET 0) AS j""")
KEEP = statement("""
    INSERT INTO checkpoints (run_id, revision, state)
    SELECT id, :at::int, :state FROM runs WHERE id = :run::uuid ON CONFLICT (run_id, revision) DO NOTHING""")
REPLACED = statement("""
    DELETE FROM checkpoints WHERE (run_id, revision) IN (
        SELECT run_id, revision FROM checkpoints c
        WHERE EXISTS (SELECT FROM checkpoints l WHERE l.run_id = c.run_id AND l.revision > c.revision)
        LIMIT :most::int FOR UPDATE SKIP LOCKED)""")
AGE = statement(
    "SELECT extract(epoch FROM now_() - at)::float8 FROM journal WHERE run_id = :run::uuid AND revision = :revision"
)
LOOK = statement(
    f"""SELECT {RUN}, t.fence, t.activation, (SELECT queue FROM lanes WHERE id = t.lane), t.priority, t.starts
    FROM runs r LEFT JOIN tickets t ON t.id = :ticket AND t.owner = :worker AND t.{HELD}
    WHERE r.id = :run"""
    + _entries("revision > :after", more=5)
)

"""SQL that answers waits, taken under the lock on their run: a letter in its inbox, and a fold that is asked for."""

from __future__ import annotations

from codemation.host.postgres.codes import FIRST_FINISHED, FOLD_LANE, FOLD_PRIORITY, TicketKind, TicketState

RANDOM_ID = "hashtextextended(gen_random_uuid()::text, 0)"
"""An id for a ticket that the database itself asks for."""
UNFINISHED = f"status < {FIRST_FINISHED}"
# The parent is locked before its child, as by all who lock several runs: ids sort by the time of the start.
PARENT = """
    parent AS MATERIALIZED (
        SELECT id FROM runs WHERE id = (SELECT parent_run FROM runs WHERE id = :run::uuid) FOR NO KEY UPDATE)"""


def telling(ended: str, child: str, ticket: str, reason: str) -> str:
    """SQL that answers the wait for a child which the same statement ends, a row of `ended` with these columns."""
    return answering(
        f"""SELECT k.id, k.run_id, {child} AS child, {reason} AS reason FROM {ended}
            CROSS JOIN LATERAL (
                SELECT * FROM tickets WHERE id = {ticket} AND state + 0 = {TicketState.WAITING:d} OFFSET 0) AS k""",
        """json_build_object('kind', 'ChildEnded', 'activation', k.activation, 'wait', k.wait, 'child', c.child,
            'status', :outcome::text, 'reason', COALESCE(NULLIF(:reason::text, ''), c.reason))""",
        fold=RANDOM_ID,
        skip=False,
    )


# --- answering a wait ----------------------------------------------------------------------------------------------


def answering(candidates: str, body: str, *, fold: str, skip: bool) -> str:
    """SQL that takes the waits in `candidates` and leaves an answer for each in the inbox of its run.

    `candidates` gives the ids of waiting tickets and whatever `body` names, the latter as `c.<name>`; `body` makes the
    letter of one of them, named as `k.<column>`. The run is locked first, as everywhere: otherwise a fold that ends the
    run, and with it these tickets, would wait for whoever waits for that fold. `skip` passes over runs that are being
    written; without it they are waited for. What is taken is read from `taken`.
    """
    locks = "FOR NO KEY UPDATE SKIP LOCKED" if skip else "FOR NO KEY UPDATE"
    return f"""
    candidates AS MATERIALIZED ({candidates}),
    asked AS MATERIALIZED (
        SELECT id FROM runs WHERE id = ANY(ARRAY(SELECT run_id FROM candidates)) AND stop = 0 AND {UNFINISHED}
        ORDER BY id {locks}),
    taken AS MATERIALIZED (
        SELECT k.id, k.run_id, k.activation, {body} AS body FROM tickets k JOIN candidates c ON c.id = k.id
            JOIN asked ON (asked.id = k.run_id) IS TRUE
        WHERE k.id = ANY(ARRAY(SELECT id FROM candidates))
            AND k.state + 0 = {TicketState.WAITING:d} AND k.stop = 0 ORDER BY k.id FOR NO KEY UPDATE OF k),
    gone AS (DELETE FROM tickets WHERE id = ANY(ARRAY(SELECT id FROM taken))),
    letters AS (
        INSERT INTO signals (run_id, key, body) SELECT run_id, 'wait:' || id, body FROM taken
        ON CONFLICT (run_id, key) DO NOTHING RETURNING id, run_id),
    folds AS ({
        ask_for_fold(f"SELECT {fold} AS id, run_id, max(id) AS signal FROM letters GROUP BY run_id")
    } RETURNING 1)"""


# --- asking for a fold ----------------------------------------------------------------------------------------------


def ask_for_fold(rows: str) -> str:
    """SQL that asks for a fold of each run in `rows`, which gives `id`, `run_id` and `signal`, a run at most once.

    The signal is the letter that asks, or 0 where no letter does.

    A fold that waits becomes ready; one that somebody is at work on learns by the signal that it was asked for again.
    """
    return f"""
        INSERT INTO tickets (id, run_id, activation, kind, state, lane, priority, due_at, signal)
        SELECT id, run_id, '', {TicketKind.FOLD:d}, {TicketState.READY:d}, {FOLD_LANE}, {FOLD_PRIORITY}, now_(), signal
        FROM ({rows}) AS asking
        ON CONFLICT (run_id) WHERE kind = {TicketKind.FOLD:d} DO UPDATE SET signal = EXCLUDED.signal,
            state = CASE tickets.state WHEN {TicketState.WAITING:d} THEN {TicketState.READY:d} ELSE tickets.state END,
            due_at = CASE tickets.state WHEN {TicketState.WAITING:d} THEN EXCLUDED.due_at ELSE tickets.due_at END"""

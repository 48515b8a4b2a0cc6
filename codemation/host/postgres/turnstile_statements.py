"""Places for runs as SQL.

Nobody can tell how many places are free from a look at rows that others may be writing. So the row of a turnstile is
locked first, and what is queued there is looked at in a second statement of the same transaction, whose moment comes
after the lock. Both are sent at once. Runs are locked before turnstiles everywhere else; here it is the other way
round, and so nobody is waited for: a run that somebody is writing is passed over, and whoever ends it looks anew.
"""

from __future__ import annotations

from codemation.core.states import RunStatus
from codemation.host.postgres.codes import STATUS_CODES, TicketKind, TicketState
from codemation.host.postgres.statements import statement

_QUEUED, _RUNNING = STATUS_CODES[RunStatus.QUEUED], STATUS_CODES[RunStatus.RUNNING]
WAIT_KEY = "'turnstile:' || :turnstile::text"
"""What the tickets of a queued run wait for."""
_HERE = "turnstile = :turnstile::text AND finished_at IS NULL"

ENTER = statement("""
    INSERT INTO turnstiles (name, cap) VALUES (:turnstile, :cap::int)
    ON CONFLICT (name) DO UPDATE SET cap = EXCLUDED.cap""")
"""Locks the turnstile, and makes it as wide as the latest definition says."""
LOCK = statement("SELECT name FROM turnstiles WHERE name = :turnstile FOR NO KEY UPDATE")
FREE = f"""
    free AS MATERIALIZED (
        SELECT NOT :refuses::bool
            OR running + (SELECT count(*) FROM runs WHERE {_HERE} AND status = {_QUEUED}) < cap AS free
        FROM turnstiles WHERE name = :turnstile::text)"""
LET_IN = statement(f"""
    WITH c AS MATERIALIZED (
        SELECT id FROM runs WHERE {_HERE} AND status = {_QUEUED} AND stop = 0
        ORDER BY priority DESC, created_at, id
        LIMIT GREATEST(0, (SELECT cap - running FROM turnstiles WHERE name = :turnstile))
        FOR NO KEY UPDATE SKIP LOCKED),
    r AS (
        UPDATE runs SET status = {_RUNNING}, started_at = COALESCE(started_at, now_())
        WHERE id = ANY(ARRAY(SELECT id FROM c)) RETURNING id),
    k AS (
        UPDATE tickets SET state = {TicketState.READY:d}, due_at = now_(), wait_key = NULL
        WHERE run_id = ANY(ARRAY(SELECT id FROM r)) AND kind = {TicketKind.WORK:d}
            AND state + 0 = {TicketState.WAITING:d} AND due_at IS NULL),
    g AS (UPDATE turnstiles SET running = running + (SELECT count(*) FROM r) WHERE name = :turnstile)
    SELECT id FROM r""")
RECOUNT = statement(f"""
    UPDATE turnstiles SET running = (SELECT count(*) FROM runs WHERE {_HERE} AND status > {_QUEUED})
    WHERE name = :turnstile""")
FORGET = statement(f"""
    DELETE FROM turnstiles WHERE name = :turnstile AND running = 0
        AND NOT EXISTS (SELECT FROM runs WHERE {_HERE} AND status = {_QUEUED})""")
"""One that nobody is at is not kept: there may be one for each customer."""

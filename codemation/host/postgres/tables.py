"""The tables as declared; a test holds them against what the migrations make.

Columns stand in an order that wastes no space on alignment. Ids are made by the client, so that whoever loses an answer
can ask what became of it. Whatever tells the time is `now_()`, which tests can shift.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, CheckConstraint, Column, ForeignKey, Index, MetaData, Table, event, func, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, DOUBLE_PRECISION, JSON, JSONB, TIMESTAMP, UUID
from sqlalchemy.schema import Identity, SchemaItem, UniqueConstraint
from sqlalchemy.types import BigInteger, Boolean, Integer, SmallInteger, Text

from codemation.host.postgres.codes import SUCCEEDED

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
    }
)

NOW = text("now_()")
ZERO = text("0")
NOTHING = text("'{}'")
EMPTY = text("''")
TIME = TIMESTAMP(timezone=True)
BEATEN = {"autovacuum_vacuum_threshold": 5000, "autovacuum_analyze_threshold": 5000}
"""For few rows that change every few seconds in place: each page is tidied up when it is full, which is soon."""


def _needed(name: str, kind: Any, *rest: SchemaItem, default: Any = None) -> Column[Any]:
    return Column(name, kind, *rest, nullable=False, server_default=default)


def _key(name: str, kind: Any) -> Column[Any]:
    """A column of the primary key; its values are always the client's."""
    return Column(name, kind, primary_key=True, autoincrement=False)


definitions = Table(
    "definitions",
    metadata,
    _key("digest", BYTEA),
    _needed("at", TIME, default=NOW),
    _needed("engine", Integer, default=text("1")),
    _needed("workflow", Text),
    _needed("graph_digest", BYTEA),
    _needed("code_digest", BYTEA),
    # Not jsonb, which writes 1e16 as an integer: what is read back must have the digest that it was stored under.
    _needed("plan", JSON),
    _needed("source_ref", Text, default=EMPTY),
)

runs = Table(
    "runs",
    metadata,
    _key("id", UUID(as_uuid=False)),
    _needed("head", BigInteger),
    _needed("created_at", TIME, default=NOW),
    Column("started_at", TIME),
    Column("finished_at", TIME),
    Column("parent_run", UUID(as_uuid=False)),
    Column("parent_ticket", BigInteger),
    _needed("revision", Integer),
    _needed("priority", Integer, default=ZERO),
    _needed("engine", Integer, default=text("1")),
    _needed("status", SmallInteger),
    _needed("stop", SmallInteger, default=ZERO),
    _needed("depth", SmallInteger, default=ZERO),
    _needed("inbox_pending", Boolean, default=text("false")),
    _needed("workflow", Text),
    _needed("digest", BYTEA, ForeignKey("definitions.digest")),
    _needed("reason", Text, default=EMPTY),
    _needed("params", JSONB, default=text("'{}'")),
    Column("retention", JSONB),
    Column("turnstile", Text),  # where it has its place, or is queued for one
    Column("origin", JSONB),  # what has started it, if a trigger did
    Column("who", Text),  # who or what has started it, in words
    Column("run_key", Text),  # as it stands in run_keys, which is found by the key alone
    # No checks: the server reads and plans each of them anew in each step (ADR 0041).
)
# A page that keeps room for updates is tidied up below that room, takes a run above it, and is left between: none does.
# Nothing here has revision or head in it, and the status of a run changes seldom: an update by a step stays HOT.
Index("runs_of_workflow", runs.c.workflow, runs.c.created_at.desc(), runs.c.id.desc())
Index("runs_by_age", runs.c.created_at.desc(), runs.c.id.desc())
# One run may have a million children, among which those that somebody has started would not be found.
Index("runs_for_nobody", runs.c.created_at.desc(), runs.c.id.desc(), postgresql_where=text("parent_run IS NULL"))
Index("runs_unfinished", runs.c.status, runs.c.created_at.desc(), postgresql_where=text("finished_at IS NULL"))
# When a run may be pruned follows from what stands in it since its beginning and its end, so no step writes it.
Index(
    "runs_prunable",
    func.kept_until(runs.c.finished_at, runs.c.status, runs.c.retention),
    postgresql_where=text("finished_at IS NOT NULL AND retention IS NOT NULL"),
)
# Only runs that need a place stand in it, for as long as they are not over.
Index(
    "runs_at_turnstile",
    runs.c.turnstile,
    runs.c.status,
    runs.c.priority.desc(),
    runs.c.created_at,
    runs.c.id,
    postgresql_where=text("turnstile IS NOT NULL AND finished_at IS NULL"),
)
Index("runs_of_parent", runs.c.parent_run, postgresql_where=text("parent_run IS NOT NULL"))
Index(
    "runs_working_for_others",
    runs.c.parent_run,
    postgresql_where=text("parent_ticket IS NOT NULL AND finished_at IS NULL"),
)

run_keys = Table(
    "run_keys",
    metadata,
    _key("workflow", Text),
    _key("run_key", Text),
    _needed("run_id", UUID(as_uuid=False)),
    Column("expires_at", TIME),
    _needed("input_digest", BYTEA),
)

Index("run_keys_expiring", run_keys.c.expires_at)

# No foreign keys on journal and progress: the run or ticket is locked by the same statement.
journal = Table(
    "journal",
    metadata,
    _key("run_id", UUID(as_uuid=False)),
    _needed("head", BigInteger),
    _needed("at", TIME),
    _key("revision", Integer),
    _needed("delta", BYTEA),
    Column("output", BYTEA),
)

checkpoints = Table(
    "checkpoints", metadata, _key("run_id", UUID(as_uuid=False)), _key("revision", Integer), _needed("state", BYTEA)
)

lanes = Table(
    "lanes",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    _needed("queue", Text),
    _needed("digest", BYTEA),
    UniqueConstraint("queue", "digest"),
)

# No foreign keys to lanes and workers: each check would lock the same few rows for every run that starts. Lanes are
# never deleted, and an owner who is not entered, or dead, is what take-over looks for.
tickets = Table(
    "tickets",
    metadata,
    _key("id", BigInteger),
    _needed("run_id", UUID(as_uuid=False)),
    Column("due_at", TIME),
    Column("owner", BigInteger),
    Column("parent", BigInteger),
    Column("signal", BigInteger),  # of a fold ticket: the last signal that asked for it since it was claimed
    Column("hinted_at", TIME),
    _needed("lane", Integer),
    _needed("priority", Integer, default=ZERO),
    _needed("fence", Integer, default=ZERO),
    Column("left_", Integer),
    _needed("kind", SmallInteger, default=ZERO),
    _needed("state", SmallInteger),
    _needed("stop", SmallInteger, default=ZERO),
    _needed("starts", SmallInteger, default=ZERO),
    _needed("lost", SmallInteger, default=ZERO),
    _needed("hints", SmallInteger, default=ZERO),
    _needed("activation", Text),
    Column("wait_key", Text),
    Column("input", JSONB),  # of a wait: what people are shown; of a shard: its items; of what was split: how often
    Column("wait", Text),  # of a wait: what names it within its activation
    Column("pool", Text),  # whose slot it takes while somebody holds it
    postgresql_with={
        "fillfactor": 50,
        "autovacuum_vacuum_scale_factor": 0.02,
        "autovacuum_vacuum_threshold": 500,
        "autovacuum_vacuum_cost_delay": 0,
    },
)
# The activation is in none of them: going on from one to the next stays HOT.
Index("tickets_of_run", tickets.c.run_id)
Index("tickets_fold", tickets.c.run_id, unique=True, postgresql_where=text("kind = 6"))
Index(
    "tickets_ready",
    tickets.c.lane,
    tickets.c.priority.desc(),
    tickets.c.due_at,
    tickets.c.id,
    postgresql_where=text("state = 0 AND stop = 0 AND pool IS NULL"),
)
Index(
    "tickets_ready_for_pool",
    tickets.c.pool,
    tickets.c.priority.desc(),
    tickets.c.due_at,
    tickets.c.id,
    postgresql_where=text("state = 0 AND stop = 0 AND pool IS NOT NULL"),
)
Index("tickets_for_children", tickets.c.run_id, postgresql_where=text("kind = 5"))
Index("tickets_of_owner", tickets.c.owner, postgresql_where=text("state = 1"))
Index("tickets_due", tickets.c.due_at, postgresql_where=text("state = 2 AND due_at IS NOT NULL"))
Index("tickets_awaiting", tickets.c.wait_key, postgresql_where=text("state = 2 AND wait_key IS NOT NULL"))

Index("tickets_in_pool", tickets.c.pool, postgresql_where=text("pool IS NOT NULL AND state = 1"))

progress = Table(
    "progress",
    metadata,
    _key("ticket", BigInteger),
    _key("activation", Text),
    _key("chunk", BigInteger),
    _needed("items", ARRAY(Integer)),
    _needed("batch", BYTEA),
    Column("errors", JSONB),
)

signals = Table(
    "signals",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _needed("run_id", UUID(as_uuid=False)),
    _needed("at", TIME, default=NOW),
    _needed("key", Text),
    # Not jsonb: it refuses U+0000, and a decision is read exactly as it was sent.
    _needed("body", JSON),
    UniqueConstraint("run_id", "key"),
)

events = Table(
    "events",
    metadata,
    _key("id", UUID(as_uuid=False)),
    _needed("at", TIME, default=NOW),
    Column("expires_at", TIME),
    _needed("name", Text),
    _needed("key", Text),
    _needed("body", JSON),
    Column("dedup", Text, unique=True),
)
Index("events_by_key", events.c.name, events.c.key, events.c.at)

Index("events_expiring", events.c.expires_at)

# An event is given to one activation of a node; the next turn of a loop waits for another one.
event_receipts = Table(
    "event_receipts",
    metadata,
    Column("event", UUID(as_uuid=False), ForeignKey("events.id", ondelete="CASCADE"), primary_key=True),
    _key("run_id", UUID(as_uuid=False)),
    _key("node", Text),
    _needed("activation", Text),
)

blobs = Table(
    "blobs",
    metadata,
    _key("id", UUID(as_uuid=False)),
    _needed("touched_at", TIME, default=NOW),
    _needed("bytes", BigInteger, default=ZERO),
    _needed("state", SmallInteger, default=ZERO),
    _needed("attached", Boolean, default=text("false")),
    Column("digest", BYTEA),
    CheckConstraint(text("state BETWEEN 0 AND 2"), name="state"),
    CheckConstraint(text("state <> 1 OR digest IS NOT NULL"), name="digest"),
)
Index("blobs_of_digest", blobs.c.digest, unique=True, postgresql_where=text("state < 2"))
Index("blobs_unsettled", blobs.c.touched_at, postgresql_where=text("state <> 1"))

blob_chunks = Table(
    "blob_chunks",
    metadata,
    Column("blob", UUID(as_uuid=False), ForeignKey("blobs.id", ondelete="CASCADE"), primary_key=True),
    _key("n", Integer),
    _needed("data", BYTEA),
)

batches = Table(
    "batches",
    metadata,
    _key("id", UUID(as_uuid=False)),
    _needed("home_run", UUID(as_uuid=False)),
    Column("blob", UUID(as_uuid=False), ForeignKey("blobs.id")),
    _needed("bytes", BigInteger),
    _needed("count", Integer),
    _needed("kind", Text),
    Column("schema", JSONB),
    _needed("digest", BYTEA),
    Column("inline", BYTEA),
    CheckConstraint(text("(inline IS NULL) <> (blob IS NULL)"), name="place"),
)
Index("batches_of_run", batches.c.home_run)
Index("batches_of_blob", batches.c.blob, postgresql_where=text("blob IS NOT NULL"))

borrowed = Table(
    "borrowed",
    metadata,
    Column("batch", UUID(as_uuid=False), ForeignKey("batches.id"), primary_key=True),
    _key("run_id", UUID(as_uuid=False)),
)
Index("borrowed_by_run", borrowed.c.run_id)

workers = Table(
    "workers",
    metadata,
    _key("id", BigInteger),
    _needed("pid_started", BigInteger),
    _needed("beat", BigInteger, default=ZERO),
    _needed("registered_at", TIME, default=NOW),
    Column("dead_at", TIME),
    _needed("pid", Integer),
    Column("load", DOUBLE_PRECISION),
    _needed("name", Text),
    _needed("place", Text),
    _needed("version", Text, default=EMPTY),
    Column("lanes", ARRAY(Integer)),  # as claims have named them
    Column("heard_at", TIME),  # for people: nobody is taken for dead by it
    _needed("slots", Integer, default=ZERO),
    _needed("host", Text, default=EMPTY),
    _needed("queues", ARRAY(Text), default=NOTHING),
    _needed("digests", ARRAY(Text), default=NOTHING),
    postgresql_with=BEATEN,
)

duties = Table(
    "duties",
    metadata,
    _key("name", Text),
    Column("holder", BigInteger),
    _needed("epoch", BigInteger, default=ZERO),
    _needed("beat", BigInteger, default=ZERO),
    Column("last_at", TIME),
    Column("lag", DOUBLE_PRECISION),
    postgresql_with=BEATEN,
)

# Whoever holds a ticket has the slot that it needs, so nothing counts the slots but the tickets themselves.
pools = Table(
    "pools",
    metadata,
    _key("name", Text),
    _needed("cap", Integer),
)

turnstiles = Table(
    "turnstiles",
    metadata,
    _key("name", Text),
    _needed("running", Integer, default=ZERO),
    _needed("cap", Integer),
    CheckConstraint(text("running >= 0"), name="running"),
)

# Until when calls are spoken for.
rates = Table("rates", metadata, _needed("at", TIME), _key("name", Text))

# A run to be started because another one has failed, until it is there.
follow_ups = Table(
    "follow_ups",
    metadata,
    _key("run_id", UUID(as_uuid=False)),
    _key("revision", Integer),
    _needed("at", TIME, default=NOW),
    _needed("workflow", Text),
)
Index("follow_ups_of_workflow", follow_ups.c.workflow)

# Workflows whose triggers somebody has armed, or disarmed since.
armed_workflows = Table(
    "armed_workflows",
    metadata,
    _needed("at", TIME, default=NOW),
    _needed("active", Boolean),
    _key("workflow", Text),
    _needed("digest", BYTEA),
    _needed("by", Text, default=EMPTY),
    _needed("missing", Text, default=EMPTY),  # who has looked for it in vain
)

# A trigger keeps its row, and so its state, while it is not armed.
triggers = Table(
    "triggers",
    metadata,
    Column("next_at", TIME),
    Column("last_at", TIME),
    Column("error_at", TIME),
    Column("passed_at", TIME),  # when its source was last read to its end
    Column("last_run", UUID(as_uuid=False)),
    Column("owner", BigInteger),
    _needed("number", Integer),
    _needed("revision", Integer, default=ZERO),
    _needed("fence", Integer, default=ZERO),
    _needed("tries", Integer, default=ZERO),
    _needed("active", Boolean),
    _key("id", Text),
    _needed("workflow", Text),
    _needed("kind", Text),
    _needed("subject", Text, default=EMPTY),  # what it listens to
    _needed("outcome", Text, default=EMPTY),
    _needed("overlap", Text, default=EMPTY),
    _needed("said", Text, default=EMPTY),
    _needed("error", Text, default=EMPTY),
    # Not jsonb, for the reasons that `signals` and `definitions` have.
    _needed("config", JSON),
    Column("state", JSON),
)
Index("triggers_of_workflow", triggers.c.workflow)
Index("triggers_due", triggers.c.next_at, postgresql_where=text("active AND next_at IS NOT NULL"))
Index("triggers_of_subject", triggers.c.subject, triggers.c.kind, postgresql_where=text("active AND subject <> ''"))

# Runs that are owed, until they are there.
firings = Table(
    "firings",
    metadata,
    _key("id", UUID(as_uuid=False)),
    _needed("at", TIME),  # the tick, or when it was owed
    _needed("due_at", TIME),
    Column("owner", BigInteger),
    _needed("tries", Integer, default=ZERO),
    _needed("chain", Integer, default=ZERO),
    _needed("serial", Boolean, default=text("false")),
    _needed("trigger", Text),
    _needed("key", Text),
    _needed("error", Text, default=EMPTY),
    Column("item", JSON),
    UniqueConstraint("trigger", "key"),
    postgresql_with={"autovacuum_vacuum_scale_factor": 0.02, "autovacuum_vacuum_threshold": 500},
)
Index("firings_by_time", firings.c.trigger, firings.c.at, firings.c.id)
Index("firings_by_age", firings.c.at, firings.c.id)
Index(
    "firings_one_at_a_time",
    firings.c.trigger,
    unique=True,
    postgresql_where=text("serial AND owner IS NOT NULL"),
)

ticks = Table(
    "ticks",
    metadata,
    _key("trigger", Text),
    _key("tick_at", TIME),
    Column("run_id", UUID(as_uuid=False)),
    _needed("outcome", Text, default=EMPTY),
)

poll_seen = Table("poll_seen", metadata, _key("trigger", Text), _key("key", Text), _needed("at", TIME, default=NOW))

recalled = Table(
    "recalled",
    metadata,
    _key("key", BYTEA),
    _needed("run_id", UUID(as_uuid=False), ForeignKey("runs.id", ondelete="CASCADE")),
    _needed("at", TIME, default=NOW),
    # Not jsonb: what is read back is spelled as it was stored.
    _needed("outputs", JSON),
)
Index("recalled_by_run", recalled.c.run_id)

logs = Table(
    "logs",
    metadata,
    _key("run_id", UUID(as_uuid=False)),
    Column("n", BigInteger, Identity(), primary_key=True),
    _needed("at", TIME),
    _needed("attempt", Integer),
    _needed("activation", Text),
    _needed("level", Text),
    _needed("text", Text),
)

# Of a token only the digest is kept. One that was revoked stays, so that what it did can be told of.
tokens = Table(
    "tokens",
    metadata,
    _key("id", UUID(as_uuid=False)),
    _needed("created_at", TIME, default=NOW),
    Column("expires_at", TIME),
    Column("used_at", TIME),
    Column("revoked_at", TIME),
    _needed("name", Text),
    _needed("role", Text),
    _needed("created_by", Text, default=EMPTY),
    _needed("digest", BYTEA),
    UniqueConstraint("digest"),
)
Index("tokens_by_name", tokens.c.name, unique=True, postgresql_where=text("revoked_at IS NULL"))

audit = Table(
    "audit",
    metadata,
    _key("id", UUID(as_uuid=False)),
    _needed("at", TIME, default=NOW),
    _needed("who", Text),
    _needed("action", Text),
    _needed("target", Text),
    _needed("outcome", Text, default=EMPTY),
    _needed("detail", JSON),
)
Index("audit_by_age", audit.c.at.desc(), audit.c.id.desc())

# What was built: manifests, the files as archives, and where the code of each definition is.
builds = Table("builds", metadata, _key("digest", BYTEA), _needed("at", TIME, default=NOW), _needed("manifest", Text))
bundles = Table("bundles", metadata, _key("digest", BYTEA), _needed("at", TIME, default=NOW), _needed("archive", BYTEA))
deployed_code = Table(
    "deployed_code",
    metadata,
    _key("definition", BYTEA),
    _needed("bundle", BYTEA, ForeignKey("bundles.digest")),
    _needed("build", BYTEA, ForeignKey("builds.digest")),
    _needed("file", Text),
)
Index("deployed_code_of_build", deployed_code.c.build)
Index("deployed_code_in_bundle", deployed_code.c.bundle)

deployments = Table(
    "deployments",
    metadata,
    _key("id", UUID(as_uuid=False)),
    _needed("at", TIME, default=NOW),
    _needed("build", BYTEA, ForeignKey("builds.digest")),
    _needed("who", Text, default=EMPTY),
    _needed("message", Text, default=EMPTY),
)
Index("deployments_by_age", deployments.c.at.desc(), deployments.c.id.desc())
Index("deployments_of_build", deployments.c.build)

event.listen(
    metadata,
    "before_create",
    DDL("CREATE OR REPLACE FUNCTION now_() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()'"),
)
event.listen(
    metadata,
    "before_create",
    # In SQL it would be made ready anew for each row that an index takes: SQL is not inlined there.
    DDL(f"""CREATE OR REPLACE FUNCTION kept_until(finished timestamptz, status smallint, retention jsonb)
    RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    RETURN finished + (retention->>CASE status WHEN {SUCCEEDED} THEN 'succeeded' ELSE 'failed' END)::float8
        * interval '1 second'; END $$"""),
)
for _table, _column in ((batches, "inline"), (blob_chunks, "data"), (progress, "batch")):
    # What is packed already is not compressed again, and can be read in parts.
    event.listen(_table, "after_create", DDL(f"ALTER TABLE {_table.name} ALTER COLUMN {_column} SET STORAGE EXTERNAL"))

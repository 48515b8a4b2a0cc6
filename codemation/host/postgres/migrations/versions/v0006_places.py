"""Places for runs, slots for nodes, calls in time, and runs that follow others.

Revision 0006.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE runs ADD COLUMN turnstile TEXT;
CREATE INDEX runs_at_turnstile ON runs (turnstile, status, priority DESC, created_at, id)
    WHERE turnstile IS NOT NULL AND finished_at IS NULL;
ALTER TABLE tickets ADD COLUMN pool TEXT;
ALTER TABLE pools DROP CONSTRAINT pools_used;
ALTER TABLE pools ADD CONSTRAINT pools_used CHECK (used >= 0);
DROP TABLE gates;
CREATE TABLE turnstiles (
    name TEXT NOT NULL,
    running INTEGER DEFAULT 0 NOT NULL,
    cap INTEGER NOT NULL,
    CONSTRAINT turnstiles_pkey PRIMARY KEY (name),
    CONSTRAINT turnstiles_running CHECK (running >= 0)
);
DROP TABLE rates;
CREATE TABLE rates (
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    name TEXT NOT NULL,
    CONSTRAINT rates_pkey PRIMARY KEY (name)
);
CREATE TABLE follow_ups (
    run_id UUID NOT NULL,
    revision INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now_() NOT NULL,
    workflow TEXT NOT NULL,
    CONSTRAINT follow_ups_pkey PRIMARY KEY (run_id, revision)
);
CREATE INDEX follow_ups_of_workflow ON follow_ups (workflow)
"""


def upgrade() -> None:
    """Make room for what bounds the work of a fleet."""
    for statement in CHANGES.split(";\n"):
        op.execute(statement)

"""Who may ask over the network, and who did what.

Revision 0010.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE tokens (
    id uuid NOT NULL,
    created_at timestamptz DEFAULT now_() NOT NULL,
    expires_at timestamptz,
    used_at timestamptz,
    revoked_at timestamptz,
    name text NOT NULL,
    role text NOT NULL,
    created_by text DEFAULT '' NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT tokens_pkey PRIMARY KEY (id),
    CONSTRAINT tokens_digest_key UNIQUE (digest)
);
CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_at IS NULL;
CREATE TABLE audit (
    id uuid NOT NULL,
    at timestamptz DEFAULT now_() NOT NULL,
    who text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    outcome text DEFAULT '' NOT NULL,
    detail json NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (id)
);
CREATE INDEX audit_by_age ON audit (at DESC, id DESC)
"""


def upgrade() -> None:
    """Make room for tokens and deeds."""
    for statement in CHANGES.split(";\n"):
        op.execute(statement)

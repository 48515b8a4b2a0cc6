"""Slots are counted by the tickets that are held.

Revision 0008.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CHANGES = """
DROP TABLE pools;
CREATE TABLE pools (
    name TEXT NOT NULL,
    cap INTEGER NOT NULL,
    CONSTRAINT pools_pkey PRIMARY KEY (name)
);
CREATE INDEX tickets_in_pool ON tickets (pool) WHERE pool IS NOT NULL AND state = 1
"""


def upgrade() -> None:
    """Count slots where they are taken."""
    for statement in CHANGES.split(";\n"):
        op.execute(statement)

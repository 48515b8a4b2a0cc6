"""Workers say where they are, what they serve and how much they can do.

Revision 0012.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE workers ADD COLUMN heard_at timestamptz, ADD COLUMN slots integer NOT NULL DEFAULT 0,
    ADD COLUMN host text NOT NULL DEFAULT '', ADD COLUMN queues text[] NOT NULL DEFAULT '{}',
    ADD COLUMN digests text[] NOT NULL DEFAULT '{}'
"""


def upgrade() -> None:
    """Let people see who serves what."""
    op.execute(CHANGES)

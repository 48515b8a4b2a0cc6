"""What needs the slot of a pool is ready apart from what needs none.

Revision 0014.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

CHANGES = """
DROP INDEX tickets_ready;
CREATE INDEX tickets_ready ON tickets (lane, priority DESC, due_at, id)
    WHERE state = 0 AND stop = 0 AND pool IS NULL;
CREATE INDEX tickets_ready_for_pool ON tickets (pool, priority DESC, due_at, id)
    WHERE state = 0 AND stop = 0 AND pool IS NOT NULL
"""


def upgrade() -> None:
    """Let a full pool be in nobody's way."""
    for statement in CHANGES.split(";\n"):
        op.execute(statement)

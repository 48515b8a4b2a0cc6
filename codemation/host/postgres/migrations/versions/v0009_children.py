"""Children that are under way, and waits for children, are found without looking at all else.

Revision 0009.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CHANGES = """
CREATE INDEX runs_working_for_others ON runs (parent_run) WHERE parent_ticket IS NOT NULL AND finished_at IS NULL;
CREATE INDEX tickets_for_children ON tickets (run_id) WHERE kind = 5
"""


def upgrade() -> None:
    """Let whoever looks after children find them."""
    for statement in CHANGES.split(";\n"):
        op.execute(statement)

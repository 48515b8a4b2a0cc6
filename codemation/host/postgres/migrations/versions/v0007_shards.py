"""Chunks of shards have numbers apart from one another.

Revision 0007.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give chunks longer numbers."""
    op.execute("ALTER TABLE progress ALTER COLUMN chunk TYPE BIGINT")

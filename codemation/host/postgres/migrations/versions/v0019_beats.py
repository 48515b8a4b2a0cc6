"""Leave the rows that are beaten to the pages they lie on.

Revision 0019. The few rows of workers and duties change every few seconds, in place, and their pages are tidied up on
the way. By the thresholds of the server they were analyzed every minute, and one of them vacuumed: a fifth of all that
an idle process had it do.
"""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Vacuum and analyze them after thousands of beats."""
    for table in ("workers", "duties"):
        op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 5000)")

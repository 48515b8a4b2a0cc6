"""Until when runs and keys are kept.

Revision 0003. What an earlier release started has no such time and stays.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CHANGES = """
CREATE OR REPLACE FUNCTION kept_until(finished timestamptz, status smallint, retention jsonb)
    RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT finished + (retention->>CASE status WHEN 3 THEN 'succeeded' ELSE 'failed' END)::float8
        * interval '1 second' $$;
CREATE INDEX runs_prunable ON runs (kept_until(finished_at, status, retention))
    WHERE finished_at IS NOT NULL AND retention IS NOT NULL;
CREATE INDEX run_keys_expiring ON run_keys (expires_at)
"""


def upgrade() -> None:
    """Find what is to be pruned by an index that no step has to write."""
    for statement in CHANGES.split(";\n"):
        op.execute(statement)

"""Nothing is checked in each step that the statements see to; until when a run is kept is found out more quickly.

Revision 0018. See docs/adr/0041-checked-in-tests-and-not-in-each-step.md.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE tickets DROP CONSTRAINT tickets_owner, DROP CONSTRAINT tickets_ready, DROP CONSTRAINT tickets_waiting;
ALTER TABLE runs DROP CONSTRAINT runs_finished
"""
KEPT_UNTIL = """
CREATE OR REPLACE FUNCTION kept_until(finished timestamptz, status smallint, retention jsonb)
    RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    RETURN finished + (retention->>CASE status WHEN 3 THEN 'succeeded' ELSE 'failed' END)::float8
        * interval '1 second'; END $$"""


def upgrade() -> None:
    """Take the checks away, and keep what the index on the end of runs gives."""
    for statement in CHANGES.split(";\n"):
        op.execute(statement)
    op.execute(KEPT_UNTIL)

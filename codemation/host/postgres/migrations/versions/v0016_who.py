"""Who has started a run, under which key, and which runs are no part of another.

Revision 0016.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE runs ADD COLUMN who text;
ALTER TABLE runs ADD COLUMN run_key text;
UPDATE runs SET run_key = run_keys.run_key FROM run_keys WHERE run_keys.run_id = runs.id;
CREATE INDEX runs_for_nobody ON runs (created_at DESC, id DESC) WHERE parent_run IS NULL
"""


def upgrade() -> None:
    """Let runs say who has started them; keys are known already."""
    for statement in CHANGES.split(";\n"):
        op.execute(statement)

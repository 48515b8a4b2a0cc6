"""What nodes have given for the same code, configuration and inputs.

Revision 0004.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE recalled (
    key BYTEA NOT NULL,
    run_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now_() NOT NULL,
    outputs JSON NOT NULL,
    CONSTRAINT recalled_pkey PRIMARY KEY (key),
    CONSTRAINT recalled_run_id_fkey FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE INDEX recalled_by_run ON recalled (run_id)
"""


def upgrade() -> None:
    """Remember what nodes have given."""
    for statement in CHANGES.split(";\n"):
        op.execute(statement)

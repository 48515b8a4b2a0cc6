"""What activations wait for, and which of them an event was given to.

Revision 0002.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE tickets ADD COLUMN wait TEXT;
CREATE INDEX events_expiring ON events (expires_at);
CREATE TABLE event_receipts (
    event UUID NOT NULL,
    run_id UUID NOT NULL,
    node TEXT NOT NULL,
    activation TEXT NOT NULL,
    CONSTRAINT event_receipts_pkey PRIMARY KEY (event, run_id, node),
    CONSTRAINT event_receipts_event_fkey FOREIGN KEY(event) REFERENCES events (id) ON DELETE CASCADE
)
"""


def upgrade() -> None:
    """Name waits, and remember who was given an event."""
    for statement in CHANGES.split(";\n"):
        op.execute(statement)

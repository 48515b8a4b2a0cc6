"""Fill the pages of runs.

Revision 0017. A page that keeps a part of itself free for updates is tidied up when less than that part is free, and
takes a new row only where that part would be left beside it. Between the two a page was left half empty, and with rows
of some lengths that befell every page.
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep no part of a page free."""
    op.execute("ALTER TABLE runs RESET (fillfactor)")

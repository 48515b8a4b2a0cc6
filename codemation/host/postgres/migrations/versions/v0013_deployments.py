"""Builds, the code of what may still run, and which build counts.

Revision 0013.
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE builds (
    digest bytea NOT NULL,
    at timestamptz DEFAULT now_() NOT NULL,
    manifest text NOT NULL,
    CONSTRAINT builds_pkey PRIMARY KEY (digest)
);
CREATE TABLE bundles (
    digest bytea NOT NULL,
    at timestamptz DEFAULT now_() NOT NULL,
    archive bytea NOT NULL,
    CONSTRAINT bundles_pkey PRIMARY KEY (digest)
);
CREATE TABLE deployed_code (
    definition bytea NOT NULL,
    bundle bytea NOT NULL,
    build bytea NOT NULL,
    file text NOT NULL,
    CONSTRAINT deployed_code_pkey PRIMARY KEY (definition),
    CONSTRAINT deployed_code_bundle_fkey FOREIGN KEY (bundle) REFERENCES bundles (digest),
    CONSTRAINT deployed_code_build_fkey FOREIGN KEY (build) REFERENCES builds (digest)
);
CREATE INDEX deployed_code_of_build ON deployed_code (build);
CREATE INDEX deployed_code_in_bundle ON deployed_code (bundle);
CREATE TABLE deployments (
    id uuid NOT NULL,
    at timestamptz DEFAULT now_() NOT NULL,
    build bytea NOT NULL,
    who text DEFAULT '' NOT NULL,
    message text DEFAULT '' NOT NULL,
    CONSTRAINT deployments_pkey PRIMARY KEY (id),
    CONSTRAINT deployments_build_fkey FOREIGN KEY (build) REFERENCES builds (digest)
);
CREATE INDEX deployments_by_age ON deployments (at DESC, id DESC);
CREATE INDEX deployments_of_build ON deployments (build)
"""


def upgrade() -> None:
    """Make room for builds."""
    for statement in CHANGES.split(";\n"):
        op.execute(statement)

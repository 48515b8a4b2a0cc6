"""What is owed, as people see it, on PostgreSQL."""

from __future__ import annotations

from codemation.core.ids import WorkflowId
from codemation.core.ports import Owed
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.statements import statement

_PAGE = statement("""
    SELECT f.id::text, f.trigger, t.workflow, t.kind, f.key, f.at, f.due_at, f.tries, f.error, f.owner IS NOT NULL
    FROM firings f JOIN triggers t ON t.id = f.trigger
    WHERE (:trigger::text IS NULL OR f.trigger = :trigger) AND (:workflow::text IS NULL OR t.workflow = :workflow)
        AND (:before::uuid IS NULL OR (f.at, f.id) < (SELECT at, id FROM firings WHERE id = :before::uuid))
    ORDER BY f.at DESC, f.id DESC LIMIT :most::int""")


def page(
    connections: Connections, workflow: str | None, trigger: str | None, before: str | None, limit: int
) -> tuple[Owed, ...]:
    """What is owed, the latest first."""
    values = {"workflow": workflow, "trigger": trigger, "before": before, "most": limit}
    with connections.lease() as link:
        rows = link.all(_PAGE, values)
    return tuple(
        Owed(
            id=id_,
            trigger=of,
            workflow=WorkflowId(its),
            kind=kind,
            key=key,
            at=at,
            due_at=due_at,
            tries=tries,
            error=error,
            taken=taken,
        )
        for id_, of, its, kind, key, at, due_at, tries, error, taken in rows
    )

"""Triggers and duties as people see them, for the command line and the web."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from codemation.core.ports import ArmedTrigger, ArmedWorkflow, DutyRow

if TYPE_CHECKING:
    from codemation.host.app import App


def duties(app: App) -> tuple[DutyRow, ...]:
    """Who holds each duty, when it was last done, and how late that was. It takes none."""
    return app.engine.persist(app.stores.duties.beat, app.engine.worker, {}, did={}).duties


def triggers(app: App, workflow: str | None = None) -> tuple[ArmedTrigger, ...]:
    """The triggers that are or were armed, those that are first."""
    found = app.engine.persist(app.stores.armory.triggers)
    return tuple(one for one in found if workflow in (None, one.workflow))


def armed(app: App) -> tuple[ArmedWorkflow, ...]:
    """The workflows that are or were armed."""
    return app.engine.persist(app.stores.armory.workflows)


def next_in_words(trigger: ArmedTrigger, now: datetime | None = None) -> str:
    """What a trigger waits for."""
    if not trigger.active:
        return "not armed"
    if trigger.next_at is None:
        return trigger.said if trigger.subject else "never again"
    left = (trigger.next_at - (now or datetime.now(UTC))).total_seconds()
    return "now" if left <= 0 else ""

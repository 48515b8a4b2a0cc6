"""Triggers that are armed, the runs that they owe, and duties: their rows in memory."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

from codemation.core.ids import RunId, WorkerId, WorkflowId
from codemation.core.ports import Arm, ArmedTrigger, ArmedWorkflow, DutyRow, RunRow


@dataclass(slots=True)
class TriggerRow:
    """A trigger, whether it is armed or not."""

    arm: Arm
    workflow: WorkflowId
    active: bool = True
    next_at: datetime | None = None
    last_at: datetime | None = None
    last_run: RunId | None = None
    error: str = ""
    error_at: datetime | None = None
    passed_at: datetime | None = None
    state: str | None = None
    revision: int = 0
    owner: WorkerId | None = None
    fence: int = 0
    tries: int = 0

    def fail(self, error: str, now: datetime) -> None:
        """Note what went wrong."""
        self.error, self.error_at = error, now

    def row(self, owed: int) -> ArmedTrigger:
        """As people see it."""
        arm = self.arm
        return ArmedTrigger(
            id=arm.id,
            workflow=self.workflow,
            kind=arm.kind,
            number=arm.number,
            config=arm.config,
            said=arm.said,
            subject=arm.subject,
            outcome=arm.outcome,
            overlap=arm.overlap,
            active=self.active,
            next_at=self.next_at,
            last_at=self.last_at,
            last_run=self.last_run,
            error=self.error,
            error_at=self.error_at,
            passed_at=self.passed_at,
            owed=owed,
        )


@dataclass(slots=True)
class OwedRow:
    """A run that is owed."""

    id: str
    trigger: str
    key: str
    at: datetime
    due_at: datetime
    item: str | None = None
    chain: int = 0
    serial: bool = False
    owner: WorkerId | None = None
    tries: int = 0
    error: str = ""


@dataclass(slots=True)
class ArmedRows:
    """The rows of everything about triggers and duties."""

    workflows: dict[WorkflowId, ArmedWorkflow] = field(default_factory=dict)
    triggers: dict[str, TriggerRow] = field(default_factory=dict)
    owed: dict[str, OwedRow] = field(default_factory=dict)
    ticks: dict[tuple[str, datetime], RunId | None] = field(default_factory=dict)
    seen: dict[tuple[str, str], datetime] = field(default_factory=dict)
    duties: dict[str, DutyRow] = field(default_factory=dict)

    def owe(self, row: OwedRow) -> bool:
        """Owe a run, unless one is owed for its key."""
        if any((one.trigger, one.key) == (row.trigger, row.key) for one in self.owed.values()):
            return False
        self.owed[row.id] = row
        return True

    def count(self, trigger: str) -> int:
        """How many runs a trigger owes."""
        return sum(row.trigger == trigger for row in self.owed.values())

    def tell(self, kind: str, subject: str, run: RunRow, now: datetime) -> None:
        """Owe a run by every armed trigger that listens to what a run has done with its last revision."""
        chain = int((run.origin or {}).get("chain", 0)) + 1
        for id_, row in self.triggers.items():
            arm = row.arm
            hears = arm.outcome in ("", "any", run.status)
            if row.active and (arm.kind, arm.subject) == (kind, subject) and hears:
                item = json.dumps({"run": run.id, "revision": run.revision})
                key = f"{run.id}:{run.revision}"
                self.owe(OwedRow(str(uuid.uuid4()), id_, key, now, now, item=item, chain=chain))

    def disarm(self, workflow: WorkflowId) -> None:
        """Let no trigger of a workflow be armed."""
        for row in self.triggers.values():
            if row.workflow == workflow:
                row.active, row.next_at = False, None

    def arm(self, workflow: WorkflowId, arm: Arm) -> None:
        """Arm a trigger, which keeps what it knows."""
        row = self.triggers.get(arm.id)
        if row is None:
            row = self.triggers[arm.id] = TriggerRow(arm, workflow)
        row.arm = replace(arm, next_at=None)
        if not row.active or row.next_at is None:
            row.next_at = arm.next_at
        row.active = True

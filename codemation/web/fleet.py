"""The processes that work on runs, and what one of them does for all."""

from __future__ import annotations

from codemation.core.access import Role
from codemation.core.ports import DutyRow, WorkerRow
from codemation.web.actors import Asked
from codemation.web.models import Model, Moment
from codemation.web.routes import Api
from codemation.web.service import Service

router = Api(tags=["workers"])


class Worker(Model):
    """A process that works on runs."""

    id: str
    name: str
    host: str
    pid: int
    version: str
    queues: list[str]
    """What it serves of what anybody has started; nothing, if it works for itself."""
    slots: int
    """Activations at a time."""
    load: int
    """Activations now."""
    started_at: Moment | None
    silent: float
    """Seconds since it last said that it lives."""

    @classmethod
    def of(cls, row: WorkerRow) -> Worker:
        """A worker as it is listed."""
        said = {name: getattr(row, name) for name in cls.model_fields}
        return cls(**{**said, "id": str(row.id), "queues": list(row.queues)})


class WorkerList(Model):
    """The processes that are entered and were not declared dead."""

    items: list[Worker]


class Duty(Model):
    """Something that one process does for all."""

    name: str
    holder: str | None
    """The id of the worker that has it."""
    last_at: Moment | None
    """When it was last done."""
    lag: float | None
    """Seconds by which it was late then."""

    @classmethod
    def of(cls, row: DutyRow) -> Duty:
        """A duty as it is listed."""
        holder = None if row.holder is None or row.gone else str(row.holder)
        return cls(name=row.name, holder=holder, last_at=row.last_at, lag=row.lag)


class DutyList(Model):
    """What is done for all."""

    items: list[Duty]


@router.offer("GET", "/workers", Role.VIEWER, operation_id="list_workers", summary="List the workers")
def list_workers(service: Asked) -> WorkerList:
    """List the processes that work on runs."""
    return WorkerList(items=[Worker.of(row) for row in service.app.stores.workers.living()])


@router.offer("GET", "/duties", Role.VIEWER, operation_id="list_duties", summary="List the duties")
def list_duties(service: Asked) -> DutyList:
    """List what one process does for all: who has it, and how late it was."""
    return DutyList(items=[Duty.of(row) for row in duties(service)])


def duties(service: Service) -> tuple[DutyRow, ...]:
    """How the duties stand; whoever holds none of them beats for none."""
    return service.app.stores.duties.beat(service.app.engine.worker, {}, did={}).duties

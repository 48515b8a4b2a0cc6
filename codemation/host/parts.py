"""The parts of an app, made of its settings."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codemation.core.ids import RunId
from codemation.core.means import Means
from codemation.core.ports import CredentialSource, News, WorkerRow
from codemation.core.retention import age_of
from codemation.core.signals import Event
from codemation.host.code import CodeByDigest
from codemation.host.credentials import Credentials, EnvironmentCredentials, source_of
from codemation.host.desk import Part, WorkerDesk
from codemation.host.fleet import Crews, Fleet, open_scheduler
from codemation.host.identity import entropy
from codemation.host.notebooks import Notebooks
from codemation.host.patience import Patience
from codemation.host.runtime.calling import Loop
from codemation.host.runtime.clock import Clock
from codemation.host.runtime.fleet import FleetScheduler
from codemation.host.runtime.liveness import Presence
from codemation.host.runtime.recent import Recent
from codemation.host.runtime.resources import Resources
from codemation.host.runtime.scheduler import InlineScheduler
from codemation.host.runtime.workbench import Workbench
from codemation.host.settings import Settings

if TYPE_CHECKING:
    from codemation.host.app import App

_log = logging.getLogger("codemation.app")
Listener = Callable[[RunId, int, tuple[Event, ...]], None]


def code_of(app: App) -> CodeByDigest:
    """The code that an app has at hand, which it does not let go of while work is under way with it."""
    code = CodeByDigest()

    def in_use() -> set[str]:
        under_way = {watched.run.definition.digest for watched in app.scheduler.watched()}
        return under_way | {session.definition.digest for session in app.sessions}

    code.in_use = in_use
    return code


def credentials_of(settings: Settings, first: Sequence[CredentialSource]) -> Credentials:
    """Where an app looks for credentials, in this order."""
    return Credentials([*first, EnvironmentCredentials(), *map(source_of, settings.config.credentials)])


def fleet_of(app: App) -> Fleet | None:
    """The fleet that an app leaves its work to; `None` where it does all of it by itself."""
    crews = Crews(app.stores.workers)
    scheduler = open_scheduler(app.settings, crews.slots)
    return None if scheduler is None else Fleet(app.engine, scheduler, crews)


def presence_of(app: App) -> Presence:
    """How an app shows that it lives; a worker of the fleet tells what it serves as well."""
    config, part = app.settings.config, app.part
    common = Presence(beat=config.beat, silence=config.silence, here=config.place)
    if part is None:
        return common

    def entry(row: WorkerRow) -> WorkerRow:
        digests = tuple(sorted(app.code.digests()))
        return replace(row, name=part.name or row.name, queues=part.queues, digests=digests, slots=part.slots)

    def load() -> int:
        return app.scheduler.load if isinstance(app.scheduler, FleetScheduler) else 0

    return replace(common, entry=entry, load=load, beaten=part.beaten)


def scheduler_of(app: App, part: Part | None) -> InlineScheduler:
    """What works on runs in the process of an app; with a part in the fleet it takes what anybody has started."""
    if part is not None and app.fleet is not None:
        return FleetScheduler(app.engine, app.bench, part.slots, WorkerDesk(app, app.fleet, part.queues))
    return InlineScheduler(app.engine, app.bench, app.settings.config.threads)


def means_of(settings: Settings, patience: Patience, publish: Callable[[News, tuple[Event, ...]], None]) -> Means:
    """What the engine of an app has from its host."""
    return Means(
        entropy=entropy,
        lock=threading.RLock,
        patience=patience,
        publish=publish,
        tell=_log.warning,
        retention=settings.retention,
        key_age=age_of(settings.config.keep_keys),
    )


def bench_of(app: App, resources: Mapping[Callable[..., Any], Any], clock: Clock) -> Workbench:
    """What the activations of an app share."""
    loop = Loop()
    return Workbench(
        engine=app.engine,
        tables=app.tables,
        loop=loop,
        recent=Recent(),
        credentials=app.credentials,
        resources=Resources(loop, resources),
        notebooks=Notebooks(app.settings.root, app.settings.config.notebooks),
        clock=clock,
    )

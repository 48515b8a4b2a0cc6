"""Requests that start runs: which workflow listens to a path, and the run that a request starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from codemation.core.origins import Origin
from codemation.core.triggerplan import TriggerPlan
from codemation.core.workflow import Workflow
from codemation.host.identity import new_run_id
from codemation.host.triggers.arms import KnownTrigger
from codemation.host.triggers.firing import begun, launch_of

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.handles import RunHandle


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook that is armed, and whose code is at hand."""

    known: KnownTrigger

    @property
    def trigger(self) -> str:
        """The id of the trigger."""
        return self.known.id

    @property
    def workflow(self) -> Workflow[Any, ...]:
        """What it starts; its `input` is the schema of a body."""
        return self.known.workflow

    @property
    def plan(self) -> TriggerPlan:
        """Its `config` says `path`, `methods`, `auth`, `respond` and `max_size`."""
        return self.known.plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What listens to a path."""

    webhook: Webhook | None
    """`None` where nothing listens to it, or not by this method."""
    methods: tuple[str, ...]
    """The methods by which something listens; empty for a path that nobody knows."""


def find_webhook(app: App, path: str, method: str) -> Found:
    """Which active workflow listens to a path by a method: 404 where `methods` is empty, 405 where only `webhook` is.

    What is armed is asked of the database, so that a workflow which was disarmed a moment ago is not started.
    """
    method = method.upper()
    armed = app.engine.persist(app.stores.armory.listening, "webhook", path)
    known = app.upkeep.triggers.known
    there = [one for id_, one in known.items() if id_ in armed and one.arm.subject == path]
    methods = sorted({name for one in there for name in _methods(one.plan.config)})
    listening = next((one for one in there if method in _methods(one.plan.config)), None)
    return Found(webhook=None if listening is None else Webhook(known=listening), methods=tuple(methods))


def fire(app: App, webhook: Webhook, item: object, *, key: str | None = None) -> RunHandle:
    """Start the run that a request asks for; with a `key`, as from `Idempotency-Key`, once for all such requests.

    Raises:
        InputError: the item does not fit the workflow's `input`, or the key was used with another one.
        RunInTheWay: there are as many runs as there may be.
        MissingCredential: a credential that a node needs is not there.
    """
    known = webhook.known
    origin = Origin(trigger=known.id, key=key or new_run_id(), at=datetime.now(UTC).isoformat())
    return begun(app, launch_of(known, origin, item))


def _methods(config: Mapping[str, Any]) -> Sequence[str]:
    return [str(one).upper() for one in config["methods"]]

"""Which workflow listens to a path, and the run that a request to it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codemation.core.ids import RunId
from codemation.host.triggers.webhooks import Webhook, find_webhook, fire
from codemation.web.problems import Refused, problem
from codemation.web.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A webhook that is armed, as its author has set it."""

    webhook: Webhook

    @property
    def path(self) -> str:
        """Below `/hooks`."""
        return str(self._config["path"])

    @property
    def auth(self) -> Mapping[str, str] | None:
        """How a request shows that it may: a kind, and the name of a secret."""
        auth: Mapping[str, str] | None = self._config["auth"]
        return auth

    @property
    def respond(self) -> str:
        """`now`, `result` or `node`."""
        return str(self._config["respond"])

    @property
    def max_size(self) -> int:
        """Bytes that a body may have."""
        return int(self._config["max_size"])

    @property
    def _config(self) -> Mapping[str, Any]:
        return self.webhook.plan.config

    def start(self, service: Service, item: Any, key: str | None) -> RunId:
        """Start the run that a request asks for; with a key, once for all such requests."""
        return fire(service.app, self.webhook, item, key=key).id


def found(service: Service, path: str, method: str) -> Listener:
    """What listens to a path by a method.

    Raises:
        Refused: nothing does, or not by this method.
    """
    there = find_webhook(service.app, path, method)
    if there.webhook is not None:
        return Listener(webhook=there.webhook)
    if not there.methods:
        way_out = "its workflow has to be active: codemation workflows activate"
        raise Refused(problem(404, "nothing listens to this path", kind="unknown webhook", way_out=way_out))
    allowed = ", ".join(there.methods)
    raise Refused(problem(405, f"this webhook takes {allowed}", Allow=allowed))

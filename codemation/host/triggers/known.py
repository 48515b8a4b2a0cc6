"""The triggers of a process: those whose code it has. It starts what they owe, and asks their sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from codemation.core.workflow import Workflow
from codemation.host.triggers.activation import refresh
from codemation.host.triggers.arms import KnownTrigger, known_triggers
from codemation.host.triggers.firing import Firer
from codemation.host.triggers.polling import Poller

if TYPE_CHECKING:
    from codemation.host.app import App


class Triggers:
    """What a process can start by itself."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.firer = Firer(app)
        self.poller = Poller(app)
        self.known: Mapping[str, KnownTrigger] = {}
        """By id. Replaced as a whole, so that whoever reads it need not wait."""

    def load(self, workflows: Mapping[str, Workflow[Any, ...]], where: str = "", *, developing: bool = False) -> None:
        """Have the code of these workflows at hand, and no other; what is armed and has changed is armed anew.

        `where` says where they were found, for the report on one that is armed and not among them.
        """
        self.know(workflows)
        place = where or f"{self._app.settings.root}/{self._app.settings.config.workflows}"
        refresh(self._app, workflows, place, developing=developing)

    def know(self, workflows: Mapping[str, Workflow[Any, ...]]) -> None:
        """Have the code of these workflows at hand, and no other."""
        self.known = {one.id: one for workflow in workflows.values() for one in known_triggers(workflow)}

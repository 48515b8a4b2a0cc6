"""What counts, for a process that goes on: it notices deployments, and has their code at hand."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from codemation.core.errors import HostError
from codemation.core.nesting import below
from codemation.host.builds.loading import BuiltCode, sweep
from codemation.host.builds.manifest import Manifest
from codemation.host.catalog import Catalog, Found, Problem

if TYPE_CHECKING:
    from codemation.host.app import App

_log = logging.getLogger("codemation.builds")
LOOK = 20.0
"""Seconds between two looks for a deployment: each process of a fleet looks by itself, also while nothing is to do."""


class Deployed:
    """The build that counts, as an app goes by it.

    As soon as something has been deployed it counts, and not what the app's folder holds. Older code that runs still
    need can be had as well.
    """

    def __init__(self, app: App, changed: Callable[[Catalog], None] = lambda catalog: None) -> None:
        """`changed` is told of what counts from now on, when the app has it at hand."""
        self._app = app
        self._changed = changed
        self._code = BuiltCode(app.stores.deployments, app.settings.state / "code")
        self._seen = ""
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        app.code.provide(self._code)

    def begin(self) -> None:
        """Look now, and again and again."""
        self._look_once()
        self._thread = threading.Thread(target=self._look_on, name="codemation-deployed", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    @property
    def counts(self) -> bool:
        """Whether something has been deployed, as far as this process knows."""
        return bool(self._seen)

    def look(self) -> bool:
        """Take up what has been deployed since the last look; says whether anything was."""
        app = self._app
        latest = app.stores.deployments.list(1)
        if not latest or latest[0].id == self._seen:
            return False
        manifest = Manifest.read(app.stores.deployments.manifest(latest[0].build))
        self._code.look_again()
        sweep(app.settings.state / "code")
        catalog = self._catalog(manifest)
        take_up(app, catalog, f"build {latest[0].build[:12]}")
        self._seen = latest[0].id
        _log.info("build %s counts: %s", latest[0].build[:12], ", ".join(sorted(catalog.workflows)))
        self._changed(catalog)
        return True

    def _catalog(self, manifest: Manifest) -> Catalog:
        catalog = Catalog(self._app.settings.root, "the build that counts")
        for name, entry in manifest.workflows.items():
            workflow = self._app.known(entry.digest)
            if workflow is None:
                message = f'the code of "{name}" cannot be loaded here; the log says why'
                catalog.problems.append(Problem(file=Path(entry.file), message=message))
            else:
                catalog.workflows[name] = Found(workflow=workflow, file=Path(entry.file), name=entry.name)
        return catalog

    def _look_on(self) -> None:
        while not self._over.wait(LOOK) and not self._app.closed:
            self._look_once()

    def _look_once(self) -> None:
        try:
            self.look()
        except HostError as error:
            _log.info("deployments could not be looked up: %s", error.message)
        except Exception:  # noqa: BLE001  # a build that cannot be used stops nothing that goes on
            _log.exception("what was deployed cannot be taken up")


def take_up(app: App, catalog: Catalog, where: str = "") -> None:
    """Have the workflows of a catalogue at hand, and arm anew the triggers that have changed."""
    app.code.counting = {one.digest for found in catalog.workflows.values() for one in below(found.workflow)}
    for found in catalog.workflows.values():
        app.know(found.workflow)
    app.upkeep.triggers.load({name: found.workflow for name, found in catalog.workflows.items()}, where)

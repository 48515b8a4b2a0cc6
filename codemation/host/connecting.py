"""Databases by their URL, and runs by their id: for scripts and notebooks that look at what others have run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

from codemation.core.errors import RunError
from codemation.core.ids import RunId
from codemation.core.ports import Within
from codemation.core.states import RunStatus
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.asking import RunWait, decide, open_waits
from codemation.host.catalog import discover
from codemation.host.default_app import default_app
from codemation.host.handles import RunHandle
from codemation.host.links import read_link
from codemation.host.naming import find_run
from codemation.host.opening import reopen
from codemation.host.overview import list_runs
from codemation.host.session import SessionHandle
from codemation.host.settings import Settings

if TYPE_CHECKING:
    from codemation.core.waits import WaitKind
    from codemation.views.runs import RunRow


class Connection:
    """One database, as a person looks at it; closed by `close()` or at the end of a `with`."""

    def __init__(self, app: App, *, owned: bool) -> None:
        self._app = app
        self._owned = owned

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database, and hand back what sessions hold; the app of the current folder stays open."""
        if self._owned:
            self._app.close()

    def runs(
        self,
        workflow: str | None = None,
        *,
        status: str | None = None,
        before: str | None = None,
        children: bool = False,
        limit: int = 50,
    ) -> list[RunRow]:
        """Runs, youngest first, from just before the run `before`; with `children` also those that work for others.

        Raises:
            UnknownRun: there is no run `before`.
            ValueError: there is no such status.
        """
        statuses = [RunStatus(status)] if status is not None else []
        mark = None if before is None else find_run(self._app, before)
        page = partial(self._app.stores.runs.page, within=Within(children=children), before=mark, limit=limit)
        return list_runs(self._app, page(workflow=workflow, statuses=statuses))

    def attach(self, run: str) -> RunHandle:
        """A handle of a run, whoever works on it; `run` is its id, how it begins or ends, or `last`.

        Raises:
            UnknownRun: there is none.
        """
        return attached(self._app, run)

    def open(
        self, run: str, workflow: Workflow[Any, ...] | None = None, *, with_changes: bool = False
    ) -> SessionHandle:
        """A run as a session: one that was left, or one that is over.

        Its code is that of `workflow`, else what this process has run or the app's folder of workflows holds. If that
        has changed since, `with_changes` moves the session to it; else it can only be looked at before
        `session.resume(with_changes=True)`.

        Raises:
            UnknownRun: there is no such run.
            RunError: somebody works on it, or its code is not at hand.
        """
        found = attached(self._app, run)
        code = workflow or found.workflow or _code(self._app, found)
        return reopen(self._app, found.id, code, with_changes=with_changes)

    def waits(self, kind: WaitKind | None = None, *, limit: int = 1000) -> list[RunWait]:
        """What all runs wait for, the most pressing first."""
        return open_waits(self._app, kind, limit)

    def decide(self, token: str, *, approved: bool, **fields: Any) -> None:
        """Decide what a token entitles its bearer to decide; `fields` fill in the form.

        Raises:
            InvalidLink: the token was not made here, or was changed.
            AlreadyDecided: somebody has decided before.
            DecisionExpired: the time is over.
            InvalidDecision: the fields do not fit the form.
        """
        wait, who = read_link(self._app.settings.links, token)
        run = self._app.attach(RunId(wait.partition("/")[0]))
        if fields and run.workflow is None:  # its code knows the form
            self._app.know(_code(self._app, run))
        decide(self._app, wait, approved=approved, who=who, fields=fields)

    def __repr__(self) -> str:
        return f"<Connection to {self._app.backend.describes}>"


def connect(url: str | None = None) -> Connection:
    """The database at a URL; without one that of the current folder's app.

    Raises:
        HostError: the settings or the database are not right; says what to do.
    """
    if url is None:
        return Connection(default_app(), owned=False)
    return Connection(App.open(_at(url)), owned=True)


def attach(run: str) -> RunHandle:
    """A handle of a run in the database of the current folder's app, whoever works on it.

    Raises:
        UnknownRun: there is none.
    """
    return attached(default_app(), run)


def attached(app: App, run: str) -> RunHandle:
    """A handle of a run by its id, by how it begins or ends, or the `last`."""
    return app.attach(find_run(app, run))


def _code(app: App, run: RunHandle) -> Workflow[Any, ...]:
    """The workflow of a run as the app's folder holds it."""
    found = discover(app.settings.root, app.settings.config.workflows).workflows.get(run.definition.workflow)
    if found is None:
        raise RunError(
            f'the code of "{run.definition.workflow}" is not at hand',
            way_out="give it: connection.open(run, workflow)",
        )
    return found.workflow


def _at(url: str) -> Settings:
    """The settings of the current folder, with another database."""
    base = Settings.load()
    given = {name: getattr(base.config, name) for name in base.config.model_fields_set}
    return Settings(base.root, {**given, "database_url": url}, {**base.origins, "database_url": "connect()"})

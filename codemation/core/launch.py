"""How a workflow reaches what runs and draws it, neither of which the core may know: hooks, filled by the package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from codemation.core.errors import HostError

if TYPE_CHECKING:  # the package imports this module at once, and nothing heavy may come with it
    from codemation.core.definition import Definition
    from codemation.core.events import NamedEvent
    from codemation.core.explaining import Forecast
    from codemation.core.origins import Origin
    from codemation.core.params import Params
    from codemation.core.run import Run, Session
    from codemation.core.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A wish to run a workflow; its params have been validated."""

    workflow: Workflow[Any, ...]
    items: Any = None
    """As given; `None` when nothing was."""
    params: Params | None = None
    """`None` for a workflow without params."""
    key: str | None = None
    """Launching twice with one key gives the same run."""
    priority: int | None = None
    """`None` for the workflow's own."""
    pins: Any = None
    """What nodes give without being executed, as given."""
    cache: bool = True
    """Whether nodes may take what another run has given."""
    origin: Origin | None = None
    """What starts the run, if a trigger does."""
    who: str = ""
    """Who or what starts it, in words; empty for whoever runs this process."""

    def of(self, workflow: Workflow[Any, ...], items: Any, params: Params | None) -> Launch:
        """The same wish with these items and params."""
        return Launch(
            workflow=workflow,
            items=items,
            params=params,
            key=self.key,
            priority=self.priority,
            pins=self.pins,
            cache=self.cache,
            origin=self.origin,
            who=self.who,
        )


class Launcher(Protocol):
    """Starts runs."""

    def run(self, launch: Launch) -> Run:
        """Run until it has finished or waits for the world; a failed run is raised."""
        ...

    def start(self, launch: Launch) -> Run:
        """Start and return at once."""
        ...

    async def arun(self, launch: Launch) -> Run:
        """What `run` does, without blocking the event loop."""
        ...

    def debug(self, launch: Launch) -> Session:
        """Start a run that goes on only when it is told to."""
        ...

    def plan(self, launch: Launch) -> Forecast:
        """What a run would do; nothing is started."""
        ...

    def last_run(self) -> Run | None:
        """The run that this process has started last, also when it failed."""
        ...

    def send(self, event: NamedEvent[Any], key: str, payload: object, dedup: str | None) -> bool:
        """Send an event; `False` when it was sent before."""
        ...


class Renderer(Protocol):
    """Draws definitions."""

    def text(self, definition: Definition) -> str:
        """The plan as lines of text."""
        ...

    def svg(self, definition: Definition) -> str:
        """The graph as an SVG picture."""
        ...

    def mermaid(self, definition: Definition) -> str:
        """The graph as Mermaid text."""
        ...


@dataclass(slots=True)
class _Hooks:
    launcher: Callable[[], Launcher] | None = None
    renderer: Callable[[], Renderer] | None = None


_hooks = _Hooks()


def set_launcher(factory: Callable[[], Launcher]) -> None:
    """Name what makes the launcher; it is asked each time, so that it can import late and choose anew."""
    _hooks.launcher = factory


def set_renderer(factory: Callable[[], Renderer]) -> None:
    """Name what makes the renderer."""
    _hooks.renderer = factory


def launcher() -> Launcher:
    """What starts runs.

    Raises:
        HostError: nothing has been set up that could.
    """
    if _hooks.launcher is None:
        raise HostError("nothing is set up to run workflows", way_out="import codemation, or call set_launcher()")
    return _hooks.launcher()


def renderer() -> Renderer:
    """What draws definitions.

    Raises:
        HostError: nothing has been set up that could.
    """
    if _hooks.renderer is None:
        raise HostError("nothing is set up to draw workflows", way_out="import codemation, or call set_renderer()")
    return _hooks.renderer()


def last_run() -> Run | None:
    """The run that this process has started last, also when it failed."""
    return launcher().last_run()

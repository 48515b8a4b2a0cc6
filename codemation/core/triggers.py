"""What starts runs by itself, as an author declares it: schedules, files, requests, data, other workflows, polls.

Nothing is looked at here; `arming` checks triggers when the workflow is built and makes plain data of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias

from typing_extensions import TypeVar

from codemation.core.places import Place, here

if TYPE_CHECKING:
    from codemation.core.run import Run

S = TypeVar("S", default=Any)
Given = TypeVar("Given", default=Any)

Values: TypeAlias = Mapping[str, object]
"""Params of a run by name."""
ByTick: TypeAlias = Callable[[datetime], Values] | Values | None
ByRun: TypeAlias = Callable[["Run"], Values] | Values | None
Overlap = Literal["queue", "skip", "replace"]
CatchUp = Literal["skip", "latest", "all"]
Outcome = Literal["succeeded", "failed", "any"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Trigger:
    """A trigger as it was written; goes into `.on(…)` right after `cm.workflow(…)`."""

    kind: str
    spelling: str
    """What it was made by, for messages: `cm.cron`."""
    config: Mapping[str, Any]
    """As given, not checked yet."""
    params: Any = None
    """The params of a run that it starts: values, or a function from what started it to them."""
    takes_params: bool = True
    place: Place

    def __repr__(self) -> str:
        return f"<trigger {self.spelling}>"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Poll(Trigger, Generic[S, Given]):
    """A trigger of one's own: a function that is asked now and then; it stays callable."""

    function: Callable[[S], Iterator[Given]]
    key: Callable[[Given], object] | None = None

    def __call__(self, state: S, /) -> Iterator[Given]:
        """Call the function, in a test."""
        return self.function(state)


def cron(
    expression: str,
    /,
    *,
    timezone: str = "UTC",
    overlap: Overlap = "queue",
    catch_up: CatchUp = "latest",
    params: ByTick = None,
) -> Trigger:
    """Start a run at the times of a cron expression, minute hour day month weekday, in a time zone."""
    config = {"expression": expression, "timezone": timezone, "overlap": overlap, "catch_up": catch_up}
    return Trigger(kind="cron", spelling=f"cm.cron({expression!r})", config=config, params=params, place=here())


def every(
    duration: str | timedelta,
    /,
    *,
    overlap: Overlap = "queue",
    catch_up: CatchUp = "latest",
    params: ByTick = None,
) -> Trigger:
    """Start a run each time that this much time has passed."""
    config = {"every": duration, "overlap": overlap, "catch_up": catch_up}
    return Trigger(kind="every", spelling=f"cm.every({duration!r})", config=config, params=params, place=here())


def watch(glob: str, /, *, every: str | timedelta = "10s") -> Trigger:
    """Start a run for files that match, once for each version of a file; its items are `{path, size, modified}`."""
    config = {"glob": glob, "every": every}
    return Trigger(kind="watch", spelling=f"cm.watch({glob!r})", config=config, takes_params=False, place=here())


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """How a request shows that it may start a run."""

    kind: Literal["hmac", "token"]
    secret: str
    """The name under which the secret is found, never the secret itself: definitions are stored."""


def hmac(secret: str, /) -> Auth:
    """Requests carry a signature of their body, made with the secret that is found under this name."""
    return Auth(kind="hmac", secret=secret)


def token(secret: str, /) -> Auth:
    """Requests carry the secret that is found under this name."""
    return Auth(kind="token", secret=secret)


def webhook(
    path: str,
    /,
    *,
    methods: Sequence[str] = ("POST",),
    auth: Auth | None = None,
    respond: Literal["now", "result", "node"] = "now",
    max_size: str | int = "1MB",
) -> Trigger:
    """Start a run for each request; its body is the item, as the workflow's `input` has it."""
    config = {"path": path, "methods": methods, "auth": auth, "respond": respond, "max_size": max_size}
    return Trigger(kind="webhook", spelling=f"cm.webhook({path!r})", config=config, takes_params=False, place=here())


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data with a name: a node says that it writes it, and workflows are started when that was done."""

    name: str

    def written(self, *, params: ByRun = None) -> Trigger:
        """Start a run whenever a node that writes it has finished; `params` is given the run of that node."""
        spelling = f"{self.name}.written()"
        return Trigger(kind="dataset", spelling=spelling, config={"name": self.name}, params=params, place=here())


def dataset(name: str, /) -> Dataset:
    """Data with a name; the same object stands on both sides."""
    return Dataset(name)


def finished(workflow: str, *, outcome: Outcome, params: ByRun) -> Trigger:
    """What `Workflow.finished` gives."""
    config = {"workflow": workflow, "outcome": outcome}
    return Trigger(
        kind="finished", spelling=f"{workflow}.finished({outcome!r})", config=config, params=params, place=here()
    )


@dataclass(frozen=True, slots=True)
class poll:  # noqa: N801 - a decorator is called like a function
    """Decorates a function from a state to items: asked now and then, each item starts one run.

    The state is changed by the function and saved together with the items; of items with the same `key` only the first
    starts a run.
    """

    every: str | timedelta = field(kw_only=True)
    key: Callable[[Any], object] | None = field(default=None, kw_only=True)

    def __call__(self, function: Callable[[S], Iterator[Given]], /) -> Poll[S, Given]:
        """The function as a trigger."""
        name = getattr(function, "__name__", repr(function))
        return Poll(
            kind="poll",
            spelling=f"@cm.poll {name}",
            config={"every": self.every},
            takes_params=False,
            place=here(),
            function=function,
            key=self.key,
        )

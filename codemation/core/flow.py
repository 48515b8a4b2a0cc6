"""A flow is a value: every verb gives a new one and changes nothing. Checked as a whole by `build`, never before."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, Never, TypeAlias, TypedDict, Unpack, overload

from typing_extensions import ParamSpec, TypeVar

from codemation.core import forks, nesting, pausing, verbs
from codemation.core.answers import Decided, Received
from codemation.core.build import built
from codemation.core.context import Context
from codemation.core.credentials import Credential
from codemation.core.definition import NodeKind
from codemation.core.events import NamedEvent
from codemation.core.expression import Expression
from codemation.core.forks import Piece
from codemation.core.items import Failure, Item
from codemation.core.mistakes import AuthorError
from codemation.core.node import Node, SupportsArrow
from codemation.core.notebooks import Notebook
from codemation.core.params import Params
from codemation.core.steps import Stand
from codemation.core.workflow import Workflow

T = TypeVar("T", default=Any)
U = TypeVar("U")
V = TypeVar("V")
D = TypeVar("D")
E = TypeVar("E")
PS = ParamSpec("PS", default=...)
Door = TypeVar("Door", bound=SupportsArrow | Params | Context | Credential)
"""What a first parameter may be whatever the type of the items: a table, or something injected."""

Given = TypeVar("Given")
Made = TypeVar("Made")
Branch: TypeAlias = (
    Callable[["Flow[Given]"], "Flow[Made]"]
    | Node[Given, Made]
    | Node[list[Given], Made]
    | Node[Item[Given], Made]
    | Node[Iterator[Given], Made]
    | Node[dict[str, Any], Made]
)
"""A node, or a function from where a branch begins to where it ends."""
OnError: TypeAlias = Literal["fail", "drop", "port"] | Branch[Failure[Any], Any] | None


class Asking(TypedDict, total=False):
    """How people are asked."""

    title: str | Expression[str]
    to: Sequence[str] | Expression[Sequence[str]] | Expression[list[str]]
    """Who should decide; everybody may."""
    expires: str | timedelta
    """After how long nobody is asked any more."""
    on_expiry: Literal["reject", "accept", "fail"]
    """What then becomes of the item."""
    per: Literal["item", "batch"]
    """One decision for each item, or one for all."""


class Flow(Generic[T, PS]):
    """Where the data is so far."""

    __slots__ = ("stand",)
    __iter__ = None  # having ports by name does not make a flow a sequence

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        """What the verbs write on; not for users."""

    # Each way in which items of `T` may be given has an overload of its own: inside one union mypy infers nothing.
    @overload
    def then(
        self, node: Node[list[T], U], /, *, id: str | None = None, on_error: OnError = None, **arguments: object
    ) -> Flow[U, PS]: ...
    @overload
    def then(
        self, node: Node[list[Item[T]], U], /, *, id: str | None = None, on_error: OnError = None, **arguments: object
    ) -> Flow[U, PS]: ...
    @overload
    def then(
        self, node: Node[Item[T], U], /, *, id: str | None = None, on_error: OnError = None, **arguments: object
    ) -> Flow[U, PS]: ...
    @overload
    def then(
        self, node: Node[Iterator[T], U], /, *, id: str | None = None, on_error: OnError = None, **arguments: object
    ) -> Flow[U, PS]: ...
    @overload
    def then(
        self, node: Node[dict[str, Any], U], /, *, id: str | None = None, on_error: OnError = None, **arguments: object
    ) -> Flow[U, PS]: ...
    @overload
    def then(
        self, node: Node[Door, U], /, *, id: str | None = None, on_error: OnError = None, **arguments: object
    ) -> Flow[U, PS]: ...
    @overload
    def then(
        self, node: Node[T, U], /, *, id: str | None = None, on_error: OnError = None, **arguments: object
    ) -> Flow[U, PS]: ...
    def then(self, node: Any, /, *, id: str | None = None, on_error: OnError = None, **arguments: object) -> Any:
        """Give the items to a node; its other arguments are given by name: a flow, a value, an expression."""
        return _caught(self, NodeKind.THEN, node, id=id, on_error=on_error, arguments=_stands(node, arguments))

    @overload
    def map(self, function: Callable[[T], Coroutine[Any, Any, U]], /, *, id: str | None = None) -> Flow[U, PS]: ...
    @overload
    def map(self, function: Callable[[T], U], /, *, id: str | None = None) -> Flow[U, PS]: ...
    def map(self, function: Any, /, *, id: str | None = None) -> Any:
        """Turn each item into another one."""
        return _stepped(self, NodeKind.MAP, function, id=id)

    @overload
    def filter(self, keep: Callable[[T], bool], /, *, id: str | None = None) -> Flow[T, PS]: ...
    @overload
    def filter(self, keep: Callable[..., Any], /, *, id: str | None = None, **arguments: object) -> Flow[T, PS]: ...
    def filter(self, keep: Any, /, *, id: str | None = None, **arguments: object) -> Any:
        """Keep the items for which the function is true, and drop the others."""
        return _stepped(self, NodeKind.FILTER, keep, id=id, arguments=_stands(keep, arguments))

    def split(self, function: Callable[[T], Sequence[U] | Iterator[U]], /, *, id: str | None = None) -> Flow[U, PS]:
        """Turn each item into any number of items."""
        return _stepped(self, NodeKind.SPLIT, function, id=id)

    def aggregate(self, function: Callable[[list[T]], U], /, *, id: str | None = None) -> Flow[U, PS]:
        """Turn all items into one."""
        return _stepped(self, NodeKind.AGGREGATE, function, id=id)

    @overload
    def tap(self, node: Node[list[T], Any], /, *, id: str | None = None, **arguments: object) -> Flow[T, PS]: ...
    @overload
    def tap(self, node: Node[Item[T], Any], /, *, id: str | None = None, **arguments: object) -> Flow[T, PS]: ...
    @overload
    def tap(self, node: Node[Iterator[T], Any], /, *, id: str | None = None, **arguments: object) -> Flow[T, PS]: ...
    @overload
    def tap(self, node: Node[dict[str, Any], Any], /, *, id: str | None = None, **arguments: object) -> Flow[T, PS]: ...
    @overload
    def tap(self, node: Node[Door, Any], /, *, id: str | None = None, **arguments: object) -> Flow[T, PS]: ...
    @overload
    def tap(self, node: Node[T, Any], /, *, id: str | None = None, **arguments: object) -> Flow[T, PS]: ...
    def tap(self, node: Any, /, *, id: str | None = None, **arguments: object) -> Any:
        """Run a node for its effect; the items go on as they were, after it has finished."""
        return _stepped(self, NodeKind.TAP, node, id=id, arguments=_stands(node, arguments))

    def parse(self, model: type[U], /, *, id: str | None = None, on_error: OnError = None) -> Flow[U, PS]:
        """Read each item as `model`; what does not fit is an error of its item."""
        return _caught(self, NodeKind.PARSE, model, id=id, on_error=on_error)

    def branch(
        self,
        when: Callable[[T], bool] | Callable[[T], Coroutine[Any, Any, bool]],
        /,
        *,
        yes: Branch[T, U] | None = None,
        no: Branch[T, V] | None = None,
        id: str | None = None,
    ) -> Flow[U | V, PS]:
        """Send each item one of two ways; a way without a branch passes through."""
        ways = {forks.YES: _optional(yes), forks.NO: _optional(no)}
        return Flow(forks.branched(self.stand, when, ways, id=id))

    def switch(
        self,
        key: Callable[[T], Any],
        cases: Mapping[Any, Branch[T, U]],
        /,
        *,
        default: Branch[T, V] | None = None,
        id: str | None = None,
    ) -> Flow[U | V, PS]:
        """Send each item the way of its key; a tuple of values shares one way."""
        ways = {case: _piece(branch) for case, branch in cases.items()}
        return Flow(forks.switched(self.stand, key, ways, _optional(default), id=id))

    def route(self, **branches: Branch[Any, U]) -> Flow[U, PS]:
        """Follow the output ports of the node before; those that are not named end there."""
        return Flow(forks.routed(self.stand, _pieces(branches)))

    def __getitem__(self, port: str) -> Flow[Any, PS]:
        """The flow at one output port of the node before."""
        return Flow(forks.at_port(self.stand, port, verb="[]"))

    def parallel(self, **branches: Branch[T, U]) -> Flow[U, PS]:
        """Give the same batch to every branch, side by side."""
        return Flow(forks.parallel(self.stand, _pieces(branches)))

    def into(self, node: Node[Any, U], /, *, id: str | None = None, **arguments: object) -> Flow[U, PS]:
        """After a fork: each branch leads to the argument of its name."""
        return Flow(verbs.into(self.stand, node, id=id, arguments=_stands(node, arguments)))

    def also(self, branch: Branch[T, Any], /) -> Flow[T, PS]:
        """Let a side branch belong to the workflow that never joins."""
        return Flow(forks.beside(self.stand, _piece(branch)))

    def merge(
        self,
        *others: Flow[Any, Any],
        by: Literal["append", "origin", "position"] = "append",
        prefer: Sequence[str] = (),
        id: str | None = None,
    ) -> Flow[T, PS]:
        """Make one stream of several flows of the same kind of thing."""
        config = {"by": by, "prefer": prefer}
        return Flow(verbs.merged(self.stand, _opened(others), id=id, config=config))

    def join(
        self,
        *others: Flow[Any, Any],
        on: str | Sequence[str],
        how: Literal["inner", "left", "outer"] = "inner",
        id: str | None = None,
    ) -> Flow[Any, PS]:
        """Match different things by key; columns that clash get `_right`."""
        config = {"on": on, "how": how}
        return Flow(verbs.joined(self.stand, _opened(others), id=id, config=config))

    @overload
    def pipe(
        self, fragment: Callable[[Flow[T]], Flow[U]], /, *, on_error: None = None, title: str | None = None
    ) -> Flow[U, PS]: ...
    @overload
    def pipe(
        self, fragment: Callable[[Flow[T]], Flow[U]], /, *, on_error: Branch[Failure[T], V], title: str | None = None
    ) -> Flow[U | V, PS]: ...
    def pipe(self, fragment: Any, /, *, on_error: Any = None, title: str | None = None) -> Any:
        """Apply a reusable piece, drawn as one group; `on_error` catches what fails inside and is not seen to there."""
        name = title or getattr(fragment, "__name__", "piece").strip("<>")
        return Flow(forks.piped(self.stand, _piece(fragment), name, _optional(on_error)))

    def notebook(
        self,
        path: str,
        /,
        *,
        outputs: type[U],
        timeout: str | timedelta | None = None,
        id: str | None = None,
        on_error: OnError = None,
        **parameters: object,
    ) -> Flow[U, PS]:
        """Execute a notebook for each item, its parameters given as arguments are; what it gives is read as a model."""
        does, config = Notebook(path, outputs), {"timeout": timeout}
        given = dict(zip(parameters, _opened(parameters.values()), strict=True))
        written = {"id": id, "on_error": on_error, "config": config, "arguments": given}
        return _caught(self, NodeKind.NOTEBOOK, does, **written)

    @overload
    def loop(
        self, body: Branch[T, T], /, *, until: Callable[[T], bool], max: int, id: str | None = None
    ) -> Flow[T, PS]: ...
    @overload
    def loop(
        self, body: Branch[T, U], /, *, next: Callable[[U], T | None], max: int, id: str | None = None
    ) -> Flow[U, PS]: ...
    def loop(self, body: Any, /, *, max: int, until: Any = None, next: Any = None, id: str | None = None) -> Any:
        """Repeat a body of at most `max` rounds: for each item until it is done, or as long as there is a next one.

        With `until` each item leaves once, when the function is true of it. With `next` all that the body gives is
        given out, and the function makes of it what goes into the next round, or `None`.
        """
        return Flow(forks.looped(self.stand, {"until": until, "next": next}, _piece(body), most=max, id=id))

    def subworkflow(
        self,
        workflow: Workflow[U, ...],
        /,
        *,
        per: Literal["batch", "item"] = "batch",
        id: str | None = None,
        on_error: OnError = None,
        **params: object,
    ) -> Flow[U, PS]:
        """Let runs of another workflow do the work: one for all items, or one for each; params are given by name."""
        given = dict(zip(params, _opened(params.values()), strict=True))
        written = {"id": nesting.name_of(workflow) if id is None else id, "config": {"per": per}, "arguments": given}
        return _caught(self, NodeKind.SUBWORKFLOW, workflow, on_error=on_error, **written)

    def wait(self, until: str | timedelta | datetime | Expression[Any], /, *, id: str | None = None) -> Flow[T, PS]:
        """Let the items wait for a while (`"24h"`) or until a time; no thread waits, and no process has to live."""
        return Flow(pausing.waited(self.stand, until, id=id))

    @overload
    def approve(
        self,
        form: None = None,
        /,
        *,
        rejected: Branch[Decided[T, None], V] | None = None,
        id: str | None = None,
        **asking: Unpack[Asking],
    ) -> Flow[Decided[T, None] | V, PS]: ...
    @overload
    def approve(
        self,
        form: type[D],
        /,
        *,
        rejected: Branch[Decided[T, D], V] | None = None,
        id: str | None = None,
        **asking: Unpack[Asking],
    ) -> Flow[Decided[T, D] | V, PS]: ...
    def approve(self, form: Any = None, /, *, rejected: Any = None, id: str | None = None, **asking: Any) -> Any:
        """Let people decide about each item, or about all at once; what they approve goes on."""
        return Flow(pausing.asked(self.stand, form, _optional(rejected), id=id, **asking))

    def wait_for_event(
        self,
        event: NamedEvent[E],
        /,
        *,
        key: Callable[[T], str | int],
        timeout: str | timedelta | None = None,
        on_timeout: Branch[T, V] | None = None,
        id: str | None = None,
    ) -> Flow[Received[T, E] | V, PS]:
        """Let each item wait for an event of its key; without `on_timeout` one that waits in vain is an item error."""
        return Flow(pausing.awaited(self.stand, event, _optional(on_timeout), key=key, timeout=timeout, id=id))

    def end(self) -> Flow[Never, PS]:
        """Finish this branch: it does not join."""
        return Flow(self.stand.ended())

    def build(self) -> Workflow[T, PS]:
        """Freeze what the flow stands on, and check it.

        Raises:
            AuthorError: with every mistake that was made, where it was made, and the way out.
        """
        frozen, mistakes = built(self.stand)
        if mistakes:
            raise AuthorError(self.stand.draft.id, mistakes)
        return Workflow(frozen)

    if not TYPE_CHECKING:  # pragma: no branch - checkers say by themselves that a flow has no such attribute

        def __getattr__(self, name: str) -> Any:
            what = f"{type(self).__name__!r} object has no attribute {name!r}"
            if name == "on":
                what += ": triggers stand right after cm.workflow(…), before the first verb"
            raise AttributeError(what, name=name, obj=self)

    def __repr__(self) -> str:
        ends = [f"{end.step.id}{f'[{end.port}]' if end.port else ''}" for end in self.stand.ends]
        return f"<Flow {self.stand.draft.id}: at {', '.join(ends) or 'its end'}>"


def _stepped(flow: Flow[Any, PS], kind: NodeKind, does: object, **written: Any) -> Flow[Any, PS]:
    _, after = verbs.stepped(flow.stand, kind, does, **written)
    return Flow(after)


def _caught(flow: Flow[Any, PS], kind: NodeKind, does: object, *, on_error: object, **written: Any) -> Flow[Any, PS]:
    if not callable(on_error):
        return _stepped(flow, kind, does, on_error=on_error, **written)
    _, after = verbs.stepped(flow.stand, kind, does, on_error="port", **written)
    return Flow(forks.caught(after, _piece(on_error)))


def _piece(branch: Any) -> Piece:
    def follow(stand: Stand) -> object:
        flow: Flow[Any] = Flow(stand)
        outcome = flow.then(branch) if isinstance(branch, Node) else branch(flow)
        return outcome.stand if isinstance(outcome, Flow) else outcome

    return follow


def _optional(branch: object) -> Piece | None:
    return None if branch is None else _piece(branch)


def _pieces(branches: Mapping[str, Any]) -> dict[str, Piece]:
    return {name: _piece(branch) for name, branch in branches.items()}


def _opened(given: Iterable[object]) -> list[object]:
    return [value.stand if isinstance(value, Flow) else value for value in given]


def _stands(node: object, arguments: Mapping[str, object]) -> dict[str, object]:
    """What the node was bound to and what is given here, flows opened."""
    given = {**getattr(node, "bound", {}), **arguments}
    return dict(zip(given, _opened(given.values()), strict=True))

"""A workflow that has been built: frozen, checked, and ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Generic, Protocol

from typing_extensions import ParamSpec, TypeVar

from codemation.core.definition import Definition, NodePlan
from codemation.core.errors import CodemationError, InputError
from codemation.core.explaining import Forecast
from codemation.core.freezing import Frozen
from codemation.core.ids import START, NodeId, WorkflowId
from codemation.core.keys import Key
from codemation.core.launch import Launch, launcher, renderer
from codemation.core.mistakes import listed, meant
from codemation.core.node import FunctionNode, Node
from codemation.core.params import Params, validated
from codemation.core.run import Pins, Run, Session
from codemation.core.signature import NodeCode
from codemation.core.steps import Stand
from codemation.core.triggers import ByRun, Outcome, Trigger, finished

Out = TypeVar("Out", default=Any)
PS = ParamSpec("PS", default=...)


class UnknownNode(CodemationError, LookupError):
    """The workflow has no such node."""


class Printer(Protocol):
    """What IPython prints with."""

    def text(self, text: str, /) -> None:
        """Print."""
        ...


class Drawn:
    """What can be seen of a definition."""

    _frozen: Frozen

    @property
    def definition(self) -> Definition:
        """The workflow as plain data."""
        return self._frozen.definition

    def svg(self) -> str:
        """The graph as an SVG picture."""
        return renderer().svg(self.definition)

    def mermaid(self) -> str:
        """The graph as Mermaid text."""
        return renderer().mermaid(self.definition)

    def text(self) -> str:
        """The plan as text: what each node takes and gives."""
        return renderer().text(self.definition)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": f'<div style="overflow-x:auto">{self.svg()}</div>'}

    def _repr_pretty_(self, printer: Printer, _cycle: bool) -> None:
        printer.text(self.text())


class Built(Drawn):
    """What was frozen, to be read."""

    @property
    def params(self) -> type[Params] | None:
        """The model of its parameters, if it has any."""
        return self._frozen.params

    @property
    def input(self) -> Any:
        """The type of the items that a run is given; `None` for a workflow that is given none."""
        return self._frozen.input

    @property
    def gives(self) -> Mapping[str, Any]:
        """The type of an item of each output, by name."""
        return self._frozen.gives

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """What starts runs by itself, as it was written."""
        return self._frozen.triggers

    @property
    def key(self) -> Key | None:
        """What its runs count together by, where only so many of them may be at a time."""
        return self._frozen.key

    @property
    def stand(self) -> Stand:
        """What was written."""
        return self._frozen.stand

    @property
    def digest(self) -> str:
        """Names this version of the workflow: its shape, its configuration and its code."""
        return self.definition.digest

    @property
    def nodes(self) -> Mapping[NodeId, NodePlan]:
        """The nodes that were written, by id, sources first."""
        return MappingProxyType({node.id: node for node in self.definition.nodes if node.id != START})

    @property
    def code(self) -> Mapping[NodeId, NodeCode]:
        """What is called for each node; those that the engine executes by itself are not in it."""
        return MappingProxyType(self._frozen.code)

    @property
    def build(self) -> str:
        """What the names of all modules begin with that its code is in, if they are those of a build of the app."""
        return self._frozen.build


class Workflow(Built, Generic[Out, PS]):
    """A workflow that has been built; it never changes."""

    def __init__(self, frozen: Frozen, wishes: Launch | None = None) -> None:
        self._frozen = frozen
        self._wishes = wishes or Launch(workflow=self)

    @property
    def id(self) -> WorkflowId:
        """The name of the workflow."""
        return self.definition.workflow

    @property
    def fixed(self) -> Mapping[str, object]:
        """The params that `options` has given already."""
        given = self._wishes.params
        return {} if given is None else {name: getattr(given, name) for name in given.model_fields_set}

    def finished(self, *, outcome: Outcome = "succeeded", params: ByRun = None) -> Trigger:
        """A trigger for another workflow: a run of this one has ended; `params` is given that run."""
        return finished(self.id, outcome=outcome, params=params)

    @property
    def on_failure(self) -> Workflow[Any, ...] | None:
        """What is started when one of its runs fails."""
        following: Workflow[Any, ...] | None = self._frozen.stand.draft.on_failure
        return following

    def find(self, node: Node[Any, Any] | str) -> NodeId:
        """The id of a node that is named or held in the hand.

        Raises:
            UnknownNode: it does not stand in this workflow, or does so several times.
        """
        if isinstance(node, str):
            if node in self.nodes:
                return NodeId(node)
            raise UnknownNode(f'workflow "{self.id}" has no node {node!r}', way_out=_known(node, self.nodes))
        function = node.function if isinstance(node, FunctionNode) else None
        found = [name for name, code in self.code.items() if code.function is function]
        if not found and node.id in self.code:  # its cell was run again, which made another object of it
            found = [NodeId(node.id)]
        if len(found) == 1:
            return found[0]
        if found:
            places = f'"{node.id}" stands in workflow "{self.id}" as {listed(found)}'
            raise UnknownNode(places, way_out="use one of these ids")
        missing = f'workflow "{self.id}" does not have the node "{node.id}"'
        raise UnknownNode(missing, way_out=_known(node.id, self.nodes))

    def options(
        self,
        *,
        key: str | None = None,
        params: Params | Mapping[str, object] | None = None,
        priority: int | None = None,
        pins: Pins | None = None,
        cache: bool | None = None,
    ) -> Workflow[Out, PS]:
        """A copy that starts its runs with these: `key` names a run, so that starting it twice gives the same one.

        `pins` are what nodes give without being executed; with `cache=False` no node takes what another run has given.

        Raises:
            InputError: the params do not fit.
        """
        wishes = self._wishes
        given = wishes.params if params is None else self._validated(params)
        changed = replace(
            wishes,
            key=wishes.key if key is None else key,
            params=given,
            priority=wishes.priority if priority is None else priority,
            pins=wishes.pins if pins is None else pins,
            cache=wishes.cache if cache is None else cache,
        )
        return Workflow(self._frozen, changed)

    def with_code(self, code: Mapping[NodeId, NodeCode]) -> Workflow[Out, PS]:
        """A copy that calls other code for its nodes, and is the same workflow otherwise; for tests."""
        return Workflow(replace(self._frozen, code=code), self._wishes)

    def launch(self, items: Any = None, params: Params | Mapping[str, object] | None = None) -> Launch:
        """The wish to run with these items and params, which somebody else carries out.

        Raises:
            InputError: the params do not fit.
        """
        return self.options(params=params)._launch(items, (), {})  # noqa: SLF001 - of a copy of itself

    def run(self, items: Any = None, /, *args: PS.args, **params: PS.kwargs) -> Run:
        """Run with these items and params until the run has finished or waits for the world.

        Raises:
            InputError: items or params do not fit; nothing has been started.
        """
        return launcher().run(self._launch(items, args, params))

    def start(self, items: Any = None, /, *args: PS.args, **params: PS.kwargs) -> Run:
        """Start a run and return at once.

        Raises:
            InputError: items or params do not fit; nothing has been started.
        """
        return launcher().start(self._launch(items, args, params))

    async def arun(self, items: Any = None, /, *args: PS.args, **params: PS.kwargs) -> Run:
        """What `run` does, without blocking the event loop.

        Raises:
            InputError: items or params do not fit; nothing has been started.
        """
        return await launcher().arun(self._launch(items, args, params))

    def debug(self, items: Any = None, /, *args: PS.args, **params: PS.kwargs) -> Session:
        """Start a run that goes on only when it is told to, step by step, and back.

        Raises:
            InputError: items or params do not fit; nothing has been started.
        """
        return launcher().debug(self._launch(items, args, params))

    def plan(self, items: Any = None, /, *args: PS.args, **params: PS.kwargs) -> Forecast:
        """What a run would do with these items and params; nothing is started.

        Raises:
            InputError: items or params do not fit.
        """
        return launcher().plan(self._launch(items, args, params))

    def _launch(self, items: Any, args: tuple[object, ...], params: Mapping[str, object]) -> Launch:
        if args:
            raise InputError("a run takes its items in one argument", way_out=f"{self.id}: run([first, second, …])")
        return self._wishes.of(self, items, self.params_of(params))

    def params_of(self, given: Mapping[str, object]) -> Params | None:
        """The params of a run that is given these, beside those that `options` has given.

        Raises:
            InputError: they do not fit.
        """
        wished = self._wishes.params
        return self._validated({**self.fixed, **given}) if given or wished is None else wished

    def _validated(self, given: Params | Mapping[str, object]) -> Params | None:
        values = {name: getattr(given, name) for name in given.model_fields_set} if isinstance(given, Params) else given
        if self.params is None:
            if values:
                raise InputError(f'workflow "{self.id}" has no params, and was given {listed(list(values))}')
            return None
        return validated(self.params, values)

    def __repr__(self) -> str:
        count = len(self.nodes)
        return f'<Workflow "{self.id}": {count} node{"" if count == 1 else "s"}>'


def _known(word: str, nodes: Mapping[NodeId, NodePlan]) -> str:
    return meant(word, nodes, f"it has {listed(nodes)}")

"""A workflow frozen into plain data: any process can fold its runs without the user's code.

`Definition` is what `build()` makes and what the database keeps under its digest; `Plan` is what follows from it and
never stored. Both speak of nodes by id and know nothing of functions.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, TypeAlias

from codemation.core.errors import CodemationError
from codemation.core.ids import MAIN, NodeId, WorkflowId

Json: TypeAlias = dict[str, Any]
OnError = Literal["fail", "drop", "port"]
Grain = Literal["item", "batch", "once"]


class BrokenDefinition(CodemationError):
    """The definition names what it does not have, or its nodes wait for one another in a circle."""


class NodeKind(StrEnum):
    """What a node is: the verb that made it."""

    START = "start"
    THEN = "then"
    MAP = "map"
    FILTER = "filter"
    SPLIT = "split"
    AGGREGATE = "aggregate"
    TAP = "tap"
    PARSE = "parse"
    BRANCH = "branch"
    SWITCH = "switch"
    MERGE = "merge"
    JOIN = "join"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One end of an edge: an output port of a node."""

    node: NodeId
    port: str = MAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A named input of a node and where its batch comes from; several sources are joined in origin order."""

    name: str
    sources: tuple[Source, ...]
    ordering: bool = False
    """The node only waits for this input and never sees its items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPlan:
    """How often and how patiently a node is tried again; durations in seconds."""

    attempts: int = 1
    backoff: Literal["none", "fixed", "exponential"] = "none"
    delay: float = 0.0
    max_delay: float = 300.0
    jitter: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a node promises about its work; `timeout` in seconds bounds one call."""

    retry: RetryPlan = field(default_factory=RetryPlan)
    timeout: float | None = None
    concurrency: int = 1
    on_error: OnError = "fail"
    keep_attachments: bool = False
    run_on_empty: bool = False
    continue_when_empty: bool = False
    queue: str = "default"
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """One node as data."""

    id: NodeId
    kind: NodeKind
    inputs: tuple[Input, ...]
    ports: tuple[str, ...] = (MAIN,)
    grain: Grain = "item"
    """Called once per item, once per batch, or once without data (a source)."""
    gives: bool = True
    """False for the end of a line: a node declared `-> None`, whose output nobody may follow."""
    policy: Policy = field(default_factory=Policy)
    config: Mapping[str, Any] = field(default_factory=dict)
    """Arguments as JSON; `{"$param": name}` is a parameter of the run, `{"$expr": text}` is computed for each call."""
    code: str = ""
    """Digest of what the node executes; empty for nodes of the engine's own."""
    title: str = ""
    icon: str = ""
    summary: str = ""
    """First sentence of the function's docstring."""
    types: Mapping[str, str] = field(default_factory=dict)
    """Readable item type per input (`in:<name>`) and output port (`out:<port>`), for people."""
    groups: tuple[str, ...] = ()
    """Titles of the pieces (`pipe`) that the node stands in, outermost first."""
    place: str = ""
    """`file:line` where it was written; no part of any digest."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A workflow frozen and content-addressed; `nodes` are in an order in which sources come first."""

    workflow: WorkflowId
    nodes: tuple[NodePlan, ...]
    outputs: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    """The run's results by name; the one called `main`, if there is one, is `run.output`."""
    title: str = ""
    summary: str = ""
    params_schema: Json | None = None
    input_type: str = ""
    max_parallel: int | None = None
    priority: int = 0
    source: str = ""
    """`module:attribute` or `file:line` where the workflow is found; no part of any digest."""

    @cached_property
    def graph_digest(self) -> str:
        """Digest of shape and configuration: what an operator sees change."""
        body = self.to_json()
        for name in ("source", "title", "summary"):
            body.pop(name)
        for node in body["nodes"]:
            for name in ("code", "place", "title", "icon", "summary", "types"):
                node.pop(name)
        return _digest(body)

    @cached_property
    def code_digest(self) -> str:
        """Digest of what the nodes execute; comments and formatting do not change it."""
        return _digest([[node.id, node.code] for node in self.nodes])

    @cached_property
    def digest(self) -> str:
        """The definition's name in the database."""
        return _digest([self.workflow, self.graph_digest, self.code_digest])

    @cached_property
    def plan(self) -> Plan:
        """What follows from the definition."""
        return Plan.of(self)

    def to_json(self) -> Json:
        """Plain JSON data with every field."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Definition:
        """The definition that `to_json` wrote.

        Raises:
            BrokenDefinition: it did not write this, or a newer release did.
        """
        try:
            return cls._read(body)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            workflow = body.get("workflow") if isinstance(body, Mapping) else None
            raise BrokenDefinition(
                f'a stored definition of "{workflow}" cannot be read: {type(error).__name__}: {error}',
                way_out="if a newer release of codemation has written it, use that one",
            ) from error

    @classmethod
    def _read(cls, body: Mapping[str, Any]) -> Definition:
        nodes = tuple(_node(raw) for raw in body["nodes"])
        outputs = {name: tuple(Source(**source) for source in ends) for name, ends in body["outputs"].items()}
        rest = {name: value for name, value in body.items() if name not in ("nodes", "outputs")}
        return cls(nodes=nodes, outputs=outputs, **rest)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Adjacency and order of a definition; everything here is looked up, never searched."""

    nodes: Mapping[NodeId, NodePlan]
    rank: Mapping[NodeId, int]
    """Position in an order in which sources come first."""
    followers: Mapping[NodeId, tuple[NodeId, ...]]
    """The nodes that wait for a node, each once, by rank."""
    awaits: Mapping[NodeId, tuple[NodeId, ...]]
    """The nodes that a node waits for, each once."""

    @classmethod
    def of(cls, definition: Definition) -> Plan:
        """Derive the plan.

        Raises:
            BrokenDefinition: the nodes wait for one another, or for a node or port that is not there.
        """
        nodes = {node.id: node for node in definition.nodes}
        awaits: dict[NodeId, tuple[NodeId, ...]] = {}
        followers: dict[NodeId, dict[NodeId, None]] = defaultdict(dict)
        for node in definition.nodes:
            sources = [source for given in node.inputs for source in given.sources]
            for source in sources:
                _known(nodes, node, source)
                followers[source.node][node.id] = None
            awaits[node.id] = tuple(dict.fromkeys(source.node for source in sources))
        rank = {node: at for at, node in enumerate(_ordered(awaits, followers, definition.workflow))}
        ordered = {node: tuple(sorted(after, key=rank.__getitem__)) for node, after in followers.items()}
        return cls(nodes=nodes, rank=rank, followers=ordered, awaits=awaits)

    def downstream(self, node: NodeId) -> set[NodeId]:
        """Every node that stands on `node`, itself included."""
        found, frontier = {node}, [node]
        while frontier:
            for after in self.followers.get(frontier.pop(), ()):
                if after not in found:
                    found.add(after)
                    frontier.append(after)
        return found


def _known(nodes: Mapping[NodeId, NodePlan], node: NodePlan, source: Source) -> None:
    if source.node not in nodes:
        raise BrokenDefinition(f'"{node.id}" waits for "{source.node}", which the definition does not have')
    if source.port not in nodes[source.node].ports:
        ports = ", ".join(nodes[source.node].ports)
        raise BrokenDefinition(f'"{node.id}" waits for port "{source.port}" of "{source.node}", which has {ports}')


def _ordered(
    awaits: Mapping[NodeId, tuple[NodeId, ...]], followers: Mapping[NodeId, Mapping[NodeId, None]], workflow: str
) -> list[NodeId]:
    """Kahn's order; ties keep the order of writing."""
    missing = {node: len(before) for node, before in awaits.items()}
    order = [node for node, count in missing.items() if not count]
    for node in order:
        for after in followers.get(node, ()):
            missing[after] -= 1
            if not missing[after]:
                order.append(after)
    if len(order) < len(awaits):
        circle = _circle(awaits, {node for node, count in missing.items() if count})
        raise BrokenDefinition(
            f'workflow "{workflow}" waits for itself: {" → ".join(circle)}',
            way_out="remove one of these edges; a definition made with the verbs of a flow cannot have such a circle",
        )
    return order


def _circle(awaits: Mapping[NodeId, tuple[NodeId, ...]], stuck: set[NodeId]) -> list[NodeId]:
    path = [min(stuck)]
    while True:
        before = next(node for node in awaits[path[-1]] if node in stuck)
        if before in path:
            return [before, *reversed(path[path.index(before) :])]
        path.append(before)


def _node(raw: Mapping[str, Any]) -> NodePlan:
    inputs = tuple(
        Input(
            name=given["name"],
            sources=tuple(Source(**source) for source in given["sources"]),
            ordering=given["ordering"],
        )
        for given in raw["inputs"]
    )
    policy = Policy(**{**raw["policy"], "retry": RetryPlan(**raw["policy"]["retry"])})
    rest = {name: value for name, value in raw.items() if name not in ("inputs", "policy", "kind", "ports", "groups")}
    return NodePlan(
        inputs=inputs,
        policy=policy,
        kind=NodeKind(raw["kind"]),
        ports=tuple(raw["ports"]),
        groups=tuple(raw["groups"]),
        **rest,
    )


def _digest(body: object) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()

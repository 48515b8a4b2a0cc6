"""One node of a workflow as data: what it is, what leads to it, what it promises about its work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from codemation.core.ids import MAIN, NodeId

Json: TypeAlias = dict[str, Any]
OnError = Literal["fail", "drop", "port"]
Grain = Literal["item", "batch", "once"]


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
    CATCH = "catch"
    NOTEBOOK = "notebook"
    WAIT = "wait"
    APPROVE = "approve"
    WAIT_FOR_EVENT = "wait_for_event"
    SUBWORKFLOW = "subworkflow"
    LOOP = "loop"
    """The gate of a loop: lets items go round again, and out when they are done."""


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
    back: bool = False
    """It closes the circle of a loop: what it brings has gone round."""


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
    """What a node promises about its work; in seconds, `timeout` bounds one call, `total_timeout` the activation."""

    retry: RetryPlan = field(default_factory=RetryPlan)
    timeout: float | None = None
    concurrency: int = 1
    on_error: OnError = "fail"
    keep_attachments: bool = False
    run_on_empty: bool = False
    continue_when_empty: bool = False
    queue: str = "default"
    rate: str = ""
    """Calls in a time, of all processes together."""
    pool: str = ""
    """Whose slot it needs."""
    priority: int = 0
    total_timeout: float | None = None
    cache: bool = False
    """Whether what was given before for the same code, configuration and inputs is taken again."""
    shards: int = 0
    """Parts in which a batch is worked on; 0 where it is not split."""
    shard_size: int = 0
    """Items of each part, where their number is not said."""


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
    credentials: Mapping[str, str] = field(default_factory=dict)
    """What it asks for: the class of the credential, by slot."""
    writes: str = ""
    """The dataset that it writes."""
    caught_by: str = ""
    """The node that its failures come to, in a piece whose failures are caught."""

    @property
    def label(self) -> str:
        """Its kind, and whom it lets work, for people."""
        match self.kind:
            case NodeKind.START:
                return "input"
            case NodeKind.SUBWORKFLOW:
                return f"{self.kind.value} {self.config.get('workflow', '')}".strip()
            case _:
                return self.kind.value

    def sources(self, *, back: bool = True) -> list[Source]:
        """All that leads here; without `back` only what leads here before the first turn of a loop."""
        return [source for given in self.inputs if back or not given.back for source in given.sources]


def node_from_json(raw: Mapping[str, Any]) -> NodePlan:
    """The node that a definition wrote as JSON."""
    inputs = tuple(
        Input(
            name=given["name"],
            sources=tuple(Source(**source) for source in given["sources"]),
            ordering=given["ordering"],
            back=given.get("back", False),
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

"""A workflow frozen into plain data: any process can fold its runs without the user's code.

`Definition` is what `build()` makes and what the database keeps under its digest; its nodes are `NodePlan`s, and what
follows from them, which is never stored, is its `Plan`. All of them speak of nodes by id and know nothing of functions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from codemation.core.ids import WorkflowId
from codemation.core.nodeplan import (
    Grain,
    Input,
    Json,
    NodeKind,
    NodePlan,
    OnError,
    Policy,
    RetryPlan,
    Source,
    node_from_json,
)
from codemation.core.ordering import BrokenDefinition
from codemation.core.plan import Plan
from codemation.core.triggerplan import TriggerPlan

__all__ = [
    "BrokenDefinition",
    "Definition",
    "Grain",
    "Input",
    "Json",
    "NodeKind",
    "NodePlan",
    "OnError",
    "Plan",
    "Policy",
    "RetryPlan",
    "Source",
    "TriggerPlan",
]


DEFINITIONS_LATER = ("triggers", "timeout", "limits", "concurrency", "on_failure")
NODES_LATER = ("credentials", "writes", "caught_by")
"""Fields of nodes that definitions of the first release do not have."""
POLICIES_LATER = ("total_timeout", "cache", "shards", "shard_size", "rate", "pool")


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
    triggers: tuple[TriggerPlan, ...] = ()
    """What starts runs by itself."""
    timeout: float | None = None
    """Seconds that a run may take, waiting included."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """What a run may use at the most, where the workflow says so."""
    retention: Mapping[str, float | None] = field(default_factory=dict)
    """Seconds for which a run is kept after its end, by outcome, where the workflow says so; no part of any digest."""
    concurrency: Mapping[str, Any] = field(default_factory=dict)
    """How many runs there may be at a time, where the workflow says so: `runs`, `when_full` and `key`."""
    on_failure: str = ""
    """The workflow that is started when a run fails."""
    source: str = ""
    """`module:attribute` or `file:line` where the workflow is found; no part of any digest."""

    @cached_property
    def graph_digest(self) -> str:
        """Digest of shape and configuration: what an operator sees change."""
        body = self.to_json()
        for name in ("source", "title", "summary", "retention"):
            body.pop(name)
        for trigger in body["triggers"]:
            trigger.pop("place")
        _forget(body, DEFINITIONS_LATER)
        for node in body["nodes"]:
            for name in ("code", "place", "title", "icon", "summary", "types"):
                node.pop(name)
            _forget(node, NODES_LATER)
            _forget(node["policy"], POLICIES_LATER)
            for given in node["inputs"]:
                _forget(given, ("back",))
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
        ends = (source.node for sources in self.outputs.values() for source in sources)
        return Plan.of(self.nodes, self.workflow, ends)

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
        nodes = tuple(node_from_json(raw) for raw in body["nodes"])
        outputs = {name: tuple(Source(**source) for source in ends) for name, ends in body["outputs"].items()}
        triggers = tuple(TriggerPlan(**trigger) for trigger in body.get("triggers", ()))
        rest = {name: value for name, value in body.items() if name not in ("nodes", "outputs", "triggers")}
        return cls(nodes=nodes, outputs=outputs, triggers=triggers, **rest)


def _forget(body: Json, later: tuple[str, ...]) -> None:
    """Leave out what came later where there is none of it, so that digests are what they were before."""
    for name in later:
        if not body[name]:
            del body[name]


def _digest(body: object) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()

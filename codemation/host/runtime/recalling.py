"""Nodes with `cache=True`: what was given before for the same code, configuration and inputs is taken again.

Two activations are the same if workflow, node, code, configuration, the params that the node can see, and the bytes of
all its inputs are. What is recorded is never looked for in another workflow, for items name the nodes that made them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from codemation.core.definition import NodePlan
from codemation.core.errors import PayloadLost
from codemation.core.expression import Computed
from codemation.core.ids import NodeId
from codemation.core.items import Batch
from codemation.core.params import ParamRef, Params
from codemation.core.signals import Succeeded
from codemation.core.signature import NodeCode
from codemation.core.spelling import outputs_row, read_outputs
from codemation.core.states import NodeStatus
from codemation.host.runtime.activity import Activity

CACHED = "cached:"
Entered = Mapping[str, Sequence[tuple[NodeId, str, str]]]
"""Node, port and digest of everything that reaches each input."""


def key_of(workflow: str, node: NodePlan, code: NodeCode, params: Params | None, entered: Entered) -> bytes:
    """Names all that decides what a node gives."""
    body = [
        workflow,
        [node.id, node.kind.value, node.grain, list(node.ports), node.code],
        [node.policy.on_error, node.policy.keep_attachments, node.policy.run_on_empty],
        dict(node.config),
        seen(code, params),
        {name: [list(one) for one in given] for name, given in entered.items()},
    ]
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).digest()


def recalled(activity: Activity, key: bytes) -> Succeeded | None:
    """The signal that the node gives what it has given before; `None` when that is not known, or not there any more."""
    engine = activity.bench.engine
    known = engine.persist(engine.stores.recall.recall, key)
    if known is None or known[0] == activity.run.id:  # who begins again at a node wants it to be executed
        return None
    run, text = known
    outputs = read_outputs(json.loads(text))
    ports = [port for port, batch in outputs.items() if batch.size]
    held = [outputs[port] for port in ports]
    try:
        lent = engine.persist(engine.stores.payloads.borrow, activity.run.id, run, held)
    except PayloadLost:
        return None
    activity.inputs()  # counts them
    return activity.success({**outputs, **dict(zip(ports, lent, strict=True))}, how=f"{CACHED}{run}")


def remember(activity: Activity, key: bytes) -> None:
    """Note what the node has given, once it is recorded; what had failures is done again the next time.

    The key is that of what the node was given: by now others may have gone on, and what stands before it may have given
    something else, round a loop.
    """
    record = activity.run.snapshot.nodes.get(activity.node.id)
    if record is None or record.status is not NodeStatus.SUCCEEDED:  # a part has ended, and not the whole
        return
    if record.failures or record.how or record.activation != activity.claim.activation:
        return
    if not record.outputs and activity.node.ports:
        return
    engine = activity.bench.engine
    text = json.dumps(outputs_row(record.outputs), separators=(",", ":"))
    engine.persist(engine.stores.recall.remember, key, activity.run.id, text)


def digest_of(data: bytes) -> str:
    """Names the content of a batch."""
    return hashlib.sha256(data).hexdigest()


def key_for(activity: Activity) -> bytes:
    """Names what the activation gives, for as long as it has not ended."""
    snapshot = activity.run.snapshot

    def digest(batch: Batch) -> str:
        return digest_of(activity.fetch(batch)) if batch.size else ""

    entered = {
        given.name: [
            (source.node, source.port, digest(snapshot.output(source.node, source.port))) for source in given.sources
        ]
        for given in activity.node.inputs
        if not given.ordering
    }
    return key_of(activity.run.definition.workflow, activity.node, activity.code, activity.params, entered)


def seen(code: NodeCode, params: BaseModel | None) -> object:
    """The params that the code can see: those that it is given one by one, or all."""
    if params is None:
        return None
    whole = json.loads(params.model_dump_json(by_alias=True, round_trip=True))
    computes = any(isinstance(value, Computed) for value in code.arguments.values())
    if computes or any(one.what in ("params", "context") for one in code.signature.injections):
        return whole
    names = {value.name for value in code.arguments.values() if isinstance(value, ParamRef)}
    return {name: held for name, held in sorted(whole.items()) if name in names}

"""What a function is given of what it works in: the context of one call."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from codemation.core.context import Context
from codemation.core.definition import Input, Source
from codemation.core.ids import NodeId, turn_of
from codemation.core.mistakes import listed
from codemation.host.runtime.activity import Activity, Stop
from codemation.host.runtime.capture import NODE_LOGGER
from codemation.host.runtime.replying import reply


def context_of(activity: Activity, stop: Stop, suffix: str = "") -> Context:
    """The context of one call; `suffix` names the item."""
    run, node, claim, meter = activity.run, activity.node.id, activity.claim, activity.meter
    return Context(
        run_id=run.id,
        workflow_id=run.definition.workflow,
        node_id=node,
        turn=turn_of(claim.activation),
        attempt=activity.attempt,
        idempotency_key=f"{activity.seed}{suffix}",
        params=activity.params,
        clock=activity.bench.clock.now,
        log=logging.getLogger(f"{NODE_LOGGER}.{run.definition.workflow}.{node}"),
        store=activity.blobs.attach,
        stopping=stop,
        report=lambda done, total: meter.move(node, done, total, part=claim.part),
        finished=partial(_given_by, activity),
        answer=partial(reply, activity.bench.engine, run.id),
    )


def _given_by(activity: Activity, node: str, port: str) -> list[Any]:
    """The items that another node has given to a port, once it has finished."""
    snapshot, fetcher = activity.run.snapshot, activity.fetcher
    nodes = snapshot.plan.nodes
    plan = nodes.get(NodeId(node))
    if plan is None or port not in plan.ports:
        missing = f"port {port!r} of {node!r}" if plan else f"node {node!r}"
        raise KeyError(f"there is no {missing}; there are: {listed(plan.ports if plan else nodes)}")
    if not snapshot.reported(plan.id):
        raise KeyError(f"{node!r} has not finished; what {activity.node.id!r} stands on has")
    given = fetcher.given(Input(name=port, sources=(Source(node=plan.id, port=port),)))
    return list(fetcher.items(given).values)

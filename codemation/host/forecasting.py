"""What a run would do: which nodes would run, and which are pinned, recalled or not wanted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from codemation.core.definition import NodePlan
from codemation.core.errors import PayloadLost
from codemation.core.explaining import Reasons, Why
from codemation.core.ids import MAIN, START, NodeId
from codemation.core.launch import Launch
from codemation.core.pins import Pin
from codemation.core.replaying import unwanted
from codemation.core.spelling import read_outputs
from codemation.core.standing import UNWANTED
from codemation.host import pinning
from codemation.host.launching import encoded_input, encoded_params
from codemation.host.runtime.recalling import digest_of, key_of

if TYPE_CHECKING:
    from codemation.host.app import App

Digests = dict[tuple[NodeId, str], str]
"""What is known of what ports will hold."""


class ForecastHandle:
    """What a run of a workflow would do with the database as it is now."""

    def __init__(self, app: App, launch: Launch) -> None:
        workflow = launch.workflow
        self._app = app
        self._launch = launch
        encoded_params(launch.params)
        self._pins = pinning.pins_of(launch.pins, workflow, app.tables)
        pinning.check_allowed(app.settings.config, workflow.id, self._pins)
        self._given = encoded_input(workflow, launch.items, app.tables)

    def why(self) -> Reasons:
        """For each node why it would run, or would not."""
        plan = self._launch.workflow.definition.plan
        out = set(unwanted(plan, self._pins))
        known: Digests = {(START, MAIN): digest_of(self._given[0])}
        reasons = Reasons()
        for node in sorted(plan.nodes, key=plan.rank.__getitem__):
            if node in self._pins:
                reasons[node] = _pinned(self._pins[node], plan.nodes[node], known)
            elif node in out:
                reasons[node] = Why(node=node, what="skipped", because=UNWANTED)
            elif node != START:
                reasons[node] = self._executed(plan.nodes[node], known)
        return reasons

    def __str__(self) -> str:
        return str(self.why())

    def __repr__(self) -> str:
        return f'<Forecast of "{self._launch.workflow.id}">\n{self}'

    def _executed(self, node: NodePlan, known: Digests) -> Why:
        if not (node.policy.cache and self._launch.cache):
            return Why(node=node.id, what="will run", because="nothing speaks against it")
        ends = [source for given in node.inputs if not given.ordering for source in given.sources]
        unknown = [source.node for source in ends if (source.node, source.port) not in known]
        if unknown:
            return Why(node=node.id, what="will run", because=f'what "{unknown[0]}" gives is not known before')
        source = self._recalled(node, known)
        if source is None:
            return Why(node=node.id, what="will run", because="code, configuration or inputs are new")
        return Why(node=node.id, what="cached", because=f"code, configuration and inputs are those of run {source}")

    def _recalled(self, node: NodePlan, known: Digests) -> str | None:
        """The run whose outputs would be taken, which are known from then on."""
        workflow, app = self._launch.workflow, self._app
        entered = {
            given.name: [(source.node, source.port, known[source.node, source.port]) for source in given.sources]
            for given in node.inputs
            if not given.ordering
        }
        key = key_of(workflow.id, node, workflow.code[node.id], self._launch.params, entered)
        found = app.engine.persist(app.stores.recall.recall, key)
        if found is None:
            return None
        run, text = found
        outputs = read_outputs(json.loads(text))
        try:
            held = {port: digest_of(app.fetch(run, one)) if one.size else "" for port, one in outputs.items()}
        except PayloadLost:
            return None
        known |= {(node.id, port): held.get(port, "") for port in node.ports}
        return run


def _pinned(pin: Pin, node: NodePlan, known: Digests) -> Why:
    for port in node.ports:
        known[node.id, port] = digest_of(pin.ports[port].data) if port in pin.ports and pin.ports[port].count else ""
    return Why(node=pin.node, what="pinned", because=str(pin.provenance))

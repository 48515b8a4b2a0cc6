"""One activation under way: what it works on, what its code is given, and what is said of it afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from codemation.core.context import Context
from codemation.core.definition import NodeKind, NodePlan
from codemation.core.engine import Stored
from codemation.core.expression import Computed
from codemation.core.ids import ERROR, NodeId, node_of
from codemation.core.inputs import Fetcher, Given, Held, taken
from codemation.core.items import EMPTY, Batch, Item
from codemation.core.opening import OpenRun
from codemation.core.outputs import Outputs, failure_of
from codemation.core.params import ParamRef
from codemation.core.ports import Claim, Slot
from codemation.core.sharding import Ending, ShardAgain, ShardEnded
from codemation.core.signals import ErrorInfo, Failed, Signal, Succeeded
from codemation.core.signature import Injection, NodeCode
from codemation.host.runtime.allowance import Allowance
from codemation.host.runtime.fetching import at_hand, fetched
from codemation.host.runtime.giving import check_output, part_given
from codemation.host.runtime.meter import Meter
from codemation.host.runtime.patient_blobs import PatientBlobs
from codemation.host.runtime.trouble import info_of, retry_delay, trace_of
from codemation.host.runtime.workbench import RunCode, Workbench

Performed = tuple[Signal | Ending, bytes | None]
"""How it ended, and the output that goes into the journal with it."""
Stop = Callable[[], bool]


class Activity:
    """What the ways to perform an activation share."""

    def __init__(self, bench: Workbench, run: OpenRun, code: RunCode, claim: Claim, meter: Meter) -> None:
        self.bench = bench
        self.run = run
        self.claim = claim
        self.meter = meter
        self.params = code.params
        self.node: NodePlan = run.snapshot.plan.nodes[node_of(claim.activation)]
        self.shard = claim.shard
        """The part of the activation that is worked on; `None` for the whole of it."""
        self.part = claim.part
        """Its number; 0 for the whole."""
        self.attempt = self.shard.attempt if self.shard else run.snapshot.live.get(claim.activation, 1)
        self._key = ""
        self.items = 0
        """Items, or rows, that came in."""
        self.progressed = not claim.fresh  # whether finished items may have been recorded
        self.stored: dict[str, bytes] = {}
        """What the ports were given, as it was stored."""
        self.uses_cache, self.caches = code.cache, self.node.policy.cache and code.cache
        """Whether any node, and this one, takes what was given before for the same inputs."""
        self._code = code.nodes.get(self.node.id)
        if self._code is not None and self.node.kind is NodeKind.NOTEBOOK:
            self._code = replace(self._code, function=partial(self._code.function, _runner=bench.notebooks))
        self._began = time.monotonic()
        self.blobs = PatientBlobs(bench.engine)
        self.fetch = partial(fetched, bench, run.id)  # without self: an activity is freed as soon as it is over
        """The bytes of a batch, from this process if it has them."""
        self.allowance = Allowance(self.node, partial(_age, bench, run, self.node.id))
        self.fetcher = Fetcher(snapshot=run.snapshot, fetch=self.fetch, tables=bench.tables, files=self.blobs)
        self._given: dict[str, Given] | None = None
        """What was read ahead of the inputs."""

    @property
    def has_code(self) -> bool:
        """Whether anything is called."""
        return self._code is not None

    @property
    def code(self) -> NodeCode:
        """What is called.

        Raises:
            LookupError: this process does not have it.
        """
        if self._code is None:
            raise LookupError(f'this process has no code for "{self.node.id}"')
        return self._code

    @property
    def seed(self) -> str:
        """Names the activation among all runs; fixes the jitter of delays, and is what idempotency keys are made of."""
        return f"{self.run.id}/{self.claim.activation}"

    def keep(self) -> None:
        """Once the step stands: have at hand what the next nodes will read."""
        record = self.run.snapshot.nodes.get(self.node.id)
        if record is not None and record.activation == self.claim.activation:  # nobody has gone on, round a loop
            for ref, data in self.stored_as(record.outputs).items():
                self.bench.recent.put(self.run.id, ref, data)

    def stored_as(self, outputs: Mapping[str, Batch]) -> dict[str, bytes]:
        """What the ports were given, by the references that it has as outputs."""
        return {outputs[port].ref: data for port, data in self.stored.items() if port in outputs}

    def begin(self) -> None:
        """Let the time that it takes count from now on."""
        self._began = time.monotonic()

    def read_ahead(self, held: Held, fresh: Mapping[str, bytes]) -> None:
        """Have at hand what `inputs` will give; `fresh` are payloads that are being recorded, by reference.

        Raises:
            LookupError: it is not all there, or too large to be held beside what is still at work.
        """
        fetch = partial(at_hand, self.bench, self.run.id, fresh)
        self._given = self._reached(Fetcher(snapshot=held, fetch=fetch, tables=self.bench.tables, files=self.blobs))

    def inputs(self) -> dict[str, Given]:
        """What reached each input that carries something, by name; the node's data comes first.

        A gate is given what leads into its loop, and what comes back once its loop is under way.
        """
        given, self._given = self._given, None
        return self._reached(self.fetcher) if given is None else given

    def _reached(self, fetcher: Fetcher) -> dict[str, Given]:
        back = self.node.id in self.run.snapshot.rounds
        given = {one.name: fetcher.given(one) for one in self.node.inputs if not one.ordering and one.back is back}
        if self.shard is not None and self.node.grain == "batch":
            name, whole = next(iter(given.items()))
            given[name] = self.fetcher.part(whole, self.shard.start, self.shard.stop)
        self.items = sum(one.count for one in given.values())
        self._key = next((one.key for one in given.values()), "")
        return given

    def arguments(self, given: Mapping[str, Given], context: Context | None) -> dict[str, Any]:
        """What the code is called with beside its data: configuration, other inputs, params, and the context."""
        code = self.code
        if not (code.arguments or code.signature.injections or code.signature.arguments):
            return {}
        given_by_name = code.arguments.items()
        arguments = {name: self._configured(value) for name, value in given_by_name if not isinstance(value, Computed)}
        by_name = {parameter.name: parameter for parameter in code.signature.arguments}
        for at, (name, one) in enumerate(given.items()):
            if (at or not code.signature.data) and name in by_name:
                arguments[name] = taken(self.fetcher, self.node, by_name[name], one)
        for injection in code.signature.injections:
            if injection.what != "context":
                arguments[injection.name] = self._injected(injection)
            elif context is not None:
                arguments[injection.name] = context
        return arguments

    def _injected(self, injection: Injection) -> Any:
        match injection.what:
            case "credential":
                slot = Slot(node=self.node.id, name=injection.name, type=injection.type, required=injection.required)
                return self.bench.credentials.find(slot)
            case "resource" if injection.use is not None:
                given = {name: self._configured(value) for name, value in injection.use.arguments.items()}
                given |= {one.name: self._injected(one) for one in injection.inner}
                return self.bench.resources.get(injection.use, given)
            case _:
                return self.params

    @property
    def wants_context(self) -> bool:
        """Whether the code is given what it works in."""
        return any(one.what == "context" for one in self.code.signature.injections)

    def computed(self) -> dict[str, Computed]:
        """The arguments that are computed for each call."""
        arguments = self.code.arguments
        return {name: value for name, value in arguments.items() if isinstance(value, Computed)} if arguments else {}

    def outputs(self) -> Outputs:
        """Where what the node gives is collected."""
        return Outputs(self.node, self.bench.tables, key=self._key)

    def succeeded(self, outputs: Outputs, scope: NodeId | None = None, failures: int = 0) -> Performed:
        """Store what the node gave and say so; `scope` is the node that numbered its items."""
        encoded: dict[str, Stored] = outputs.encoded(scope or self.node.id)
        if self.shard is not None:
            return ShardEnded(data=part_given(self.bench.engine, self.run.id, encoded, failures)), None
        for data, count, _ in encoded.values():
            check_output(self.node.id, self.run.snapshot.limits, items=count, payload=len(data))
        batches, inline = self.bench.engine.store_outputs(self.run.id, encoded)
        self.stored = {port: data for port, (data, _, _) in encoded.items()}
        return self.success(batches, failures), inline

    def success(self, batches: Mapping[str, Batch], failures: int = 0, how: str = "") -> Succeeded:
        """The signal that the node gave these batches."""
        return Succeeded(
            activation=self.claim.activation,
            outputs=batches,
            attempt=self.attempt,
            milliseconds=self._milliseconds(),
            items=self.items,
            failures=failures,
            how=how,
        )

    def caught(self, error: Exception) -> Performed:
        """What went wrong with the whole of it, for whoever catches the failures of the piece that it stands in."""
        outputs = self.outputs()
        outputs.emit([(ERROR, Item(failure_of(self.node, None, error, self.attempt, trace_of(error))))])
        return self.succeeded(outputs, failures=1)

    def judged(self, error: Exception) -> tuple[Exception, float | None]:
        """What the failure of a call comes to: the error, and seconds until the activation is tried again, if it is."""
        delay = retry_delay(self.node, self._code, error, self.attempt, self.seed)
        return self.allowance.judged(error, delay)

    def failure(
        self, error: Exception, *, item: int | None = None, delay: float | None = None, partial: Batch = EMPTY
    ) -> Failed | Ending:
        """That the node failed, or the part of it that is worked on."""
        if self.shard is not None:
            last = ShardEnded(error=info_of(error, item))
            return last if delay is None else ShardAgain(attempt=self.attempt + 1, retry_in=delay)
        return self.broken(info_of(error, item), delay=delay, partial=partial)

    def broken(self, error: ErrorInfo, *, delay: float | None = None, partial: Batch = EMPTY) -> Failed:
        """The signal that the node failed with what is remembered of an error."""
        return Failed(
            activation=self.claim.activation,
            attempt=self.attempt,
            error=error,
            retry_in=delay,
            milliseconds=self._milliseconds(),
            partial=partial,
        )

    def _configured(self, value: Any) -> Any:
        return getattr(self.params, value.name) if isinstance(value, ParamRef) else value

    def _milliseconds(self) -> int:
        return round((time.monotonic() - self._began) * 1000)


def _age(bench: Workbench, run: OpenRun, node: NodeId) -> float:
    return bench.engine.persist(bench.engine.stores.journal.age, run.id, run.snapshot.nodes[node].since)

"""Perform one activation: fetch what reached the node, call its code, store what it gave, and say so as a signal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from codemation.core.context import Context
from codemation.core.definition import NodeKind, NodePlan
from codemation.core.engine import Engine, Stored
from codemation.core.ids import ERROR, MAIN, NodeId, node_of
from codemation.core.inputs import Door, Fetcher, Given, each, taken
from codemation.core.items import EMPTY, Attachment, Batch, Item
from codemation.core.merging import joined_by_key, merged
from codemation.core.opening import OpenRun
from codemation.core.outputs import Outputs, batch_outputs, failure_of
from codemation.core.params import ParamRef, Params
from codemation.core.payload import StoredItems
from codemation.core.ports import Chunk, Claim
from codemation.core.progress import Finished, decode_finished, encode_finished
from codemation.core.signals import Failed, ItemsLeft, Signal, Succeeded
from codemation.core.signature import NodeCode, Shape
from codemation.core.tables import Tables
from codemation.host.runtime.calling import Loop, awaited, called, outcome
from codemation.host.runtime.capture import NODE_LOGGER, Capture, Sink
from codemation.host.runtime.items import ItemWork, Postponed, checked
from codemation.host.runtime.meter import Meter
from codemation.host.runtime.recent import Recent
from codemation.host.runtime.trouble import Interrupted, ItemFailed, info_of, retry_delay, trace_of

CHUNK_SECONDS = 1.0
CHUNK_ITEMS = 5_000
"""Finished items are recorded when either is reached and more is to come."""

Performed = tuple[Signal, bytes | None]
"""A signal, and the output that goes into the journal with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What every activation needs; one for a process."""

    engine: Engine
    tables: Tables
    loop: Loop
    capture: Capture
    recent: Recent


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCode:
    """The code of a run's definition, and the params that the run was started with."""

    nodes: Mapping[NodeId, NodeCode]
    params: Params | None


class Performance:
    """One activation under way."""

    def __init__(self, bench: Workbench, run: OpenRun, code: RunCode, claim: Claim, meter: Meter) -> None:
        self._bench = bench
        self._run = run
        self._params = code.params
        self._claim = claim
        self._meter = meter
        self._node: NodePlan = run.snapshot.plan.nodes[node_of(claim.activation)]
        self._code = code.nodes.get(self._node.id)
        self._attempt = run.snapshot.live.get(claim.activation, 1)
        self._began = time.monotonic()
        self._items = 0
        self.error: Exception | None = None
        """What the node raised."""
        self._given: dict[str, bytes] = {}
        self._finished: dict[int, Finished] = {}
        self._sink = Sink(claim.activation, self._attempt)
        stores = bench.engine.stores
        self._fetcher = Fetcher(
            snapshot=run.snapshot,
            fetch=self._fetch,
            tables=bench.tables,
            files=stores.blobs,
        )

    def perform(self, stop: Callable[[], bool]) -> Performed:
        """Do the work.

        Raises:
            Interrupted: `stop` said so; what was finished until then is recorded as progress.
        """
        with self._bench.capture.into(self._sink):
            try:
                return self._performed(stop)
            except ItemFailed as failed:
                self.error = failed.error
                return replace(self._failed(failed.error, failed.position), partial=self._partial()), None
            except Exception as error:  # noqa: BLE001  # whatever a node raises is its result
                self.error = error
                return self._trouble(error), None
            finally:
                self._meter.end(self._node.id)
                self._keep_logs(last=True)

    def keep(self) -> None:
        """Once the step stands: have at hand what the next nodes will read."""
        for port, data in self._given.items():
            self._bench.recent.put(self._run.id, self._run.snapshot.output(self._node.id, port).ref, data)

    def _fetch(self, batch: Batch) -> bytes:
        bench, run = self._bench, self._run.id
        data = bench.recent.get(run, batch.ref)
        if data is None:
            data = bench.engine.persist(bench.engine.stores.payloads.get, run, batch)
            bench.recent.put(run, batch.ref, data)
        return data

    def _performed(self, stop: Callable[[], bool]) -> Performed:
        match self._node.kind:
            case NodeKind.MERGE:
                return self._merge()
            case NodeKind.JOIN:
                return self._join()
            case _ if self._node.grain == "item":
                return self._per_item(self._known_code(), stop)
            case _:
                return self._whole(self._known_code(), stop)

    def _known_code(self) -> NodeCode:
        if self._code is None:
            raise LookupError(f'this process has no code for "{self._node.id}"')
        return self._code

    # -- once for a batch ---------------------------------------------------------------------------------------

    def _whole(self, code: NodeCode, stop: Callable[[], bool]) -> Performed:
        given = {wanted.name: self._fetcher.given(wanted) for wanted in self._node.inputs if not wanted.ordering}
        self._items = sum(one.count for one in given.values())
        self._meter.begin(self._node.id, None)
        context = self._context(stop, "")
        args = (taken(self._fetcher, self._node, code.signature.data, given[self._data_name(code)]),) if (
            code.signature.data
        ) else ()
        kwargs = self._arguments(code, given, context)
        outputs = Outputs(self._node, self._bench.tables)
        limit = self._node.policy.timeout
        try:
            if code.signature.asynchronous:
                value = outcome(self._bench.loop.run(awaited(self._node.id, limit, code.function, *args, **kwargs)))
            else:
                value = called(self._node.id, limit, code.function, *args, **kwargs)
            if self._node.kind is NodeKind.TAP:
                return self._passed_on(given[self._data_name(code)])
            batch_outputs(outputs, code, value, context.attachments)
            return self._succeeded(outputs)
        except Exception as error:
            if self._delay(error) is not None or self._node.policy.on_error == "fail":
                raise
            return self._whole_failed(error, args)

    def _whole_failed(self, error: Exception, args: tuple[Any, ...]) -> Performed:
        """The batch as a whole is dropped, or goes to the `error` port as one failure."""
        outputs = Outputs(self._node, self._bench.tables)
        if self._node.policy.on_error == "port":
            entered = args[0] if args else None
            failure = failure_of(self._node, entered, error, self._attempt, trace_of(error))
            outputs.emit([(ERROR, Item(failure))])
        return self._succeeded(outputs, failures=1)

    def _passed_on(self, given: Given) -> Performed:
        """What a `tap` lets through: the very batch that reached it, if it was one."""
        wanted = self._node.inputs[0]
        held = [self._run.snapshot.output(source.node, source.port) for source in wanted.sources]
        filled = [batch for batch in held if batch.size]
        if len(filled) == 1:
            return self._signal({MAIN: filled[0]}, 0), None
        outputs = Outputs(self._node, self._bench.tables)
        outputs.emit((MAIN, item) for item in self._fetcher.wrapped(given))
        return self._succeeded(outputs, self._fetcher.items(given).scope)

    # -- once for each item -------------------------------------------------------------------------------------

    def _per_item(self, code: NodeCode, stop: Callable[[], bool]) -> Performed:
        given = {wanted.name: self._fetcher.given(wanted) for wanted in self._node.inputs if not wanted.ordering}
        first = given[self._data_name(code)]
        parameter = code.signature.data
        assert parameter is not None, "a per-item node has a data parameter"
        items, door = each(self._fetcher, self._node, parameter, first)
        self._items = len(items)
        if not items and self._node.policy.run_on_empty:
            items = [Item(None, origins=(0,))]
        finished = self._finished = {one.position: one for one in self._recorded()}
        self._meter.begin(self._node.id, len(items))
        work = ItemWork(
            node=self._node,
            code=code,
            items=items,
            todo=[position for position in range(len(items)) if position not in finished],
            ask=self._asking(code, door, given, stop),
            attempt=self._attempt,
            seed=f"{self._run.id}/{self._claim.activation}",
            stop=stop,
            loop=self._bench.loop,
        )
        if self._node.policy.on_error == "fail":
            checked(work, door.value)
        postponed = self._run_items(work, finished)
        if postponed:
            return self._items_left(postponed, len(finished)), None
        outputs = Outputs(self._node, self._bench.tables)
        for position in range(len(items)):
            outputs.emit(finished[position].emitted)
        scope = self._fetcher.items(first).scope if first.items else NodeId(first.key.rstrip(":"))
        return self._succeeded(outputs, scope, failures=sum(one.failed for one in finished.values()))

    def _run_items(self, work: ItemWork, finished: dict[int, Finished]) -> list[Postponed]:
        """Work on what is left; record finished items now and then, and whenever the work breaks off."""
        postponed: list[Postponed] = []
        fresh: list[Finished] = []
        recorded_at = time.monotonic()
        try:
            for ending in work.endings():
                if isinstance(ending, Postponed):
                    postponed.append(ending)
                    continue
                finished[ending.position] = ending
                fresh.append(ending)
                self._meter.move(self._node.id, len(finished))
                due = len(fresh) >= CHUNK_ITEMS or time.monotonic() - recorded_at >= CHUNK_SECONDS
                if due and len(finished) < len(work.items):
                    self._record(fresh)
                    self._keep_logs()
                    fresh, recorded_at = [], time.monotonic()
        except ItemFailed:
            raise
        except BaseException:
            self._record(fresh)
            raise
        if postponed:
            self._record(fresh)
        return postponed

    def _recorded(self) -> list[Finished]:
        """What earlier tries have finished."""
        record = self._run.snapshot.nodes.get(self._node.id)
        known = decode_finished(self._fetch(record.partial)) if record and record.partial.size else []
        if self._claim.fresh:
            return known
        tickets = self._bench.engine.stores.tickets
        chunks = self._bench.engine.persist(tickets.progress, self._claim.holding.ticket, self._claim.activation)
        self._chunks = len(chunks)
        return known + [one for chunk in chunks for one in decode_finished(chunk.data)]

    _chunks = 0

    def _record(self, fresh: list[Finished]) -> None:
        if not fresh:
            return
        chunk = Chunk(
            number=self._chunks, items=tuple(one.position for one in fresh), data=encode_finished(fresh)
        )
        self._chunks += 1
        save = self._bench.engine.stores.tickets.save_progress
        if not self._bench.engine.persist(save, self._claim.holding, self._claim.activation, chunk):
            raise Interrupted

    def _partial(self) -> Batch:
        """What was finished before an item failed for good, kept for a resume."""
        if not self._finished:
            return EMPTY
        data = encode_finished(self._finished.values())
        engine = self._bench.engine
        return engine.persist(engine.stores.payloads.put, self._run.id, data, len(self._finished), "items")

    def _asking(
        self, code: NodeCode, door: Door, given: Mapping[str, Given], stop: Callable[[], bool]
    ) -> Callable[[int, Item[Any]], tuple[tuple[Any, ...], dict[str, Any], Context | None]]:
        arguments = self._arguments(code, given, None)
        contexts = [one.name for one in code.signature.injections if one.what == "context"]
        wrapped = bool(code.signature.data and code.signature.data.wrapped)

        def ask(position: int, item: Item[Any]) -> tuple[tuple[Any, ...], dict[str, Any], Context | None]:
            value = door.value(item.value, position)
            if wrapped:
                value = Item(value, item.attachments, key=item.key, origins=item.origins)
            if not contexts:
                return (value,), arguments, None
            context = self._context(stop, f"/{position}")
            return (value,), {**arguments, **dict.fromkeys(contexts, context)}, context

        return ask

    # -- what a call is given -----------------------------------------------------------------------------------

    def _data_name(self, code: NodeCode) -> str:
        """The input that carries the data: the first that is not only waited for."""
        return next(wanted.name for wanted in self._node.inputs if not wanted.ordering)

    def _arguments(self, code: NodeCode, given: Mapping[str, Given], context: Context | None) -> dict[str, Any]:
        arguments = {name: self._configured(value) for name, value in code.arguments.items()}
        data = self._data_name(code) if code.signature.data else None
        by_name = {parameter.name: parameter for parameter in code.signature.arguments}
        for name, one in given.items():
            if name != data:
                arguments[name] = taken(self._fetcher, self._node, by_name[name], one)
        for injection in code.signature.injections:
            if injection.what == "params":
                arguments[injection.name] = self._params
            elif context is not None:
                arguments[injection.name] = context
        return arguments

    def _configured(self, value: Any) -> Any:
        return getattr(self._params, value.name) if isinstance(value, ParamRef) else value

    def _context(self, stop: Callable[[], bool], suffix: str) -> Context:
        node, run = self._node.id, self._run
        return Context(
            run_id=run.id,
            workflow_id=run.definition.workflow,
            node_id=node,
            attempt=self._attempt,
            idempotency_key=f"{run.id}/{self._claim.activation}{suffix}",
            params=self._params,
            log=logging.getLogger(f"{NODE_LOGGER}.{run.definition.workflow}.{node}"),
            store=self._attach,
            stopping=stop,
            report=lambda done, total: self._meter.move(node, done, total),
        )

    def _attach(self, stream: BinaryIO, mime: str) -> Attachment:
        blobs = self._bench.engine.stores.blobs
        stored = blobs.put(stream)
        return Attachment(blob=stored.id, size=stored.size, sha256=stored.sha256, mime=mime, source=blobs)

    # -- what the engine does by itself -------------------------------------------------------------------------

    def _merge(self) -> Performed:
        parts = [self._fetcher.given(wanted) for wanted in self._node.inputs]
        self._items = sum(part.count for part in parts)
        outputs = Outputs(self._node, self._bench.tables)
        config = self._node.config
        by = str(config.get("by", "append"))
        tables = [part for part in parts if part.table is not None]
        if by == "append" and tables and all(part.table is not None or not part.count for part in parts):
            outputs.packed[MAIN] = self._bench.tables.concat([part.table or b"" for part in tables])
            return self._succeeded(outputs)
        names = [wanted.name for wanted in self._node.inputs]
        prefer = [names.index(name) for name in config.get("prefer", ())]
        rank = self._run.snapshot.plan.rank.__getitem__
        one = merged(
            [self._fetcher.items(part) for part in parts], by=by, prefer=prefer, scope=self._node.id, rank=rank
        )
        outputs.emit(
            (MAIN, Item(value, one.attachments.get(at, {}), origins=one.origin(at))) for at, value in enumerate(one.values)
        )
        return self._succeeded(outputs, one.scope)

    def _join(self) -> Performed:
        parts = [self._fetcher.given(wanted) for wanted in self._node.inputs]
        self._items = sum(part.count for part in parts)
        config = self._node.config
        on = [config["on"]] if isinstance(config["on"], str) else list(config["on"])
        outputs = Outputs(self._node, self._bench.tables)
        if all(part.table is not None for part in parts):
            outputs.packed[MAIN] = self._bench.tables.join([part.table or b"" for part in parts], on, config["how"])
            return self._succeeded(outputs)
        rows = joined_by_key([self._fetcher.items(part).values for part in parts], on=on, how=config["how"])
        outputs.emit((MAIN, Item(row)) for row in rows)
        return self._succeeded(outputs)

    # -- what is said of it -------------------------------------------------------------------------------------

    def _succeeded(self, outputs: Outputs, scope: NodeId | None = None, failures: int = 0) -> Performed:
        encoded: dict[str, Stored] = outputs.encoded(scope or self._node.id)
        batches, inline = self._bench.engine.store_outputs(self._run.id, encoded)
        self._given = {port: data for port, (data, _, _) in encoded.items()}
        return self._signal(batches, failures), inline

    def _signal(self, batches: Mapping[str, Batch], failures: int) -> Succeeded:
        return Succeeded(
            activation=self._claim.activation,
            outputs=batches,
            attempt=self._attempt,
            milliseconds=self._milliseconds(),
            items=self._items,
            failures=failures,
        )

    def _trouble(self, error: Exception) -> Failed:
        """A failure of the whole activation; a retry of a per-item node was decided item by item."""
        delay = None if self._node.grain == "item" else self._delay(error)
        return self._failed(error, None, delay)

    def _delay(self, error: Exception) -> float | None:
        return retry_delay(self._node, self._code, error, self._attempt, f"{self._run.id}/{self._claim.activation}")

    def _failed(self, error: Exception, position: int | None, delay: float | None = None) -> Failed:
        return Failed(
            activation=self._claim.activation,
            attempt=self._attempt,
            error=info_of(error, position),
            retry_in=delay,
            milliseconds=self._milliseconds(),
        )

    def _items_left(self, postponed: list[Postponed], done: int) -> ItemsLeft:
        soonest = min(postponed, key=lambda one: one.delay)
        return ItemsLeft(
            activation=self._claim.activation,
            attempt=self._attempt,
            done=done,
            left=len(postponed),
            retry_in=soonest.delay,
            error=info_of(soonest.error, soonest.position),
        )

    def _milliseconds(self) -> int:
        return round((time.monotonic() - self._began) * 1000)

    def _keep_logs(self, *, last: bool = False) -> None:
        lines = self._sink.take(last=last)
        if lines:
            self._bench.engine.persist(self._bench.engine.stores.logs.append, self._run.id, lines)


__all__ = ["CHUNK_ITEMS", "CHUNK_SECONDS", "Interrupted", "Performance", "Performed", "RunCode", "Shape", "Workbench"]

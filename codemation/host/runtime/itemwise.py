"""Nodes that are called once for each item; what is finished is recorded while the rest goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from codemation.core.context import Context
from codemation.core.ids import NodeId
from codemation.core.inputs import Door, Given, each
from codemation.core.items import EMPTY, Batch, Item
from codemation.core.outputs import Outputs
from codemation.core.payload import without_collecting
from codemation.core.ports import Chunk
from codemation.core.progress import Finished, decode_finished, encode_finished
from codemation.core.sharding import ShardAgain
from codemation.core.signals import ItemsLeft
from codemation.core.signature import Parameter
from codemation.host.runtime.activity import Activity, Performed, Stop
from codemation.host.runtime.calling import handed
from codemation.host.runtime.contexts import context_of
from codemation.host.runtime.items import Ask, Flag, ItemWork, Postponed, checked
from codemation.host.runtime.pacing import pace_of
from codemation.host.runtime.trouble import Interrupted, ItemFailed, info_of

CHUNK_SECONDS = 1.0
CHUNK_ITEMS = 25_000
"""Finished items are recorded when either is reached and more is to come; the second bounds what a chunk holds."""


class ItemwisePerformance:
    """A per-item activation; takes up where an earlier try was broken off."""

    def __init__(self, activity: Activity, stop: Stop, keep_logs: Callable[[], None]) -> None:
        self.activity = activity
        self._abandoned = abandoned = Flag()
        self._stop: Stop = lambda: stop() or abandoned.raised  # without self: what was finished is freed at once
        self._keep_logs = keep_logs
        self._finished: dict[int, Finished] = {}
        self.fresh: list[Finished] = []
        """What is finished and not recorded yet."""
        self.chunks = 0
        """How many were recorded before, and the number of the next."""
        self.errors: list[Mapping[str, Any]] = []
        """Why parts are missing that were worked on as shards."""
        self._ready: tuple[Given, ItemWork, Door] | None = None
        """What was prepared before the activation began."""

    def prepare(self) -> tuple[Given, ItemWork, Door]:
        """Make all ready for the first call."""
        with without_collecting():
            self._ready = self._prepared(self.activity.inputs())
        return self._ready

    def perform(self) -> Performed:
        """Work on every item that is left.

        Raises:
            ItemFailed: an item failed, and the node with it.
            Interrupted: the run stops, or goes on elsewhere.
        """
        activity = self.activity
        first, work, door = self._ready or self.prepare()
        self._ready = None
        activity.meter.begin(activity.node.id, work.own, part=activity.part)
        said = self.instead(work, door)
        if said is not None:
            return said
        # Shards are checked when they are split, and one item alone when it is asked for.
        if activity.node.policy.on_error == "fail" and activity.shard is None and len(work.todo) > 1:
            checked(work, door.value)
        postponed = self._run(work)
        if postponed:
            return self._items_left(postponed), None
        return self.ended(first, len(work.items))

    def instead(self, work: ItemWork, door: Door) -> Performed | None:
        """What is said before any item is worked on, so that none is; `None` to work on them."""
        return None

    def failed(self, error: Exception, position: int | None = None) -> Performed:
        """That it failed, and what was finished before."""
        return self.activity.failure(error, item=position, partial=self.partial()), None

    def ended(self, first: Given, count: int) -> Performed:
        """What all items have given."""
        activity, outputs = self.activity, self.activity.outputs()
        outputs.emit_each([self._finished[position].emitted for position in range(count)])
        scope = first.items.scope if first.items else NodeId(first.key.rstrip(":"))
        if not first.count:  # what was given instead of nothing has no place among the items of others
            scope = activity.node.id
        failures = sum([one.failed for one in self._finished.values()])
        return activity.succeeded(outputs, self.completed(outputs, scope), failures=failures)

    def completed(self, outputs: Outputs, scope: NodeId) -> NodeId:
        """Add what else there is to give; says by which node the items are numbered."""
        return scope

    def partial(self) -> Batch:
        """What was finished before an item failed for good, kept for a resume."""
        if not self._finished:
            return EMPTY
        engine, run = self.activity.bench.engine, self.activity.run
        data = encode_finished(self._finished.values())
        return engine.persist(engine.stores.payloads.put, run.id, data, len(self._finished), "items")

    def _prepared(self, given: Mapping[str, Given]) -> tuple[Given, ItemWork, Door]:
        activity, node, code = self.activity, self.activity.node, self.activity.code
        first = next(iter(given.values()))
        if code.signature.data is None:
            raise LookupError(f'the code of "{node.id}" takes no item')
        items, door = self.entering(first, code.signature.data)
        if not items and node.policy.run_on_empty:
            items = [Item(None)]
        self._finished = {one.position: one for one in self._recorded()}
        own = self.own(len(items))
        work = ItemWork(
            node=node,
            code=code,
            items=items,
            own=len(own),
            todo=[position for position in own if position not in self._finished],
            ask=asking(activity, self._stop, code.signature.data, door, given),
            attempt=activity.attempt,
            seed=activity.seed,
            stop=self._stop,
            abandoned=self._abandoned,
            allowance=activity.allowance,
            loop=activity.bench.loop,
            pace=pace_of(activity, self._stop),
            clock=activity.bench.clock,
            rows=self._rows,
        )
        return first, work, door

    def entering(self, first: Given, data: Parameter) -> tuple[list[Item[Any]], Door]:
        """The items by their positions, and the door to check them with."""
        return each(self.activity.fetcher, self.activity.node, data, first)

    def own(self, count: int) -> range:
        """The positions that are worked on, of so many."""
        return range(count)

    def _rows(self, table: object) -> list[dict[str, Any]]:
        tables = self.activity.bench.tables
        return tables.rows(tables.pack(table).data)

    def _run(self, work: ItemWork) -> list[Postponed]:
        """Work on what is left; record finished items now and then, and whenever the work breaks off."""
        postponed: list[Postponed] = []
        recorded_at, node = time.monotonic(), self.activity.node.id
        done, endings = work.own - len(work.todo), work.endings()
        try:
            for ending in endings:
                if isinstance(ending, Postponed):
                    postponed.append(ending)
                    continue
                self._finished[ending.position] = ending
                self.fresh.append(ending)
                done += 1
                if len(work.items) > 1:
                    self.activity.meter.move(node, done, part=self.activity.part)
                due = len(self.fresh) >= CHUNK_ITEMS or time.monotonic() - recorded_at >= CHUNK_SECONDS
                if due and len(self._finished) < len(work.items):
                    self._record()
                    self._keep_logs()
                    recorded_at = time.monotonic()
        except ItemFailed:
            raise
        except BaseException:
            self._record()
            raise
        finally:
            endings.close()
        if postponed:
            self._record()
        return postponed

    def _recorded(self) -> list[Finished]:
        """What earlier tries have finished."""
        activity = self.activity
        record = activity.run.snapshot.nodes.get(activity.node.id)
        known = decode_finished(activity.fetch(record.partial)) if record and record.partial.size else []
        if activity.claim.fresh:
            return known
        chunks = recorded(activity)
        self.chunks = len(chunks)
        self.errors = [chunk.error for chunk in chunks if chunk.error]
        return known + [one for chunk in chunks if chunk.data for one in decode_finished(chunk.data)]

    def _record(self) -> None:
        if not self.fresh:
            return
        first = self.activity.shard.first_chunk if self.activity.shard else 0
        positions = tuple(one.position for one in self.fresh)
        with without_collecting():
            chunk = Chunk(number=first + self.chunks, items=positions, data=encode_finished(self.fresh))
        self.chunks += 1
        self.fresh = []
        self.activity.progressed = True
        engine, claim = self.activity.bench.engine, self.activity.claim
        if not engine.persist(engine.stores.tickets.save_progress, claim.holding, claim.activation, chunk):
            raise Interrupted

    def _items_left(self, postponed: list[Postponed]) -> ItemsLeft | ShardAgain:
        soonest = min(postponed, key=lambda one: one.delay)
        if self.activity.shard is not None:
            return ShardAgain(attempt=self.activity.attempt + 1, retry_in=soonest.delay)
        return ItemsLeft(
            activation=self.activity.claim.activation,
            attempt=self.activity.attempt,
            done=len(self._finished),
            left=len(postponed),
            retry_in=soonest.delay,
            error=info_of(soonest.error, soonest.position),
        )


def recorded(activity: Activity) -> tuple[Chunk, ...]:
    """What was recorded of the activation, or of the part of it that is worked on."""
    engine, claim = activity.bench.engine, activity.claim
    return engine.persist(engine.stores.tickets.progress, claim.holding.ticket, claim.activation, claim.shard)


def asking(activity: Activity, stop: Stop, data: Parameter, door: Door, given: Mapping[str, Given]) -> Ask:
    """What makes the arguments of one call, for an item and its position."""
    signature = activity.code.signature
    arguments = activity.arguments(given, None)
    contexts = [one.name for one in signature.injections if one.what == "context"]
    computed, params = activity.computed(), activity.params
    if not (data.wrapped or arguments or contexts or computed):
        return lambda position, item: (*handed(data, door.value(item.value, position)), None)

    def ask(position: int, item: Item[Any]) -> tuple[tuple[Any, ...], dict[str, Any], Context | None]:
        value = door.value(item.value, position)
        if data.wrapped:
            value = Item(value, item.attachments, key=item.key, origins=item.origins)
        args, named = handed(data, value)
        if computed:
            checked = replace(item, value=value.value if data.wrapped else value)
            named |= {name: one.of_item(checked, params) for name, one in computed.items()}
        if not contexts:
            return args, {**arguments, **named}, None
        context = context_of(activity, stop, f"/{position}")
        return args, {**arguments, **named, **dict.fromkeys(contexts, context)}, context

    return ask

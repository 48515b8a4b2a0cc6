"""Activations that are worked on in parts: what they are cut into, one of the parts, and how the parts are joined.

The shards of a per-item node record items as any activation does, so their join is the activation itself, taken up
where everything is finished. Those of a per-batch node record what their call has given, and the join puts it together.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codemation.core.definition import NodeKind
from codemation.core.ids import ERROR
from codemation.core.inputs import Door, Given
from codemation.core.items import EMPTY, Batch, Failure, Item
from codemation.core.outputs import Outputs
from codemation.core.payload import StoredItems, decode_items
from codemation.core.progress import encode_finished
from codemation.core.sharding import Part, ShardEnded, Split, parts
from codemation.core.signals import ErrorInfo
from codemation.core.signature import Parameter
from codemation.core.spelling import read_outputs
from codemation.core.tables import Tables
from codemation.host.runtime.activity import Activity, Performed
from codemation.host.runtime.items import ItemWork, checked
from codemation.host.runtime.itemwise import ItemwisePerformance, recorded
from codemation.host.runtime.passing import passed_on
from codemation.host.runtime.trouble import info_of

_ELSEWHERE: Item[Any] = Item(None)
"""Stands for the items of other shards."""


class ItemSplit(ItemwisePerformance):
    """A per-item activation that is to be cut into parts; where there is but one, it is worked on as a whole."""

    def instead(self, work: ItemWork, door: Door) -> Performed | None:
        """The parts of what is left; all items are checked before there is any."""
        policy = self.activity.node.policy
        found = parts(work.todo, policy)
        if not found:
            return None
        if policy.on_error == "fail":
            checked(work, door.value)
        return Split(parts=found), None


class ItemShard(ItemwisePerformance):
    """A part of a per-item activation."""

    def entering(self, first: Given, data: Parameter) -> tuple[list[Item[Any]], Door]:
        """The items of the shard at their positions; of those before it there is nothing but the places."""
        shard = self.activity.shard
        if shard is None:
            return super().entering(first, data)
        items, door = super().entering(self.activity.fetcher.part(first, shard.start, shard.stop), data)
        return [*([_ELSEWHERE] * shard.start), *items], door

    def own(self, count: int) -> range:
        """The positions of the shard."""
        shard = self.activity.shard
        return range(count)[shard.start : shard.stop] if shard else range(count)

    def ended(self, first: Given, count: int) -> Performed:
        """What was not recorded yet."""
        return self._end()

    def failed(self, error: Exception, position: int | None = None) -> Performed:
        """What was not recorded yet, and why the rest is missing."""
        return self._end(info_of(error, position))

    def _end(self, error: ErrorInfo | None = None) -> Performed:
        fresh = self.fresh
        items, data = tuple(one.position for one in fresh), encode_finished(fresh) if fresh else b""
        return ShardEnded(number=self.chunks, items=items, data=data, error=error), None


class ItemJoin(ItemwisePerformance):
    """A per-item activation whose parts have ended."""

    def instead(self, work: ItemWork, door: Door) -> Performed | None:
        """That it failed, where a part of it has."""
        return _failed(self.activity, self.errors, self.partial()) if self.errors else None


def split_batch(activity: Activity) -> Split | None:
    """The parts of what reached a per-batch node that are left to work on; `None` where it is called once."""
    missing = _missing(*_parts(activity, next(iter(activity.inputs().values())).count))
    return Split(parts=missing) if missing else None


def join_batches(activity: Activity) -> Performed:
    """What the parts of a per-batch activation have given, one after the other."""
    first, chunks = next(iter(activity.inputs().values())), recorded(activity)
    whole, given = _parts(activity, first.count)
    missing = _missing(whole, given)
    given |= {missing[chunk.shard]: bytes(chunk.data) for chunk in chunks if not chunk.error}
    errors = [chunk.error for chunk in chunks if chunk.error]
    if errors:
        return _failed(activity, errors, _kept(activity, given))
    read = [_read(activity, given[part], part.start) for part in whole]
    failures = sum(failed for failed, _ in read)
    if activity.node.kind is NodeKind.TAP and not failures:
        return passed_on(activity, first)
    outputs = activity.outputs()
    for port in activity.node.ports:
        _put_together(activity, outputs, port, [ports[port] for _, ports in read if port in ports])
    return activity.succeeded(outputs, failures=failures)


def _parts(activity: Activity, count: int) -> tuple[tuple[Part, ...], dict[Part, bytes]]:
    """The parts of so many items, and what those have given that had ended when the node failed before."""
    whole = parts(range(count), activity.node.policy)
    record = activity.run.snapshot.nodes.get(activity.node.id)
    if record is None or not record.partial.size:
        return whole, {}
    line, _, body = activity.fetch(record.partial).partition(b"\n")
    known: dict[Part, bytes] = {}
    for start, stop, size in json.loads(line):
        known[Part(start=start, stop=stop)], body = body[:size], body[size:]
    return whole, known if known.keys() <= set(whole) else {}


def _missing(whole: Sequence[Part], known: Mapping[Part, bytes]) -> tuple[Part, ...]:
    return tuple(part for part in whole if part not in known)


def _kept(activity: Activity, given: Mapping[Part, bytes]) -> Batch:
    """What parts have given, for a resume to begin with; `_parts` reads it."""
    if not given:
        return EMPTY
    line = json.dumps([[part.start, part.stop, len(data)] for part, data in given.items()], separators=(",", ":"))
    engine, data = activity.bench.engine, line.encode() + b"\n" + b"".join(given.values())
    return engine.persist(engine.stores.payloads.put, activity.run.id, data, len(given), "items")


@dataclass(frozen=True, slots=True, kw_only=True)
class _PartGiven:
    """What a port was given in one part."""

    batch: Batch
    data: bytes
    start: int
    """Where the part begins."""


def _read(activity: Activity, data: bytes, start: int) -> tuple[int, dict[str, _PartGiven]]:
    """How many items failed in a part, and what each port was given."""
    line, _, inline = data.partition(b"\n")
    failures, row = json.loads(line)
    given: dict[str, _PartGiven] = {}
    for port, batch in read_outputs(row).items():
        if batch.ref:
            held = activity.fetch(batch)
        else:
            held, inline = inline[: batch.size], inline[batch.size :]
        given[port] = _PartGiven(batch=batch, data=held, start=start)
    return failures, given


def _put_together(activity: Activity, outputs: Outputs, port: str, given: Sequence[_PartGiven]) -> None:
    tables = activity.bench.tables
    if given and all(one.batch.kind == "table" for one in given):
        outputs.packed[port] = tables.concat([one.data for one in given], _parents(tables, given))
        return
    for one in given:
        if one.batch.kind == "table":
            outputs.emit((port, Item(row)) for row in tables.rows(one.data))
        else:
            outputs.emit((port, item) for item in _items(decode_items(one.data), outputs.key))


def _parents(tables: Tables, given: Sequence[_PartGiven]) -> list[int] | None:
    """The rows of the whole that the rows came from, if that was noted in every part."""
    found: list[int] = []
    for one in given:
        rows = tables.parents(one.data)
        if rows is None:
            return None
        found.extend(one.start + row for row in rows)
    return found


def _items(stored: StoredItems, key: str) -> Iterable[Item[Any]]:
    """The items of a part; what is known of where they came from is known by their keys."""
    for at, value in enumerate(stored.values):
        name = f"{key}{stored.parents[at]}" if stored.parents is not None else ""
        yield Item(value, stored.attachments.get(at, {}), key=name)


def _failed(activity: Activity, errors: Sequence[Mapping[str, Any]], partial: Batch) -> Performed:
    """What failed parts make of the whole."""
    error, more = ErrorInfo(**errors[0]), len(errors) - 1
    if more:
        error = replace(error, message=f"{error.message} (and {more} more of its shards failed)")
    if not activity.node.caught_by:
        return activity.broken(error, partial=partial), None
    failure = Failure(
        item=None,
        type=error.type,
        error=error.message,
        node=activity.node.id,
        attempts=activity.attempt,
        traceback=error.traceback,
    )
    outputs = activity.outputs()
    outputs.emit([(ERROR, Item(failure))])
    return activity.succeeded(outputs, failures=1)

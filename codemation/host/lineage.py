"""Tracing items through a run, from what batches say of their parents and from what verbs do with their order.

Only what cannot be derived is stored (`core/payload.py`). What a merge or a join did with its inputs is found by doing
it once more, with the places of the items instead of their values.
"""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codemation.core.definition import Input, NodeKind, NodePlan, Source
from codemation.core.errors import RunError
from codemation.core.ids import START, NodeId
from codemation.core.inputs import joined
from codemation.core.items import Batch
from codemation.core.lineage import Place, Trace, walked
from codemation.core.merging import matched, merged
from codemation.core.payload import Path, StoredItems, decode_head, decode_items
from codemation.core.states import NodeStatus

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle

_MOST = 100_000
"""Places that a trace holds in each direction."""
_WIDTH = 72
_FEW_WORDS = reprlib.Repr()
_FEW_WORDS.maxdict, _FEW_WORDS.maxother = 8, 1_000  # cut at the end: the beginning says more than both ends do


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What the outputs of one port were made from."""

    each: Sequence[tuple[Place, ...]] | None
    """For each of them its own parents; `None`: all came from all."""
    whole: tuple[Place, ...]
    """What all of them came from as well."""


class Lineage:
    """The lineage of one run at the revision that its handle shows; what was read once is kept."""

    def __init__(self, run: RunHandle) -> None:
        self._run = run
        self._fetcher = run.fetcher()
        self._plan = run.definition.plan
        self._links: dict[tuple[NodeId, str], Links] = {}
        self._following: dict[tuple[NodeId, str], dict[Place, list[int]]] = {}
        self._takers: dict[tuple[NodeId, str], list[NodeId]] = {}
        for node, plan in self._plan.nodes.items():
            wanted = [*(one for one in plan.inputs if not one.ordering), *_entered(plan)]
            for source in dict.fromkeys(source for one in wanted for source in one.sources):
                self._takers.setdefault((source.node, source.port), []).append(node)

    def trace(self, node: NodeId, port: str, key: int | str) -> Trace:
        """What one item came from and what became of it.

        Raises:
            RunError: there is no such item.
        """
        root = self._place(node, port, key)
        results = walked(root, self._after, _MOST)
        ends = {place: found for place, after in results.items() if (found := self._ends(place, after))}
        return Trace(
            item=root,
            origins=walked(root, self.before, _MOST),
            results=results,
            ends=ends,
            values=_Held(self._run),
        )

    def _place(self, node: NodeId, port: str, key: int | str) -> Place:
        count = self._batch(node, port).count
        name, _, number = str(key).rpartition(":")
        if name not in ("", node, f"{node}.{port}") or not number.isdecimal():
            raise RunError(
                f'{key!r} names no item of "{node}"', way_out=f'give its position, or its key, such as "{node}:0"'
            )
        if int(number) >= count:
            said = f'"{node}" gave {count} item{"" if count == 1 else "s"}, and none at {number}'
            raise RunError(said, way_out=f"positions go from 0 to {count - 1}" if count else "")
        return Place(node, port, int(number), count)

    def _batch(self, node: NodeId, port: str) -> Batch:
        return self._run.snapshot.output(node, port)

    def _whole(self, node: NodeId, port: str) -> Place:
        count = self._batch(node, port).count
        return Place(node, port, 0 if count == 1 else None, count)

    def before(self, place: Place) -> Sequence[Place]:
        """What is at a place was made from these, directly."""
        if place.node == START:
            return ()
        links = self.links(place.node, place.port)
        if links.each is None:
            return links.whole
        if place.position is not None:
            return (*links.each[place.position], *links.whole)
        return [*self._gathered({one for parents in links.each for one in parents}), *links.whole]

    def _gathered(self, places: Collection[Place]) -> list[Place]:
        """The places in order; all those of a port as one."""
        by_port: dict[tuple[NodeId, str], list[Place]] = {}
        for place in sorted(places):
            by_port.setdefault((place.node, place.port), []).append(place)
        return [
            one
            for (node, port), held in by_port.items()
            for one in ([self._whole(node, port)] if len(held) == self._batch(node, port).count else held)
        ]

    def links(self, node: NodeId, port: str) -> Links:
        """What the outputs of a port were made from."""
        if (node, port) not in self._links:
            self._links[node, port] = self._found(self._plan.nodes[node], port)
        return self._links[node, port]

    def _found(self, plan: NodePlan, port: str) -> Links:
        inputs = [one for one in plan.inputs if not one.ordering]
        if plan.kind is NodeKind.MERGE:
            return Links(each=self._merged(plan, inputs), whole=())
        if plan.kind is NodeKind.JOIN:
            return Links(each=self._joined(plan, inputs), whole=())
        if plan.kind is NodeKind.CATCH:
            return self._caught(plan, port)
        beside = tuple(self._whole(source.node, source.port) for one in inputs[1:] for source in self._filled(one))
        data = inputs[0] if inputs else None
        parents = self._parents(plan, port, data) if data is not None else None
        if parents is not None and data is not None:
            order = self._order(data)
            return Links(each=[(order[at],) if at < len(order) else () for at in parents], whole=beside)
        before = [self._whole(source.node, source.port) for source in self._filled(data)] if data is not None else []
        return Links(each=None, whole=(*before, *beside))

    def _parents(self, plan: NodePlan, port: str, data: Input) -> Sequence[int] | None:
        """The positions, among the data of a node, that its outputs came from."""
        batch = self._batch(plan.id, port)
        sources = self._filled(data)
        if len(sources) == 1 and batch.ref and batch == self._batch(sources[0].node, sources[0].port):
            return range(batch.count)  # it was passed on as it came
        if not batch.size:
            return ()
        content = self._fetcher.fetch(batch)
        if batch.kind == "table":
            return self._run.app.tables.parents(content)
        head = decode_head(content, batch.count)
        return head.firsts if head.parents is None and _is_in_place(plan, head) else head.parents

    def _filled(self, wanted: Input) -> list[Any]:
        return [source for source in wanted.sources if self._batch(source.node, source.port).size]

    def _tokens(self, source: Any) -> StoredItems:
        """The places of a batch in place of its values."""
        batch = self._batch(source.node, source.port)
        places = [Place(source.node, source.port, at, batch.count) for at in range(batch.count)]
        if batch.kind == "table":
            return StoredItems(values=places, scope=source.node)
        head = decode_head(self._fetcher.fetch(batch), batch.count)
        return StoredItems(values=places, scope=head.scope, origins=head.origins)

    def _order(self, wanted: Input) -> Sequence[Place]:
        """The places of what reached an input, in its order."""
        return self._arrived(wanted).values  # type: ignore[return-value]  # they are the places that went in

    def _arrived(self, wanted: Input) -> StoredItems:
        sources = self._filled(wanted)
        parts = [self._tokens(source) for source in sources]
        if not parts:
            return StoredItems(values=[], scope=START)
        if len(parts) == 1:
            return parts[0]
        if all(self._batch(source.node, source.port).kind == "table" for source in sources):
            return StoredItems(values=[place for part in parts for place in part.values], scope=parts[0].scope)
        return joined(parts, self._plan.rank.__getitem__)

    def _merged(self, plan: NodePlan, inputs: Sequence[Input]) -> list[tuple[Place, ...]]:
        names = [one.name for one in plan.inputs]
        one = merged(
            [self._arrived(wanted) for wanted in inputs],
            by=str(plan.config.get("by", "append")),
            prefer=[names.index(name) for name in plan.config.get("prefer", ())],
            scope=plan.id,
            rank=self._plan.rank.__getitem__,
        )
        return [(place,) for place in one.values if isinstance(place, Place)]

    def _joined(self, plan: NodePlan, inputs: Sequence[Input]) -> list[tuple[Place, ...]]:
        on = [plan.config["on"]] if isinstance(plan.config["on"], str) else list(plan.config["on"])
        orders = [self._order(wanted) for wanted in inputs]
        values = [list(self._fetcher.items(self._fetcher.given(wanted)).values) for wanted in inputs]
        rows = matched(values, on=on, how=plan.config["how"])
        return [tuple(order[at] for order, at in zip(orders, row, strict=True) if at is not None) for row in rows]

    def _caught(self, plan: NodePlan, port: str) -> Links:
        """What entered a piece and what failed of it there; both, as wholes, of a batch that failed as one."""
        entering, failed = _entered(plan)[0], plan.inputs[0]
        entered, batch = self._arrived(entering), self._batch(plan.id, port)
        given = decode_head(self._fetcher.fetch(batch), batch.count) if batch.size else entered
        if given.scope != entered.scope:
            sources = [*self._filled(failed), *self._filled(entering)]
            return Links(each=None, whole=tuple(self._whole(source.node, source.port) for source in sources))
        made = {entered.origin(at): [place] for at, place in enumerate(entered.values)}
        for part in map(self._tokens, self._filled(failed)):
            for at, place in enumerate(part.values if part.scope == entered.scope else ()):
                path = part.origin(at)
                made.setdefault(next((one for one in _prefixes(path) if one in made), path), []).append(place)
        each = [tuple(made[given.origin(at)]) for at in range(batch.count)]
        return Links(each=each, whole=())  # type: ignore[arg-type]  # the values are places

    def _after(self, place: Place) -> Sequence[Place]:
        found: list[Place] = []
        for node in self._takers.get((place.node, place.port), ()):
            for port in self._run.snapshot.outputs(node):
                found += self._made(node, port, place)
        return found

    def _made(self, node: NodeId, port: str, place: Place) -> Sequence[Place]:
        """The outputs of a port that a place is a parent of."""
        links, count = self.links(node, port), self._batch(node, port).count
        if not count:
            return ()
        in_whole = any((one.node, one.port) == (place.node, place.port) for one in links.whole)
        if links.each is None or in_whole:
            return (self._whole(node, port),)
        if (node, port) not in self._following:
            self._following[node, port] = _inverted(links.each)
        following = self._following[node, port]
        wanted = range(place.count) if place.position is None else (place.position,)
        made = {at for one in wanted for at in following.get(Place(place.node, place.port, one), ())}
        return self._gathered([Place(node, port, at, count) for at in made])

    def _ends(self, place: Place, after: Sequence[Place]) -> tuple[str, ...]:
        """Why a place leads no further by the nodes that took it."""
        reached = {one.node for one in after}
        takers = self._takers.get((place.node, place.port), ())
        return tuple(f"{node}: {_why(self._run, node)}" for node in takers if node not in reached)


def _is_in_place(plan: NodePlan, head: StoredItems) -> bool:
    """Whether the paths of the items that a node gave begin as those of the items that they were made from."""
    return plan.grain == "item" or (plan.kind is NodeKind.SUBWORKFLOW and head.scope != plan.id)


def _prefixes(path: Path) -> list[Path]:
    return [path[:length] for length in range(len(path), 0, -1)]


def _why(run: RunHandle, node: NodeId) -> str:
    record = run.snapshot.nodes.get(node)
    if record is None:
        return "not reached yet"
    if record.status is NodeStatus.SUCCEEDED:
        return "taken, and nothing came of it" if not run.snapshot.outputs(node) else "dropped"
    return str(record.status.value)


def _entered(plan: NodePlan) -> list[Input]:
    """What entered the piece whose failures a node catches."""
    if plan.kind is not NodeKind.CATCH:
        return []
    sources = tuple(Source(node=node, port=port) for node, port in plan.config["entered"])
    return [Input(name="entered", sources=sources)]


def _inverted(each: Sequence[tuple[Place, ...]]) -> dict[Place, list[int]]:
    found: dict[Place, list[int]] = {}
    for at, parents in enumerate(each):
        for place in parents:
            found.setdefault(place, []).append(at)
    return found


class _Held:
    """What is held at a place, in few words; a batch is read once."""

    def __init__(self, run: RunHandle) -> None:
        self._run = run
        self._items: dict[tuple[NodeId, str], Sequence[object]] = {}

    def __call__(self, place: Place) -> str:
        if place.position is None:
            return ""
        batch = self._run.snapshot.output(place.node, place.port)
        if batch.kind == "table":
            content = self._run.fetcher().fetch(batch)
            held: object = self._run.app.tables.rows(content, place.position, place.position + 1)[0]
        else:
            if (place.node, place.port) not in self._items:
                self._items[place.node, place.port] = decode_items(self._run.fetcher().fetch(batch)).values
            held = self._items[place.node, place.port][place.position]
        text = " ".join(_FEW_WORDS.repr(held).split())
        return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"

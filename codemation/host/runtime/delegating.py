"""Nodes that let runs of another workflow do the work: what those are started with, and what came of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from codemation.core.definition import Input
from codemation.core.engine import Stored
from codemation.core.errors import ChildFailed, LimitExceeded, NodeError, RunError, UnknownRun
from codemation.core.ids import MAIN, START, NodeId, RunId
from codemation.core.inputs import Door, Fetcher, Given, taken
from codemation.core.items import EMPTY, Batch, Item
from codemation.core.limits import Limits
from codemation.core.nesting import BATCH
from codemation.core.opening import OpenRun
from codemation.core.outputs import Outputs, failed_item, failure_of
from codemation.core.params import Params
from codemation.core.payload import StoredItems, encode_items
from codemation.core.signals import Suspended
from codemation.core.spelling import batch_row
from codemation.core.waits import Answer, Wait
from codemation.core.workflow import Workflow
from codemation.host.identity import new_run_id
from codemation.host.launching import encoded_params
from codemation.host.runtime.activity import Activity, Performed
from codemation.host.runtime.batchwise import computed_of, let_go
from codemation.host.runtime.fetching import fetched
from codemation.host.runtime.trouble import ItemFailed, trace_of

WHOLE = ""
"""The key of the one child that works on the whole batch."""


def perform_subworkflow(activity: Activity) -> Performed:
    """Ask for the runs that are missing still, or give what came of them.

    Raises:
        LimitExceeded: they would stand too deep.
        ItemFailed: the run of an item has failed, and the node fails with it.
        ChildFailed: so it is with the run of the whole batch.
    """
    first = next(iter(activity.inputs().values()))
    work: _Delegation = (_Whole if activity.node.config["per"] == BATCH else _Each)(activity, first)
    if waits := work.waits():
        return Suspended(activation=activity.claim.activation, attempt=activity.attempt, waits=tuple(waits)), None
    return work.gathered()


def asked_of(activity: Activity, item: int | None) -> tuple[Any, Params | None]:
    """The items and the params that a run would be started with: for all items, or for the one at a position.

    Raises:
        RunError: there is no such item.
    """
    first = next(iter(activity.inputs().values()))
    workflow: Workflow[Any, ...] = activity.code.model
    if activity.node.config["per"] == BATCH:
        whole = _Whole(activity, first)
        return whole.values(), workflow.params_of(whole.arguments())
    each = _Each(activity, first)
    position = item or 0
    if not 0 <= position < len(each.items):
        raise RunError(f'"{activity.node.id}" is given {len(each.items)} items, and none at position {position}')
    return [each.value(position, each.items[position])], workflow.params_of(each.arguments(each.items[position]))


class _Delegation(ABC):
    """What both ways to delegate share."""

    def __init__(self, activity: Activity, first: Given) -> None:
        self.activity = activity
        self.first = first
        self.workflow: Workflow[Any, ...] = activity.code.model
        self.known: Mapping[str, Answer] = activity.run.snapshot.answers.get(activity.claim.activation, {})

    @abstractmethod
    def waits(self) -> list[Wait]:
        """A wait for each run that has not ended yet."""

    @abstractmethod
    def gathered(self) -> Performed:
        """What came of the runs."""

    def is_missing(self, key: str) -> bool:
        """Whether nothing has come of a run yet, or it has failed and is tried again."""
        return key not in self.known or self.known[key].reply == "left"

    def wait(self, key: str, items: StoredItems | None, arguments: Mapping[str, Any]) -> Wait:
        """The wait for a run that is given these items, or the whole table that reached the node."""
        engine, workflow = self.activity.bench.engine, self.workflow
        limits, depth = self._limits()
        engine.persist(engine.stores.definitions.put, workflow.definition)  # whoever starts the run may not have it
        left = self._left(key)
        child = left or new_run_id()
        detail = {
            "child": child,
            "digest": workflow.digest,
            "params": encoded_params(workflow.params_of(arguments)),
            "input": batch_row(EMPTY if left else self._given(child, items, limits)),  # it has its input already
            "limits": limits.to_json(),
            "depth": depth,
            "cache": self.activity.uses_cache,
            "priority": self.activity.run.row.priority,
        }
        return Wait(key=key, kind="child", detail=detail | ({"again": True} if left else {}))

    def _limits(self) -> tuple[Limits, int]:
        """What a child may use, and how deep it stands."""
        snapshot, workflow = self.activity.run.snapshot, self.workflow
        limits = Limits.from_json(workflow.definition.limits).within(snapshot.limits)
        depth = snapshot.depth + 1
        if limits.depth is not None and depth > limits.depth:
            raise LimitExceeded(
                f'"{self.activity.node.id}" would start a run of "{workflow.id}" {depth} runs deep, '
                f"and the limit is {limits.depth}",
                way_out="nest fewer workflows, or raise the limit: cm.Limits(depth=…), within the host's settings",
            )
        return limits, depth

    def _left(self, key: str) -> RunId | None:
        """The run that has failed or was stopped and goes on, unless its code is another one now."""
        try:
            child = self.opened(RunId(self.known[key].who)) if key in self.known else None
        except UnknownRun:  # its parent was over before it was started
            return None
        return child.id if child and child.definition.digest == self.workflow.digest else None

    def _given(self, child: RunId, items: StoredItems | None, limits: Limits) -> Batch:
        """What a run is given, stored for it."""
        engine, first = self.activity.bench.engine, self.first
        stored: Stored = (first.table or b"", first.count, "table")
        if items is not None:
            stored = (encode_items(items), len(items.values), "items")
        if said := limits.objection(items=stored[1], payload=len(stored[0])):
            raise LimitExceeded(
                f'"{self.activity.node.id}" would give {said} to a run of "{self.workflow.id}"',
                way_out='give it less at a time (per="item"), or raise the limit: cm.Limits(…)',
            )
        return engine.persist(engine.stores.payloads.put, child, *stored)

    def opened(self, child: RunId) -> OpenRun:
        """A run, to read what became of it."""
        return self.activity.bench.engine.open(child)

    def failure(self, answer: Answer) -> ChildFailed | None:
        """Why a run has not succeeded; `None` if it has."""
        body = answer.body
        if body["status"] == "succeeded":
            return None
        child = self.opened(RunId(answer.who))
        broken = child.snapshot.failed()
        error = child.snapshot.nodes[broken[0]].error if broken else None
        said = f'"{broken[0]}": {error.type}: {error.message}' if error else body["reason"]
        ended = "was cancelled" if body["status"] == "cancelled" else "has failed"
        message = f'run {answer.who} of "{self.workflow.id}" {ended}{": " if said else ""}{said}'
        return ChildFailed(message, run=answer.who, way_out=f"codemation runs show {answer.who}")

    def results(self, answer: Answer) -> dict[str, tuple[Given, Fetcher]]:
        """What a run has given, by the port of this node that it goes to, with what reads it."""
        child = self.opened(RunId(answer.who))
        bench, outputs = self.activity.bench, child.definition.outputs
        fetch, files = partial(fetched, bench, child.id), self.activity.fetcher.files
        fetcher = Fetcher(snapshot=child.snapshot, fetch=fetch, tables=bench.tables, files=files)
        given = {name: fetcher.given(Input(name=name, sources=ends)) for name, ends in outputs.items()}
        return {MAIN if len(outputs) == 1 else name: (one, fetcher) for name, one in given.items()}


class _Whole(_Delegation):
    """One run for all items."""

    def waits(self) -> list[Wait]:
        if not self.is_missing(WHOLE):
            return []
        as_it_is = self.first.table is not None and self.workflow.input is None
        return [self.wait(WHOLE, None if as_it_is else self._checked(), self.arguments())]

    def arguments(self) -> dict[str, Any]:
        """The params that the run is given."""
        return self.activity.arguments({}, None) | computed_of(self.activity, self.first)

    def values(self) -> Sequence[Any]:
        """All items, as the workflow wants them."""
        activity, data = self.activity, self.activity.code.signature.data
        if data is None:
            raise LookupError(f'"{activity.node.id}" takes no items')
        values: list[Any] = taken(activity.fetcher, activity.node, data, self.first)
        return values

    def _checked(self) -> StoredItems:
        files = self.activity.fetcher.items(self.first).attachments
        return StoredItems(values=self.values(), scope=START, attachments=files)

    def gathered(self) -> Performed:
        activity, answer = self.activity, self.known[WHOLE]
        if error := self.failure(answer):
            judged, delay = activity.judged(error)
            if activity.node.policy.on_error == "fail" or delay is not None:
                raise error
            return let_go(activity, judged, list(activity.fetcher.items(self.first).values))
        outputs = activity.outputs()
        for port, (given, fetcher) in self.results(answer).items():
            if given.table is not None:
                outputs.packed[port] = activity.bench.tables.concat([given.table])
            else:
                self._emit(outputs, port, fetcher.wrapped(given), in_place=fetcher.items(given).scope == START)
        return activity.succeeded(outputs, self._scope())

    def _scope(self) -> NodeId:
        """Who has numbered the items that reached the node."""
        first = self.first
        return first.items.scope if first.items is not None else NodeId(first.key.rstrip(":"))

    def _emit(self, outputs: Outputs, port: str, items: list[Item[Any]], *, in_place: bool) -> None:
        """Give what came out; where the run has kept the places of what it was given, in the places that these had."""
        given = self.first.items
        for item in items:
            bare = Item(item.value, item.attachments)
            if not in_place:
                outputs.emit([(port, bare)])
                continue
            position, *rest = item.origins
            place = (position,) if given is None else given.origin(position)
            outputs.emit_of(position, [(port, Item(bare.value, bare.attachments, origins=(*place, *rest)))])


class _Each(_Delegation):
    """A run for each item."""

    def __init__(self, activity: Activity, first: Given) -> None:
        super().__init__(activity, first)
        self.items = activity.fetcher.wrapped(first)

    def waits(self) -> list[Wait]:
        missing = [(at, item) for at, item in enumerate(self.items) if self.is_missing(str(at))]
        return [wait for at, item in missing if (wait := self._wait(at, item)) is not None]

    def _wait(self, at: int, item: Item[Any]) -> Wait | None:
        """The wait for the run of an item; `None` if no run can be started with it, which is its failure."""
        try:
            arguments, value = self.arguments(item), self.value(at, item)
        except NodeError as error:
            if self.activity.node.policy.on_error == "fail":
                raise ItemFailed(at, error, self.activity.attempt) from error
            return None
        files = {0: item.attachments} if item.attachments else {}
        return self.wait(str(at), StoredItems(values=[value], scope=START, attachments=files), arguments)

    def value(self, at: int, item: Item[Any]) -> Any:
        """An item as the workflow wants it."""
        data = self.activity.code.signature.data
        return item.value if data is None else Door(self.activity.node, data).value(item.value, at)

    def arguments(self, item: Item[Any]) -> dict[str, Any]:
        """The params that the run of an item is given."""
        activity = self.activity
        computed = {name: one.of_item(item, activity.params) for name, one in activity.computed().items()}
        return activity.arguments({}, None) | computed

    def gathered(self) -> Performed:
        activity, outputs, failures = self.activity, self.activity.outputs(), 0
        for at, item in enumerate(self.items):
            error = self._error(at, item)
            if error is None:
                self._emit(outputs, at, item)
                continue
            judged, delay = activity.judged(error)
            if delay is not None:
                return activity.failure(judged, item=at, delay=delay), None
            if activity.node.policy.on_error == "fail":
                raise ItemFailed(at, judged, activity.attempt) from error
            failures += 1
            if activity.node.policy.on_error == "port":
                failure = failure_of(activity.node, item.value, judged, activity.attempt, trace_of(judged))
                port, failed = failed_item(failure, item)
                outputs.emit_of(at, [(port, failed)])
        return activity.succeeded(outputs, activity.fetcher.items(self.first).scope, failures=failures)

    def _error(self, at: int, item: Item[Any]) -> NodeError | None:
        """Why nothing came of an item; `None` if something did."""
        if str(at) in self.known:
            return self.failure(self.known[str(at)])
        try:
            self.arguments(item)
            self.value(at, item)
        except NodeError as error:
            return error
        return None

    def _emit(self, outputs: Outputs, at: int, item: Item[Any]) -> None:
        for port, (given, fetcher) in self.results(self.known[str(at)]).items():
            made = fetcher.wrapped(given)
            for number, one in enumerate(made):
                place = item.origins if len(made) == 1 else (*item.origins, number)
                outputs.emit_of(at, [(port, Item(one.value, one.attachments, origins=place))])

"""Nodes that are called once: for a whole batch, or as a source."""

from __future__ import annotations

from typing import Any

from codemation.core.definition import NodeKind
from codemation.core.errors import LimitExceeded
from codemation.core.ids import ERROR
from codemation.core.inputs import Given, taken
from codemation.core.items import Item
from codemation.core.outputs import NO_FILES, batch_outputs, failure_of
from codemation.core.tables import Derived, is_table
from codemation.host.runtime.activity import Activity, Performed, Stop
from codemation.host.runtime.calling import awaited, called, handed, outcome
from codemation.host.runtime.contexts import context_of
from codemation.host.runtime.pacing import pace_of
from codemation.host.runtime.passing import derived, part_passed_on, passed_on
from codemation.host.runtime.trouble import Interrupted, trace_of


def perform_batch(activity: Activity, stop: Stop) -> Performed:
    """Call the node's code once with all that reached it."""
    node, code = activity.node, activity.code
    given = activity.inputs()
    activity.meter.begin(node.id, None, part=activity.part)
    data, first = code.signature.data, next(iter(given.values()), None)
    place = "" if activity.shard is None else f"/{activity.shard.start}-{activity.shard.stop}"
    context = context_of(activity, stop, place) if activity.wants_context else None
    args, kwargs, named = (), activity.arguments(given, context), dict[str, Any]()
    entered, a_table = None, False
    if data and first:
        entered = taken(activity.fetcher, node, data, first)
        args, named = handed(data, entered)
        kwargs |= named
    try:
        kwargs |= computed_of(activity, first)
        if (pace := pace_of(activity, stop)) is not None:
            pace.wait()
        value = _answer(activity, args, kwargs, stop)
        args, kwargs, named = (), {}, {}  # a table that came is not needed beside the one that is stored now
        entered = None if (a_table := is_table(entered)) else entered
        if node.kind is NodeKind.TAP and first:
            return passed_on(activity, first) if activity.shard is None else part_passed_on(activity, first)
        if isinstance(value, Derived):
            return derived(activity, value, first)
        outputs = activity.outputs()
        batch_outputs(outputs, code, value, context.attachments if context else NO_FILES)
        return activity.succeeded(outputs)
    except Exception as error:
        judged, delay = activity.judged(error)
        if node.policy.on_error == "fail" or delay is not None or isinstance(error, LimitExceeded):
            raise
        if (a_table or is_table(entered)) and first:  # a failure is an item, and a table can be no part of one
            entered = list(activity.fetcher.items(first).values)
        return let_go(activity, judged, entered)


def computed_of(activity: Activity, first: Given | None) -> dict[str, Any]:
    """The arguments that are computed from the batch."""
    computed = activity.computed()
    if first is None or not computed:
        return {}
    batches = {name: taken(activity.fetcher, activity.node, one.takes, first) for name, one in computed.items()}
    return {name: one.of(batches[name], activity.params) for name, one in computed.items()}


def _answer(activity: Activity, args: tuple[Any, ...], kwargs: dict[str, Any], stop: Stop) -> Any:
    node, function, limit = activity.node, activity.code.function, activity.allowance.limit()
    if stop():
        raise Interrupted
    if activity.code.signature.asynchronous:
        return outcome(activity.bench.loop.run(awaited(node.id, limit, function, *args, **kwargs)), stop)
    return called(node.id, limit, function, *args, **kwargs)


def let_go(activity: Activity, error: Exception, entered: Any) -> Performed:
    """The batch as a whole is dropped, or goes to the `error` port as one failure."""
    outputs = activity.outputs()
    if activity.node.policy.on_error == "port":
        failure = failure_of(activity.node, entered, error, activity.attempt, trace_of(error))
        outputs.emit([(ERROR, Item(failure))])
    return activity.succeeded(outputs, failures=1)

"""Nodes that wait for the world: what they ask when they begin, and what they give when all is answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from codemation.core.answers import Decided, Received
from codemation.core.durations import seconds
from codemation.core.errors import ContractError, NodeError
from codemation.core.events import LONGEST_KEY
from codemation.core.expression import Computed
from codemation.core.ids import MAIN
from codemation.core.inputs import Door, Given, adapter, taken
from codemation.core.items import Item
from codemation.core.nodeplan import NodeKind
from codemation.core.outputs import Outputs, failed_item, failure_of
from codemation.core.pausing import KEYS, REJECTED, TIMEOUT, default_of
from codemation.core.signals import Suspended
from codemation.core.waits import Answer, Wait
from codemation.host.runtime.activity import Activity, Performed
from codemation.host.runtime.calling import handed
from codemation.host.runtime.passing import passed_on
from codemation.host.runtime.trouble import ItemFailed, trace_of

WHOLE = ""
"""The key of the one wait that stands for the whole batch."""


_FAR = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
"""What is later comes to the same, and is no date any more in some zone of the world."""


class Unanswered(NodeError):
    """Nobody has answered in time."""


def perform_waiting(activity: Activity) -> Performed:
    """Ask the world what has not been answered yet, or give what it has answered.

    Raises:
        ItemFailed: an item waited in vain, and the node fails with it.
    """
    given = activity.inputs()
    first = next(iter(given.values()))
    match activity.node.kind:
        case NodeKind.WAIT:
            return _wait(activity, first)
        case NodeKind.APPROVE:
            return _approve(activity, first)
        case _:
            return _wait_for_event(activity, first)


def _answers(activity: Activity) -> Mapping[str, Answer]:
    return activity.run.snapshot.answers.get(activity.claim.activation, {})


def _suspended(activity: Activity, waits: list[Wait]) -> Performed:
    return Suspended(activation=activity.claim.activation, attempt=activity.attempt, waits=tuple(waits)), None


# --- wait ------------------------------------------------------------------------------------------------------------


def _wait(activity: Activity, first: Given) -> Performed:
    """Wait once for all items, until the latest of their times."""
    known = _answers(activity)
    if not known and first.count:
        return _suspended(activity, [_latest(activity, first)])
    return passed_on(activity, first)


def _latest(activity: Activity, first: Given) -> Wait:
    until: Any = activity.arguments({}, None).get("until")
    computed = activity.computed().get("until")
    times = [until] if computed is None else _each(activity, computed, activity.fetcher.wrapped(first))
    delays = [_delay(activity, one) for one in times if not isinstance(one, datetime)]
    dates = [_moment(activity, one) for one in times if isinstance(one, datetime)]
    return Wait(key=WHOLE, kind="timer", delay=max(delays, default=None), until=max(dates, default=None))


def _each(activity: Activity, computed: Computed, items: list[Item[Any]]) -> list[Any]:
    return [computed.of_item(item, activity.params) for item in items]


def _delay(activity: Activity, given: str | timedelta) -> float:
    try:
        return seconds(given)
    except ValueError as error:
        raise ContractError(f'"{activity.node.id}" cannot wait: {error}') from None


def _moment(activity: Activity, given: datetime) -> float:
    if given.tzinfo is None:
        said = f'"{activity.node.id}" cannot wait until {given}, which has no time zone'
        raise ContractError(said, way_out="datetime(2027, 1, 31, 9, tzinfo=UTC)")
    return min(max(given.timestamp(), 0.0), _FAR)


# --- approve ---------------------------------------------------------------------------------------------------------


def _approve(activity: Activity, first: Given) -> Performed:
    config, known = activity.node.config, _answers(activity)
    items = activity.fetcher.wrapped(first)
    whole = config["per"] == "batch"
    keys = [WHOLE if whole else str(at) for at in range(len(items))]
    asked = [(key, item) for key, item in zip(keys, items, strict=True) if key not in known]
    if asked and whole:
        return _suspended(activity, [_question(activity, WHOLE, _shown_to_all(activity, first))])
    if asked:
        return _suspended(activity, [_question(activity, key, _shown(activity, item)) for key, item in asked])
    outputs = activity.outputs()
    numbered = enumerate(zip(keys, items, strict=True))
    failures = sum(_decide(activity, outputs, at, item, known[key]) for at, (key, item) in numbered)
    return activity.succeeded(outputs, activity.fetcher.items(first).scope, failures=failures)


def _question(activity: Activity, key: str, shown: Mapping[str, Any]) -> Wait:
    return Wait(key=key, kind="approval", delay=activity.node.config["expires"], detail=shown)


def _shown(activity: Activity, item: Item[Any]) -> dict[str, Any]:
    """What people are shown of one item: the verb's arguments, those that are computed from it included."""
    computed = {name: one.of_item(item, activity.params) for name, one in activity.computed().items()}
    return {**activity.arguments({}, None), **computed}


def _shown_to_all(activity: Activity, first: Given) -> dict[str, Any]:
    shown = activity.arguments({}, None)
    for name, one in activity.computed().items():
        shown[name] = one.of(taken(activity.fetcher, activity.node, one.takes, first), activity.params)
    return shown


def _decide(activity: Activity, outputs: Outputs, at: int, item: Item[Any], answer: Answer) -> bool:
    """Send an item the way that was decided; says whether it failed instead."""
    on_expiry, form = activity.node.config["on_expiry"], activity.code.model
    approved = answer.reply == "approved" or (answer.reply == "fired" and on_expiry == "accept")
    try:
        if answer.reply == "fired" and on_expiry == "fail":
            raise Unanswered(f'nobody has decided about item {at} of "{activity.node.id}" in time')
        body = answer.body if answer.reply != "fired" else None
        decision = default_of(form) if body is None else _read(activity, form, body)
    except NodeError as error:
        return _fail(activity, outputs, at, item, error)
    value = Decided(
        item=item.value, decision=decision, approved=approved, by=answer.who, at=datetime.fromtimestamp(answer.at, UTC)
    )
    outputs.emit([(MAIN if approved else REJECTED, Item(value, item.attachments, origins=item.origins))])
    return False


def _read(activity: Activity, model: Any, body: Any) -> Any:
    if model is None:
        return None
    try:
        return adapter(model).validate_python(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        said = f'what was answered to "{activity.node.id}" does not fit the code as it is now: {place}: {first["msg"]}'
        raise ContractError(said) from None


# --- wait_for_event --------------------------------------------------------------------------------------------------


def _wait_for_event(activity: Activity, first: Given) -> Performed:
    known, items = _answers(activity), activity.fetcher.wrapped(first)
    outputs = activity.outputs()
    waits = [_expected(activity, at, item) for at, item in enumerate(items) if str(at) not in known]
    if waits:
        return _suspended(activity, waits)
    failures = sum(_receive(activity, outputs, at, item, known[str(at)]) for at, item in enumerate(items))
    return activity.succeeded(outputs, activity.fetcher.items(first).scope, failures=failures)


def _expected(activity: Activity, at: int, item: Item[Any]) -> Wait:
    """The wait of one item, by the key that its author computes from it."""
    data, config = activity.code.signature.data, activity.node.config
    if data is None:
        raise LookupError(f'the key of "{activity.node.id}" takes no item')
    try:
        value = Door(activity.node, data).value(item.value, at)
        wrapped = Item(value, item.attachments, key=item.key, origins=item.origins)
        args, named = handed(data, wrapped if data.wrapped else value)
        key = _key(activity, at, activity.code.function(*args, **{**activity.arguments({}, None), **named}))
    except Exception as error:
        raise ItemFailed(at, error, activity.attempt) from error
    return Wait(
        key=str(at), kind="event", wakes=f"{config['event']}:{key}", delay=config["timeout"], detail={"key": key}
    )


def _key(activity: Activity, at: int, key: object) -> str:
    if not isinstance(key, KEYS):
        raise ContractError(f'"{activity.node.id}" computes {key!r} from item {at}, which is no key')
    name = str(key)
    if len(name.encode(errors="replace")) > LONGEST_KEY:
        said = f'"{activity.node.id}" computes a key of {len(name):,} characters from item {at}'
        raise ContractError(said, way_out=f"a key has at most {LONGEST_KEY:,} bytes: take its digest, or an id")
    return name


def _receive(activity: Activity, outputs: Outputs, at: int, item: Item[Any], answer: Answer) -> bool:
    if answer.reply == "fired" and TIMEOUT in activity.node.ports:
        outputs.emit([(TIMEOUT, item)])
        return False
    try:
        if answer.reply == "fired":
            event = activity.node.config["event"]
            raise Unanswered(f'no event "{event}" has come for item {at} of "{activity.node.id}" in time')
        payload = _read(activity, activity.code.model.model, answer.body)
    except NodeError as error:
        return _fail(activity, outputs, at, item, error)
    value = Received(item=item.value, event=payload, at=datetime.fromtimestamp(answer.at, UTC))
    outputs.emit([(MAIN, Item(value, item.attachments, origins=item.origins))])
    return False


def _fail(activity: Activity, outputs: Outputs, at: int, item: Item[Any], error: NodeError) -> bool:
    """An item that waited in vain: it fails the node, is dropped, or goes to the error port."""
    policy = activity.node.policy
    if policy.on_error == "fail":
        raise ItemFailed(at, error, activity.attempt) from error
    if policy.on_error == "port":
        failure = failure_of(activity.node, item.value, error, activity.attempt, trace_of(error))
        outputs.emit([failed_item(failure, item)])
    return True

"""The verbs that wait for the world, `wait`, `approve` and `wait_for_event`: how they are written and read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import PydanticUserError, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

from codemation.core.annotations import fits, readable
from codemation.core.answers import Decided, Received
from codemation.core.binding import Binding
from codemation.core.code import code_of, code_of_model
from codemation.core.durations import seconds
from codemation.core.events import NamedEvent
from codemation.core.expression import Computed
from codemation.core.forks import Piece, followed
from codemation.core.ids import ERROR, MAIN, NodeId
from codemation.core.inputs import adapter
from codemation.core.items import Failure
from codemation.core.mistakes import listed, meant
from codemation.core.nodeplan import NodeKind, NodePlan
from codemation.core.policies import Report, conduct, shared
from codemation.core.roles import signature_of
from codemation.core.signature import NodeCode, Shape, Signature
from codemation.core.steps import End, Stand, Step
from codemation.core.verbs import stepped
from codemation.core.wiring import Outlets, Wiring, described

WAITING = (NodeKind.WAIT, NodeKind.APPROVE, NodeKind.WAIT_FOR_EVENT)
REJECTED, TIMEOUT = "rejected", "timeout"
KEYS = (str, int, UUID)
EXPIRIES = ("reject", "accept", "fail")
PERS = ("item", "batch")


def wait(_item: Any, *, until: str | timedelta | datetime) -> Any:
    """Wait for a while, or until a time."""


def approve(_item: Any, *, title: str = "", to: Sequence[str] = ()) -> Any:
    """Ask people about one item."""


def approve_all(_items: list[Any], *, title: str = "", to: Sequence[str] = ()) -> Any:
    """Ask people about all items at once."""


def waited(stand: Stand, until: object, *, id: str | None) -> Stand:
    """Let the items wait."""
    _, after = stepped(stand, NodeKind.WAIT, wait, id=id, arguments={"until": until})
    return after


def asked(stand: Stand, form: object, branch: Piece | None, **written: Any) -> Stand:
    """Let people decide; what they reject goes its own way."""
    id_ = written.pop("id") or "approve"
    arguments = {name: written.pop(name) for name in ("title", "to") if name in written}
    defaults = {"expires": None, "on_expiry": EXPIRIES[0], "per": PERS[0]}
    if unknown := written.keys() - defaults.keys():
        raise TypeError(f"approve() got an unexpected keyword argument {min(unknown)!r}")
    config = {"form": form, **defaults, **written}
    does = approve_all if config["per"] == "batch" else approve
    ports = (MAIN, REJECTED)
    step, _ = stepped(stand, NodeKind.APPROVE, does, id=id_, arguments=arguments, ports=ports, config=config)
    return _forked(stand, step, REJECTED, branch)


def awaited(stand: Stand, event: object, branch: Piece | None, **written: Any) -> Stand:
    """Let the items wait for an event; those that wait in vain go their own way."""
    config = {"event": event, "timeout": written.pop("timeout")}
    ports = (MAIN,) if branch is None else (MAIN, TIMEOUT)
    id_ = written.pop("id") or "wait_for_event"
    step, _ = stepped(stand, NodeKind.WAIT_FOR_EVENT, written.pop("key"), id=id_, ports=ports, config=config)
    return _forked(stand, step, TIMEOUT, branch)


def _forked(stand: Stand, step: Step, port: str, branch: Piece | None) -> Stand:
    after = stand.at([End(step=step)])
    if branch is None:
        return after
    way = followed(stand.at([End(step=step, port=port, label=port)]), port, branch)
    return stand.at([*after.ends, *way.ends], way)


def read(
    step: Step, function: Callable[..., Any], code: dict[NodeId, NodeCode], wiring: Wiring, report: Report
) -> NodePlan:
    """A step that waits as a node, whose code is entered into `code`; what is wrong with it is reported."""
    signature = signature_of(step, function, report)
    binding = Binding(step=step, signature=signature, wiring=wiring, report=report)
    binding.bind()
    if step.kind is NodeKind.WAIT_FOR_EVENT:
        _check_key(step, signature, report)
    manner = conduct(step.id, shared(step.draft.defaults), report)
    given = _gives(step, binding.arriving)
    if manner.policy.on_error == "port":
        failure: Any = Failure  # an alias that is made at run time
        given[ERROR] = failure[binding.arriving]
    wiring.outlets[step] = Outlets(gives=given)
    computing = {name: one.function for name, one in binding.arguments.items() if isinstance(one, Computed)}
    plan = NodePlan(
        id=NodeId(step.id),
        kind=step.kind,
        inputs=tuple(binding.inputs),
        ports=tuple(given),
        grain="batch" if step.kind is NodeKind.WAIT or step.config.get("per") == "batch" else "item",
        policy=manner.policy,
        config={**_configured(step, binding.arguments, report), **binding.config},
        code=_code(step, computing),
        title=manner.title,
        icon=manner.icon,
        types=described(binding.taken, "in") | described(given, "out"),
        groups=step.groups,
        place=str(step.place),
    )
    code[plan.id] = NodeCode(
        function=function,
        signature=signature,
        arguments=binding.arguments,
        retry=manner.retry,
        model=step.config.get("event", step.config.get("form")),
    )
    return plan


def _gives(step: Step, arriving: Any) -> dict[str, Any]:
    """The type of an item by port."""
    match step.kind:
        case NodeKind.APPROVE:
            form = step.config["form"]
            decided: Any = Decided  # an alias that is made at run time
            given = decided[arriving, form if isinstance(form, type) else None]
            return {MAIN: given, REJECTED: given}
        case NodeKind.WAIT_FOR_EVENT:
            event, received = step.config["event"], Received
            model = event.model if isinstance(event, NamedEvent) else Any
            alias: Any = received
            return {MAIN: alias[arriving, model]} | ({TIMEOUT: arriving} if TIMEOUT in step.ports else {})
        case _:
            return {MAIN: arriving}


def _code(step: Step, computing: Mapping[str, Callable[..., Any]]) -> str:
    """The digest of what the author has written for it; empty where that is nothing."""
    functions = [computing[name] for name in sorted(computing)]
    if step.kind is NodeKind.WAIT_FOR_EVENT:
        functions.append(step.does)
    model = step.config.get("form", getattr(step.config.get("event"), "model", None))
    parts = [code_of(function) for function in functions] + ([] if model is None else [code_of_model(model)])
    return hashlib.sha256("\n".join(parts).encode()).hexdigest() if parts else ""


def _check_key(step: Step, signature: Signature, report: Report) -> None:
    """Report a key function that does not compute one key from one item."""
    result = signature.result
    if signature.asynchronous:
        report(f'the key of "{step.id}" is asynchronous', "compute it in a node before, and pass it on in the item")
    elif result.shape is not Shape.ONE or not any(fits(result.item_type, kind) for kind in KEYS):
        given = readable(result.item_type)
        report(f'the key of "{step.id}" is {given}, and an event is found by a text', "key=lambda item: item.id")


def _configured(step: Step, arguments: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """What the verb itself was told, as JSON; whatever does not fit is reported."""
    match step.kind:
        case NodeKind.WAIT:
            _check_time(step, arguments.get("until"), report)
            return {}
        case NodeKind.APPROVE:
            return _approval(step, report)
        case _:
            return _event(step, report)


def _check_time(step: Step, until: object, report: Report) -> None:
    what = f'"{step.id}" waits until {until!r}, which '
    if isinstance(until, datetime) and until.tzinfo is None:
        report(f"{what}has no time zone", "datetime(2027, 1, 31, 9, tzinfo=UTC)")
    elif isinstance(until, str | timedelta):
        _duration(step, "wait", until, report)


def _approval(step: Step, report: Report) -> dict[str, Any]:
    form, per, on_expiry = step.config["form"], step.config["per"], step.config["on_expiry"]
    expires = _duration(step, "expires=", step.config["expires"], report)
    schema = None if form is None else _schema(step, form, report)
    for name, value, known in (("per", per, PERS), ("on_expiry", on_expiry, EXPIRIES)):
        if value not in known:
            way_out = meant(value, known, f"give {listed([repr(one) for one in known])}")
            report(f'{name}={value!r} of "{step.id}" is unknown', way_out)
    if on_expiry == "accept" and schema is not None and not _makes_itself(form):
        what = f'"{step.id}" accepts what nobody has decided, and {readable(form)} has fields without a default'
        report(what, 'give its fields defaults, or on_expiry="reject"')
    return {"per": per, "expires": expires, "on_expiry": on_expiry, "form": schema}


def _event(step: Step, report: Report) -> dict[str, Any]:
    event = step.config["event"]
    if not isinstance(event, NamedEvent):
        report(f'"{step.id}" waits for {event!r}, which is no event', 'paid = cm.event("payment.received", Payment)')
    timeout = _duration(step, "timeout=", step.config["timeout"], report)
    if TIMEOUT in step.ports and timeout is None:
        report(f'"{step.id}" has a branch for when the time is over, and no time', 'timeout="7d"')
    return {"event": getattr(event, "name", ""), "timeout": timeout}


def _duration(step: Step, name: str, given: Any, report: Report) -> float | None:
    if given is None:
        return None
    try:
        return seconds(given)
    except ValueError as error:
        report(f'{name} of "{step.id}": {error}', 'write it as "48h", or a timedelta')
        return None


def _schema(step: Step, form: Any, report: Report) -> dict[str, Any] | None:
    try:
        return TypeAdapter(form).json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError) as error:
        said = str(error).split("\n", maxsplit=1)[0]
        report(f'the form of "{step.id}", {readable(form)}, cannot be shown to people: {said}', "give a pydantic model")
        return None


def default_of(form: Any) -> Any:
    """What a form says when nobody fills it in; `None` where it has to be filled in, or there is none."""
    return adapter(form).validate_python({}) if form is not None and _makes_itself(form) else None


def _makes_itself(form: Any) -> bool:
    try:
        adapter(form).validate_python({})
    except ValueError:
        return False
    return True

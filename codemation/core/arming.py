"""From triggers as written to triggers as data: each is checked, and whatever is wrong is reported at its place."""

from __future__ import annotations

import ast
import inspect
import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import FunctionType
from typing import Any

from cronsim import CronSim, CronSimError
from pydantic import ValidationError

from codemation.core.code import code_of
from codemation.core.durations import readable as readable_time
from codemation.core.durations import seconds
from codemation.core.hints import parameters_of
from codemation.core.mistakes import listed, meant, near
from codemation.core.names import ID_RULE, is_id
from codemation.core.params import Params
from codemation.core.places import Place
from codemation.core.policies import Report
from codemation.core.sources import written
from codemation.core.triggerplan import TriggerPlan
from codemation.core.triggers import Auth, Poll, Trigger
from codemation.core.values import Unstorable, encode

Config = dict[str, Any]

CHOICES: Mapping[str, tuple[str, ...]] = {
    "overlap": ("queue", "skip", "replace"),
    "catch_up": ("skip", "latest", "all"),
    "outcome": ("succeeded", "failed", "any"),
    "respond": ("now", "result", "node"),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SIZES: Mapping[str, int] = {"": 1, "B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_SIZE = re.compile(r"(\d+) ?([A-Z]*)")
_PATH = re.compile(r"(/[\w.~-]+)+")


def armed(trigger: object, params: Any, report: Report) -> TriggerPlan | None:
    """The trigger as data; `None` once it has been reported that it is none."""
    if not isinstance(trigger, Trigger):
        way_out = "cm.cron(…), cm.every(…), cm.watch(…), cm.webhook(…), dataset.written() or workflow.finished()"
        report(f".on() takes triggers, and {trigger!r} is none", way_out)
        return None
    config = dict(trigger.config)
    for name, allowed in CHOICES.items():
        if name in config and config[name] not in allowed:
            what = f"{name}={config[name]!r} of {trigger.spelling} is no {name}"
            report(what, meant(config[name], allowed, f"give {listed([repr(one) for one in allowed])}"))
    said = _CHECKS[trigger.kind](trigger, config, report)
    if isinstance(params, type) and issubclass(params, Params):
        _check_params(trigger, params, report)
    values = trigger.params if isinstance(trigger.params, Mapping) else {}
    return TriggerPlan(
        kind=trigger.kind,
        config=config,
        params=_stored(trigger, values, report),
        code=_code(trigger),
        said=said,
        place=str(trigger.place),
    )


def all_armed(
    triggers: Sequence[object], params: Any, reporter: Callable[[Place], Report], place: Place
) -> list[TriggerPlan]:
    """The triggers of a workflow, begun at a place, as data."""
    plans: list[TriggerPlan] = []
    for trigger in triggers:
        report = reporter(trigger.place if isinstance(trigger, Trigger) else place)
        plan = armed(trigger, params, report)
        if plan is None:
            continue
        if any((other.kind, other.config) == (plan.kind, plan.config) for other in plans):
            report(f"{trigger!r} is given twice", "leave out one of them")
        plans.append(plan)
    return plans


def _cron(trigger: Trigger, config: Config, report: Report) -> str:
    expression, zone = config["expression"], config["timezone"]
    _check_zone(trigger, zone, report)
    try:
        # Only the expression is looked at; the time that is counted from is of no account. Seconds are not taken.
        fields = expression if isinstance(expression, str) and len(expression.split()) == 5 else ""
        return f"{CronSim(fields, _EPOCH).explain()}, {zone}"
    except CronSimError as error:
        way_out = f'{error}; write minute hour day month weekday, such as "0 6 * * MON-FRI" for six on working days'
        report(f"{expression!r} of cm.cron is no cron expression", way_out)
        return ""


def _check_zone(trigger: Trigger, zone: object, report: Report) -> None:
    try:
        zoneinfo.ZoneInfo(str(zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        way_out = meant(zone, zoneinfo.available_timezones(), 'name one as in "Europe/Berlin"')
        report(f"timezone={zone!r} of {trigger.spelling} is unknown", way_out)


def _every(trigger: Trigger, config: Config, report: Report) -> str:
    return f"every {_duration(trigger, config, report)}"


def _watch(trigger: Trigger, config: Config, report: Report) -> str:
    glob = config["glob"]
    if not isinstance(glob, str) or not glob.strip():
        report(f"{trigger.spelling} names no files", 'cm.watch("inbox/*.csv")')
    _duration(trigger, config, report)
    return f"files {glob}"


def _webhook(trigger: Trigger, config: Config, report: Report) -> str:
    path, methods, auth = config["path"], config["methods"], config["auth"]
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        report(f"{path!r} of cm.webhook is no path", 'cm.webhook("/orders"): a / and words, as often as you like')
    config["methods"] = [methods] if isinstance(methods, str) else list(methods)
    for method in config["methods"]:
        if method not in METHODS:
            way_out = meant(str(method).upper(), METHODS, f"give some of {listed(METHODS)}")
            report(f"methods= of {trigger.spelling} has {method!r}", way_out)
    if not config["methods"]:
        report(f"{trigger.spelling} has no methods", 'methods=["POST"]')
    if auth is not None and not isinstance(auth, Auth):
        report(f"auth={auth!r} of {trigger.spelling} is no auth", "cm.hmac(name) or cm.token(name)")
        auth = None
    config["auth"] = None if auth is None else {"kind": auth.kind, "secret": auth.secret}
    config["max_size"] = _size(trigger, config["max_size"], report)
    guarded = "" if auth is None else f" ({auth.kind})"
    return f"{' or '.join(map(str, config['methods']))} {path}{guarded}"


def _size(trigger: Trigger, size: object, report: Report) -> int:
    if isinstance(size, int) and not isinstance(size, bool) and size > 0:
        return size
    found = _SIZE.fullmatch(size.strip().upper()) if isinstance(size, str) else None
    if found and found[2] in SIZES and int(found[1]):
        return int(found[1]) * SIZES[found[2]]
    report(f"max_size={size!r} of {trigger.spelling} is no size", 'write it like "500KB" or "25MB", or as bytes')
    return 0


def _dataset(_trigger: Trigger, config: Config, report: Report) -> str:
    if not is_id(config["name"]):
        report(f"{config['name']!r} cannot be the name of a dataset", ID_RULE)
    return f"{config['name']} is written"


def _finished(_trigger: Trigger, config: Config, _report: Report) -> str:
    ends = {"any": "finished"}
    return f"{config['workflow']} has {ends.get(config['outcome'], config['outcome'])}"


def _poll(trigger: Trigger, config: Config, report: Report) -> str:
    function = trigger.function if isinstance(trigger, Poll) else None
    takes = [one for one in parameters_of(function) if one.default is one.empty] if function is not None else []
    if len(takes) != 1:
        way_out = "def inbox(state: State) -> Iterator[Mail]: …"
        report(f"{trigger.spelling} is given its state, and has {len(takes)} parameters that want something", way_out)
    if inspect.iscoroutinefunction(function):
        report(f"{trigger.spelling} gives no items by itself", "make it a generator: yield each item")
    return f"{trigger.spelling.removeprefix('@cm.')} every {_duration(trigger, config, report)}"


_CHECKS: Mapping[str, Callable[[Trigger, Config, Report], str]] = {
    "cron": _cron,
    "every": _every,
    "watch": _watch,
    "webhook": _webhook,
    "dataset": _dataset,
    "finished": _finished,
    "poll": _poll,
}


def _duration(trigger: Trigger, config: Config, report: Report) -> str:
    try:
        config["every"] = seconds(config["every"])
    except ValueError as error:
        report(f"every={config['every']!r} of {trigger.spelling} is no time", str(error))
        config["every"] = 0
    return readable_time(config["every"])


def _check_params(trigger: Trigger, model: type[Params], report: Report) -> None:
    """Report params that the runs of a trigger would be started without, or with too many."""
    known = _known_names(trigger.params)
    if known is None:
        return
    for name in known:
        if name not in model.model_fields:
            way_out = meant(name, model.model_fields, f"there are: {listed(model.model_fields)}")
            report(f"{trigger.spelling} gives {name}, and {model.__name__} has no such param", way_out)
    guessed = {near(name, model.model_fields) for name in known if name not in model.model_fields}
    missing = [name for name, one in model.model_fields.items() if one.is_required() and name not in {*known, *guessed}]
    if missing:
        given = ", ".join(f'"{name}": …' for name in missing)
        way_out = f"params={{{given}}}, or a function that gives them, or a default in {model.__name__}"
        if not trigger.takes_params:
            way_out = f"give {listed(missing)} a default in {model.__name__}"
        report(f"{trigger.spelling} leaves {listed(missing)} of {model.__name__} unset", way_out)
    if isinstance(trigger.params, Mapping):
        _check_values(trigger, model, trigger.params, report)


def _check_values(trigger: Trigger, model: type[Params], values: Mapping[str, Any], report: Report) -> None:
    try:
        model.model_validate(dict(values))
    except ValidationError as error:
        for one in error.errors(include_url=False):
            name = one["loc"][0] if one["loc"] else ""
            if name in values and one["type"] != "extra_forbidden":
                report(f"{trigger.spelling} gives {name}={values[str(name)]!r}, which does not fit", one["msg"])


def _known_names(params: Any) -> Sequence[str] | None:
    """The names of the params that are given; `None` when only a run will tell."""
    if params is None:
        return ()
    if isinstance(params, Mapping):
        return list(params)
    source = written(params) if isinstance(params, FunctionType) else None
    if source is None:
        return None
    tree = ast.parse(source.text)
    gives = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)]
    gives += [node.body for node in ast.walk(tree) if isinstance(node, ast.Lambda)][:1]
    names = [_keys(one) for one in gives]
    if not names or None in names:
        return None
    return [name for name in names[0] or () if all(name in (others or ()) for others in names)]


def _keys(given: ast.expr | None) -> list[str] | None:
    """The keys of a record that is written out; `None` where it is none, or not all of it."""
    keys = given.keys if isinstance(given, ast.Dict) else [None]
    return [str(key.value) for key in keys if isinstance(key, ast.Constant)] if None not in keys else None


def _stored(trigger: Trigger, values: Mapping[str, Any], report: Report) -> Config:
    try:
        return {name: encode(value) for name, value in values.items()}
    except Unstorable as error:
        report(f"params= of {trigger.spelling} cannot be stored: {error.message}", "give them by a function")
        return {}


def _code(trigger: Trigger) -> str:
    functions = {"params": trigger.params} if callable(trigger.params) else {}
    if isinstance(trigger, Poll):
        functions |= {"poll": trigger.function, **({} if trigger.key is None else {"key": trigger.key})}
    first = next(iter(functions.values()), None)
    return "" if first is None else code_of(first, functions)

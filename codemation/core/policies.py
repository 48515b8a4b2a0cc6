"""From the options of a node to its policy, for checkers are not always run over what authors write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from codemation.core.definition import Policy, RetryPlan
from codemation.core.durations import seconds
from codemation.core.mistakes import listed, meant
from codemation.core.names import ID_RULE, is_id
from codemation.core.node import NodeOptions
from codemation.core.rates import spacing
from codemation.core.retry import Retry
from codemation.core.triggers import Dataset

Report = Callable[[str, str], None]
"""Notes a mistake: what is wrong, and the way out."""

MOST_URGENT = 100_000
"""No work goes before the folding of an inbox, which may say that it is to stop."""
PRIORITY_RULE = f"give a whole number between -{MOST_URGENT:,} and {MOST_URGENT:,}; higher goes first"
ONCE = Retry(attempts=1)
OUTCOMES = ("fail", "drop", "port")
_SWITCHES = ("keep_attachments", "run_on_empty", "continue_when_empty", "cache")
_OWN = ("id", "title", "icon", "writes", "shards", "shard_size")
"""Options that make no sense for several nodes at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a node works: its policy as data, and what only its executor knows."""

    policy: Policy
    retry: Retry = ONCE
    title: str = ""
    icon: str = ""
    writes: str = ""


def conduct(node: str, settings: Mapping[str, Any], report: Report) -> Conduct:
    """The options of a node as its conduct; what does not fit is reported and left out."""
    options = {name: value for name, value in settings.items() if _is_right(node, name, value, report)}
    if "shards" in options and "shard_size" in options:
        report(f'"{node}" has both shards= and shard_size=', "give one of them: how many parts, or how large they are")
    retry = options.get("retry", ONCE)
    timeout, total_timeout = options.get("timeout"), options.get("total_timeout")
    return Conduct(
        policy=Policy(
            retry=retry.plan if retry.attempts > 1 else RetryPlan(),
            timeout=None if timeout is None else seconds(timeout),
            total_timeout=None if total_timeout is None else seconds(total_timeout),
            concurrency=options.get("concurrency", 1),
            shards=options.get("shards", 0),
            shard_size=options.get("shard_size", 0),
            on_error=options.get("on_error", "fail"),
            queue=options.get("queue", "default"),
            rate=options.get("rate", ""),
            pool=options.get("pool", ""),
            priority=options.get("priority", 0),
            **{name: options.get(name, False) for name in _SWITCHES},
        ),
        retry=retry,
        title=options.get("title", ""),
        icon=options.get("icon", ""),
        writes=options["writes"].name if "writes" in options else "",
    )


def check_defaults(defaults: Mapping[str, Any], report: Report) -> None:
    """Report the options that a workflow cannot set for all of its nodes."""
    for name in defaults:
        if name in _OWN:
            report(f"defaults= has {name!r}, which only one node can have", f"give it to that node: @cm.node({name}=…)")


def shared(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a workflow sets for all of its nodes."""
    return {name: value for name, value in defaults.items() if name not in _OWN}


def _is_right(node: str, name: str, value: object, report: Report) -> bool:
    if name not in NodeOptions.__annotations__:
        options = list(NodeOptions.__annotations__)
        report(f'"{node}" has no option {name!r}', meant(name, options, f"the options are {listed(options)}"))
        return False
    wanted = _objection(name, value)
    if wanted:
        report(f'{name}={value!r} of "{node}" is no {name}', wanted)
    return not wanted


def _objection(name: str, value: object) -> str:
    """What the option must be; empty when it is."""
    match name:
        case "retry":
            return "" if isinstance(value, Retry) else "write it as cm.Retry(5)"
        case "timeout" | "total_timeout" | "rate":
            return _refused(spacing if name == "rate" else seconds, value)
        case "concurrency" | "shards" | "shard_size":
            return "" if _is_number(value, least=1) else "give a whole number, 1 or more"
        case "priority":
            return "" if is_priority(value) else PRIORITY_RULE
        case "on_error":
            return "" if value in OUTCOMES else 'give "fail", "drop", "port", a node or a branch'
        case "queue" | "pool":
            return "" if isinstance(value, str) and value else f"give the name of a {name}"
        case "title" | "icon":
            return "" if isinstance(value, str) else "give a text"
        case "writes":
            named = isinstance(value, Dataset) and is_id(value.name)
            return "" if named else f'give cm.dataset("name"); {ID_RULE}'
        case "id":
            return ""  # looked at where all ids are
        case _:
            return "" if isinstance(value, bool) else "give True or False"


def is_priority(value: object) -> bool:
    """Whether this can be the priority of a node or a run."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_URGENT


def _is_number(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def no_duration(value: Any) -> str:
    """What a duration must be; empty when it is one."""
    return _refused(seconds, value)


def _refused(read: Callable[[Any], float], value: Any) -> str:
    try:
        read(value)
    except ValueError as error:
        return str(error)
    return ""

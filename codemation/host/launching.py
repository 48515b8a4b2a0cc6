"""From what a person gives a run to what is stored of it, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from codemation.core.concurrency import Turnstile, turnstile
from codemation.core.definition import Definition
from codemation.core.engine import Start, Stored
from codemation.core.errors import InputError
from codemation.core.events import LONGEST_KEY
from codemation.core.expression import Computed
from codemation.core.ids import START
from codemation.core.inputs import adapter
from codemation.core.items import Item
from codemation.core.keys import key_of
from codemation.core.launch import Launch
from codemation.core.limits import Limits
from codemation.core.params import Params, validated
from codemation.core.payload import StoredItems, decode_items, encode_items, without_collecting
from codemation.core.policies import PRIORITY_RULE, is_priority
from codemation.core.tables import PackedTable, Tables, is_table
from codemation.core.values import Unstorable
from codemation.core.workflow import Workflow
from codemation.host.identity import new_run_id

SHOWN = 10
"""Items that do not fit that are told of; the others are counted."""
ROWS = 10_000
"""Rows of a table that are checked at a time."""
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""A character that PostgreSQL cannot store, as JSON writes it."""


def encoded_params(params: Params | None) -> str:
    """The params of a run as JSON.

    Raises:
        InputError: one of them would not come back from JSON as it is, secrets above all.
    """
    if params is None:
        return "{}"
    lost = _lost(params)
    if not lost:
        return _json(params)
    raise InputError(
        f"these params of {type(params).__name__} cannot be stored: {', '.join(lost)}",
        way_out="a secret is read by the node that needs it; for anything else use a type that JSON can give back, "
        "such as str, int, date or a model",
    )


def decoded_params(workflow: Workflow[Any, ...], text: str) -> Params | None:
    """The params of a run, read back as the workflow has them now.

    Raises:
        InputError: they do not fit (any more).
    """
    if workflow.params is None:
        return None
    try:
        return workflow.params.model_validate_json(text)
    except ValidationError:
        return validated(workflow.params, json.loads(text))


def params_as_written(definition: Definition, text: str) -> dict[str, Any]:
    """What a run was asked for, in the order in which the params were written; the database keeps another."""
    values = json.loads(text)
    written = [name for name in (definition.params_schema or {}).get("properties", {}) if name in values]
    return {name: values[name] for name in dict.fromkeys([*written, *values])}


def encoded_input(workflow: Workflow[Any, ...], items: Any, tables: Tables) -> Stored:
    """What a run is given as it is stored; a workflow without `input=` begins with one empty item.

    Raises:
        InputError: items are missing, are more than the workflow takes, do not fit its `input`, or cannot be stored.
    """
    if items is not None and not takes_items(workflow):
        raise InputError(f'"{workflow.id}" takes no items: it begins with nodes that make their own', way_out="run()")
    if items is None and workflow.input is None:
        return NOTHING
    try:
        if is_table(items):
            packed = tables.pack(items)
            _check_rows(workflow, packed, tables)
            return bytes(packed.data), packed.count, "table"
        with without_collecting():
            given = [one if isinstance(one, Item) else Item(one) for one in _listed(workflow, items)]
            values = _fitting(workflow, [one.value for one in given])
            files = {at: one.attachments for at, one in enumerate(given) if one.attachments}
            stored = StoredItems(values=values, scope=START, attachments=files)
            return encode_items(stored), len(values), "items"
    except Unstorable as error:
        raise InputError(
            f'what "{workflow.id}" is given cannot be stored: {error.message}', way_out=error.way_out
        ) from None


NOTHING: Stored = (encode_items(StoredItems(values=[{}], scope=START)), 1, "items")
"""What a run is given that is given nothing: one empty item."""


def _json(params: Params, *only: str) -> str:
    return params.model_dump_json(by_alias=True, round_trip=True, include=set(only) or None, warnings="none")


def _lost(params: Params) -> list[str]:
    """The names of those that JSON does not give back as they are."""
    model = type(params)
    unwritable = [name for name in model.model_fields if not _is_writable(params, name)]
    if unwritable:
        return unwritable
    try:
        back = model.model_validate_json(_json(params))
    except ValidationError as error:
        return sorted({str(one["loc"][0]) if one["loc"] else model.__name__ for one in error.errors()})
    pairs = [(name, getattr(params, name), getattr(back, name)) for name in model.model_fields]
    return [name for name, before, after in pairs if type(before) is not type(after) or before != after]


def _is_writable(params: Params, name: str) -> bool:
    try:
        return not _NUL.search(_json(params, name))
    except (PydanticSerializationError, ValueError, RecursionError):
        return False


def takes_items(workflow: Workflow[Any, ...]) -> bool:
    """Whether any node is given what a run is given."""
    if workflow.input is not None:
        return True
    inputs = [one for node in workflow.definition.nodes for one in node.inputs if not one.ordering]
    return any(source.node == START for one in inputs for source in one.sources)


def _listed(workflow: Workflow[Any, ...], items: Any) -> list[Any]:
    if items is None:
        wanted = getattr(workflow.input, "__name__", workflow.input)
        raise InputError(f'"{workflow.id}" works on items of {wanted}', way_out="run([…]), or run(one_item)")
    return list(items) if _is_many(items) else [items]


def _is_many(items: object) -> bool:
    """Whether this is a collection of items, and not one item that can be iterated over."""
    one = (str, bytes, bytearray, memoryview, Mapping, BaseModel)
    return isinstance(items, Iterable) and not isinstance(items, one) and not hasattr(items, "_fields")


def _fitting(workflow: Workflow[Any, ...], values: list[Any]) -> list[Any]:
    """The items as the workflow's `input` has them."""
    fitting, wrong = [], list[str]()
    check = None if workflow.input is None else adapter(workflow.input).validator.validate_python
    for position, value in enumerate(values):
        problem = "an item is never a list" if isinstance(value, list) else ""
        if check is not None:
            try:
                fitting.append(check(value))
            except ValidationError as error:
                problem = _first_of(error)
        if problem:
            wrong.append(f"item {position}: {problem}")
    _refuse(workflow, wrong, len(values))
    return values if check is None else fitting


def _check_rows(workflow: Workflow[Any, ...], table: PackedTable, tables: Tables) -> None:
    """Check the rows of a table, which is stored as the table that it is, against the workflow's `input`."""
    if workflow.input is None:
        return
    check, wrong = adapter(workflow.input).validate_python, list[str]()
    for begin in range(0, table.count, ROWS):
        for position, row in enumerate(tables.rows(table.data, begin, begin + ROWS), begin):
            try:
                check(row)
            except ValidationError as error:
                wrong.append(f"row {position}: {_first_of(error)}")
    _refuse(workflow, wrong, table.count)


def _first_of(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


def _refuse(workflow: Workflow[Any, ...], wrong: list[str], count: int) -> None:
    if not wrong:
        return
    more = [f"… and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
    name = getattr(workflow.input, "__name__", str(workflow.input))
    fit = f"fit {name} of" if workflow.input is not None else "fit"
    lines = "\n  ".join([*wrong[:SHOWN], *more])
    raise InputError(f'{len(wrong)} of {count} items do not {fit} "{workflow.id}":\n  {lines}')


def prepared(launch: Launch, allowed: Limits, tables: Tables, who: str) -> Start:
    """What a run is started with; `allowed` is what the host lets it use at the most, `who` starts it by default.

    Raises:
        InputError: items or params do not fit, or are more than the run may hold.
    """
    workflow, limits = launch.workflow, launch.workflow.definition.limits
    _check_wishes(launch)
    given = encoded_input(workflow, launch.items, tables)
    start = Start(
        id=new_run_id(),
        params=encoded_params(launch.params),
        input=given,
        key=launch.key,
        priority=launch.priority,
        origin=launch.origin,
        who=launch.who or who,
        limits=Limits.from_json(limits).within(allowed) if limits else allowed,
        turnstile=turnstile_for(workflow, launch.params, given[2], lambda: given[0], tables),
    )
    data, count, _ = start.input
    if said := start.limits.objection(items=count, payload=len(data)):
        raise InputError(
            f"the run was given {said}", way_out="give it less at a time, or raise the limit: cm.Limits(…)"
        )
    return start


def _check_wishes(launch: Launch) -> None:
    if launch.priority is not None and not is_priority(launch.priority):
        raise InputError(f"priority={launch.priority!r} is no priority", way_out=PRIORITY_RULE)
    if launch.key is not None and len(launch.key.encode(errors="replace")) > LONGEST_KEY:
        said = f'the key of a run of "{launch.workflow.id}" has {len(launch.key):,} characters'
        raise InputError(said, way_out=f"a key has at most {LONGEST_KEY:,} bytes: take its digest, or an id")


def turnstile_for(
    workflow: Workflow[Any, ...], params: Params | None, kind: str, read: Callable[[], bytes], tables: Tables
) -> Turnstile | None:
    """Where a run needs a place, by the key of its params or of the items that `read` gives."""
    key, said = workflow.key, workflow.definition.concurrency
    if key is None:
        return turnstile(workflow.id, said)
    items: Iterable[object] = ()
    if isinstance(key, Computed):
        items = tables.rows(read()) if kind == "table" else decode_items(read()).values
    return turnstile(workflow.id, said, key_of(workflow.id, key, params, items))

"""From what a person gives a run to what is stored of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from codemation.core.engine import Stored
from codemation.core.errors import InputError
from codemation.core.ids import START
from codemation.core.inputs import adapter
from codemation.core.params import Params
from codemation.core.payload import StoredItems, encode_items
from codemation.core.tables import Tables, is_table
from codemation.core.values import Unstorable
from codemation.core.workflow import Workflow


def encoded_params(params: Params | None) -> str:
    """The params of a run as JSON."""
    return "{}" if params is None else params.model_dump_json()


def encoded_input(workflow: Workflow[Any, ...], items: Any, tables: Tables) -> Stored:
    """What a run is given as it is stored; a workflow without `input=` begins with one empty item.

    Raises:
        InputError: items are missing, do not fit the workflow's `input`, or cannot be stored.
    """
    if is_table(items):
        packed = tables.pack(items)
        return bytes(packed.data), packed.count, "table"
    values = _validated(workflow, _listed(workflow, items))
    try:
        data = encode_items(StoredItems(values=values, scope=START))
    except Unstorable as error:
        raise InputError(f'the items for "{workflow.id}" cannot be stored: {error}') from None
    return data, len(values), "items"


def _listed(workflow: Workflow[Any, ...], items: Any) -> list[Any]:
    if items is None:
        if workflow.input is None:
            return [{}]
        wanted = getattr(workflow.input, "__name__", workflow.input)
        raise InputError(f'"{workflow.id}" works on items of {wanted}', way_out="run([…]), or run(one_item)")
    if isinstance(items, str | bytes | Mapping | BaseModel) or not isinstance(items, Iterable):
        return [items]
    return list(items)


def _validated(workflow: Workflow[Any, ...], values: list[Any]) -> list[Any]:
    if workflow.input is None:
        return values
    check = adapter(workflow.input).validate_python
    fitting, problems = [], []
    for position, value in enumerate(values):
        try:
            fitting.append(check(value))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            problems.append(f"  item {position}: {'.'.join(map(str, first['loc']))}: {first['msg']}")
    if problems:
        shown = problems[:10] + ([f"  … and {len(problems) - 10} more"] if len(problems) > 10 else [])
        name = getattr(workflow.input, "__name__", str(workflow.input))
        raise InputError(
            f'{len(problems)} of {len(values)} items do not fit {name} of "{workflow.id}":\n' + "\n".join(shown)
        )
    return fitting

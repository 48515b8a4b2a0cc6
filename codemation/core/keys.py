"""What runs count together by: the key of a workflow's `concurrency`, read at build and asked when a run starts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from codemation.core.concurrency import Concurrency
from codemation.core.errors import InputError
from codemation.core.expression import Asked, Computed, Expression, computed
from codemation.core.items import Item
from codemation.core.params import ParamRef, Params
from codemation.core.policies import Report
from codemation.core.signature import Parameter, Shape
from codemation.core.steps import Draft

Key = Computed | ParamRef
LONGEST = 100
"""Characters of a key that are written out; a longer one is known by its digest."""


def read_key(draft: Draft, report: Report) -> Key | None:
    """The key by which runs count together, if there is one; reports what is wrong with `concurrency`."""
    said = draft.concurrency
    if said is None:
        return None
    if not isinstance(said, Concurrency):
        report(f"concurrency={said!r} says nothing", 'concurrency=cm.Concurrency(1, when_full="queue")')
        return None
    has_params = isinstance(draft.params, type) and issubclass(draft.params, Params)
    match said.key:
        case None:
            return None
        case ParamRef(model=model) if not (has_params and issubclass(draft.params, model)):
            report(f"key={said.key!r} is no param of the workflow", f"cm.workflow(…, params={model.__name__})")
            return None
        case ParamRef():
            return said.key
        case Expression():
            return _computed(said.key, draft, report)
        case _:
            way_out = "key=Params.<field>, or key=cm.expr(lambda item: …)"
            report(f"key={said.key!r} is nothing that runs could count by", way_out)
            return None


def _computed(key: Expression[Any], draft: Draft, report: Report) -> Computed | None:
    taken = Any if draft.input is None else draft.input
    asked = Asked(
        label="key= of concurrency",
        data=Parameter(name="item", shape=Shape.ONE, annotation=taken, item_type=taken),
        arriving=taken,
        wants=Any,
        has_params=lambda params: isinstance(draft.params, type) and issubclass(draft.params, params),
    )
    return computed(key, asked, report)


def key_of(workflow: str, key: Key, params: Params | None, items: Iterable[object]) -> str:
    """The key of a run that is given these params and items.

    Raises:
        InputError: its items have different keys, or it has none to have one.
        ExpressionError: it cannot be computed.
    """
    if isinstance(key, ParamRef):
        return _written(getattr(params, key.name))
    keys = dict.fromkeys(_written(key.of_item(Item(value), params)) for value in items)
    if len(keys) == 1:
        return next(iter(keys))
    shown = ", ".join(list(keys)[:3]) + (", …" if len(keys) > 3 else "")
    raise InputError(
        f'a run of "{workflow}" has one key, and these items have {len(keys)}' + (f": {shown}" if keys else ""),
        way_out="start a run for each key",
    )


def _written(value: object) -> str:
    """A key as text, the same for the same value in every process."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    if len(text) <= LONGEST and "\0" not in text and text.isprintable():
        return text
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()

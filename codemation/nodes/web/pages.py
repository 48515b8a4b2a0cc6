"""Page after page: where the next one is, and what the answers hold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from codemation.core.context import Context
from codemation.core.errors import ContractError, NodeError
from codemation.core.mistakes import listed
from codemation.nodes.web.exchange import Answer, Ask, Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How to come from one page to the next."""

    how: str | None
    field: str
    """Where the next URL or the cursor stands, for `next` and `cursor`."""
    parameter: str
    size: int
    most: int
    items: str | None
    """Where the list of items stands in an object."""


def asked(exchange: Exchange, ask: Ask, paging: Paging, ctx: Context) -> Iterator[Any]:
    """The items of all pages.

    Raises:
        NodeError: there are more pages than may be asked for, or they go round in a circle.
    """
    if paging.how in ("page", "offset"):
        ask = _with(ask, paging.parameter, 1 if paging.how == "page" else 0)
    seen: set[str] = set()
    for number in range(1, paging.most + 1):
        seen.add(ask.url)
        answer = exchange.ask(ask)
        held = _held(answer, ctx)
        found = _items(held, paging.items)
        yield from found
        following = _next(paging, number, answer, held, len(found))
        if following is None:
            return
        ask = following(ask)
        if ask.url in seen:
            raise NodeError(f"page {number} leads back to one that was read before")
    raise NodeError(f"more than {paging.most} pages", way_out="max_pages=… reads more of them")


def _next(paging: Paging, number: int, answer: Answer, held: Any, count: int) -> Any:
    if paging.how == "link":
        target = answer.links.get("next", {}).get("url")
    elif paging.how == "next":
        target = _inside(held, paging.field)
    elif paging.how == "cursor":
        cursor = _inside(held, paging.field)
        return None if cursor in (None, "") else lambda ask: _with(ask, paging.parameter, cursor)
    elif paging.how in ("page", "offset"):
        if count == 0 or (paging.size and count < paging.size):
            return None
        value = number + 1 if paging.how == "page" else number * (paging.size or count)
        return lambda ask: _with(ask, paging.parameter, value)
    else:
        return None
    if not target:
        return None
    url = str(httpx.URL(answer.url).join(str(target)))
    return lambda ask: replace(ask, url=url)


def _with(ask: Ask, parameter: str, value: object) -> Ask:
    return replace(ask, url=str(httpx.URL(ask.url).copy_set_param(parameter, str(value))))


def _inside(held: Any, path: str) -> Any:
    for name in path.split("."):
        held = held.get(name) if isinstance(held, Mapping) else None
    return held


def _items(held: Any, path: str | None) -> list[Any]:
    if path is None:
        return held if isinstance(held, list) else [held]
    found = _inside(held, path)
    if isinstance(found, list):
        return found
    has = listed(list(held)) if isinstance(held, Mapping) else type(held).__name__
    raise ContractError(f"the answer has no list at {path!r}", way_out=f"it has {has}")


def _held(answer: Answer, ctx: Context) -> Any:
    """What an answer holds: JSON, rows, lines, text, or a file."""
    kind = answer.kind
    try:
        if kind == "application/json" or kind.endswith("+json"):
            return json.loads(answer.content) if answer.content.strip() else []
        text = answer.content.decode(answer.encoding, "replace") if kind.startswith("text/") or "json" in kind else ""
        if kind in ("application/x-ndjson", "application/jsonl", "application/jsonlines"):
            return [json.loads(line) for line in answer.content.splitlines() if line.strip()]
    except ValueError as error:
        raise NodeError(f"{answer.url.partition('?')[0]} says that it gives {kind}, and does not: {error}") from None
    if kind == "text/csv":
        return list(csv.DictReader(io.StringIO(text)))
    told = {"url": answer.url.partition("?")[0], "status": answer.status, "type": kind, "bytes": len(answer.content)}
    if kind.startswith("text/"):
        return {**told, "text": text}
    if answer.content and ctx.store is None:
        return {**told, "content": answer.content}
    if answer.content:
        ctx.attach("body", io.BytesIO(answer.content), kind or "application/octet-stream")
    return told

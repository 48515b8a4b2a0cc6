"""`cm.nodes.http`: ask the web, within limits."""

from __future__ import annotations

from typing import Any, Literal

from pydantic_core import to_jsonable_python

from codemation.core.context import Context
from codemation.core.durations import seconds
from codemation.core.errors import NodeError
from codemation.core.node import node
from codemation.nodes.http_access import HttpAccess


@node
def http(
    item: Any,
    *,
    url: str,
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "GET",
    query: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    json: Any = None,
    form: dict[str, Any] | None = None,
    send_item: bool = False,
    access: HttpAccess | None = None,
    items: str | None = None,
    paginate: Literal["link", "next", "cursor", "page", "offset"] | None = None,
    next_field: str = "next",
    page_parameter: str = "",
    page_size: int = 0,
    max_pages: int = 100,
    time_limit: str = "30s",
    max_bytes: int = 10_000_000,
    attempts: int = 5,
    max_wait: str = "1m",
    ok_codes: list[int] | None = None,
    allow: list[str] | None = None,
    ctx: Context | None = None,
) -> list[Any]:
    """Send a request for each item, and give what the answer holds.

    A JSON list, JSON lines and CSV give an item for each member, a JSON object gives one; `items="data.rows"` says
    where in an object the list stands. A text gives one item with its `text`, anything else one with the file as the
    attachment `body` (called by hand: as `content`). `json`, `form` or `send_item=True` (the item as JSON) is what is
    sent. Arguments that depend on the item are given by `cm.expr`.

    `paginate` follows further pages, at most `max_pages`: `link` (the header of that name), `next` (the URL in
    `next_field`), `cursor` (the value in `next_field` becomes the parameter `page_parameter`), `page` and `offset` (the
    parameter counts, until a page is empty or holds fewer than `page_size`).

    After 429 and 503 it waits as the server asks (`Retry-After`, at most `max_wait`) and tries again, `attempts` times
    in all. Any other code that is not 2xx, or not in `ok_codes`, is an error. One answer takes at most `time_limit` and
    `max_bytes`, unpacked.

    Only public addresses are asked: names that lead to private, local or metadata addresses are refused, also in
    redirects, unless `allow` names the host, address or network. The credential `access` is sent to the origin of `url`
    alone, and no query is logged.
    """
    try:
        from codemation.nodes.web import exchange, guard, pages
    except ModuleNotFoundError as error:
        raise NodeError(f"{error.name} is not installed", way_out="pip install 'codemation[http]'") from None

    given = {"json": to_jsonable_python(item if send_item else json), "data": form}
    body = {name: value for name, value in given.items() if value is not None}
    secret = exchange.signed(access) if access else {}
    limits = exchange.Limits(
        seconds=seconds(time_limit),
        bytes=max_bytes,
        attempts=attempts,
        pause=seconds(max_wait),
        codes=frozenset(ok_codes) if ok_codes is not None else None,
    )
    paging = pages.Paging(
        how=paginate,
        field=next_field,
        parameter=page_parameter or {"offset": "offset", "cursor": "cursor"}.get(paginate or "", "page"),
        size=page_size,
        most=max_pages,
        items=items,
    )
    target = exchange.asked_url(url, query or {})
    ask = exchange.Ask(method=method, url=target, headers=headers or {}, secret=secret, body=body)
    context = ctx or Context()
    with guard.GuardedTransport(allow or ()) as transport:
        return list(pages.asked(exchange.Exchange(transport, limits, context, target), ask, paging, context))

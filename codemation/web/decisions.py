"""A page on which the bearer of a link decides, once: small, whole in itself, and without scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape

from fastapi import APIRouter, Request
from starlette.responses import Response

from codemation.core.errors import (
    AlreadyDecided,
    CodemationError,
    DecisionExpired,
    InvalidDecision,
    InvalidLink,
    UnknownRun,
    UnknownWait,
)
from codemation.core.ids import RunId
from codemation.core.mistakes import listed
from codemation.host.asking import RunWait, decide, refusal
from codemation.host.links import read_link
from codemation.web.actors import Asked
from codemation.web.forms import fields_of, filled, form_of
from codemation.web.identity import bearer_of
from codemation.web.problems import problem_of
from codemation.web.service import Service

router = APIRouter()
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
LONGEST = 4000
"""Letters of an item that are shown."""
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1c2430}
main{max-width:34rem;margin:8vh auto;background:#fff;border:1px solid #dfe3e8;border-radius:10px;padding:2rem}
h1{font-size:1.3rem;margin:0 0 .3rem}.about{color:#5b6675;margin:0 0 1.2rem}
label{display:block;font-weight:600;margin:1rem 0 .3rem}.help{color:#5b6675;font-weight:400;font-size:.9rem}
input:not([type=checkbox]),select,textarea{width:100%;box-sizing:border-box;font:inherit;padding:.5rem;
border:1px solid #c3cad4;border-radius:6px;background:#fff;color:inherit}
input[type=checkbox]{width:1.1rem;height:1.1rem;vertical-align:middle}
.wrong{background:#fdecea;border:1px solid #f5c2bd;color:#8a1f14;border-radius:6px;padding:.6rem .8rem;margin:0 0 1rem}
.ways{display:flex;gap:.8rem;margin-top:1.6rem}button{font:inherit;font-weight:600;padding:.6rem 1.3rem;
border-radius:6px;border:1px solid #c3cad4;background:#fff;color:inherit;cursor:pointer}
button[value=approve]{background:#1f7a4d;border-color:#1f7a4d;color:#fff}
button:focus-visible,input:focus-visible,select:focus-visible,textarea:focus-visible{outline:3px solid #8ab4f8}
pre{background:#f4f5f7;border-radius:6px;padding:.7rem;overflow:auto;max-height:20rem;white-space:pre-wrap}
@media(prefers-color-scheme:dark){body{background:#14181f;color:#e4e8ee}main{background:#1c222b;border-color:#323b47}
.about,.help{color:#9aa5b4}input:not([type=checkbox]),select,textarea,button,pre{background:#14181f;border-color:#465161}}
"""


@router.get("/decide/{token}", include_in_schema=False)
def show_decision(service: Asked, token: str) -> Response:
    """Show what is to be decided; looking at it decides nothing, so whatever previews links does no harm."""
    try:
        wait, who = _read(service, token)
    except CodemationError as error:
        return _closed(error)
    return _page(200, f"Decide: {wait.about}", _form(service, wait, who))


@router.post("/decide/{token}", include_in_schema=False)
async def take_decision(service: Asked, request: Request, token: str) -> Response:
    """Decide."""
    form = await request.form(max_files=0, max_fields=200)
    given = {name: str(value) for name, value in form.items()}
    return await service.call(_decided, service, token, given)


def _decided(service: Service, token: str, given: Mapping[str, str]) -> Response:
    try:
        wait, who = _read(service, token)
    except CodemationError as error:
        return _closed(error)
    if given.get("decision") not in ("approve", "reject"):
        return _page(422, wait.about, _form(service, wait, who, "say whether you approve or reject", given))
    approved = given["decision"] == "approve"
    try:
        fields = filled(wait.form, given) if approved or any(given.get(name) for name in fields_of(wait.form)) else {}
        with service.noted(bearer_of(who), "waits.decide", wait.id, approved=str(approved).lower()):
            decide(service.app, wait.id, approved=approved, who=who, fields=fields)
    except InvalidDecision as error:
        return _page(422, wait.about, _form(service, wait, who, error.message, given))
    except CodemationError as error:
        return _closed(error)
    said = f"You have {'approved' if approved else 'rejected'} this as {who}. You may close this page."
    return _page(200, "Thank you", f"<h1>Thank you</h1><p>{escape(said)}</p>")


def _read(service: Service, token: str) -> tuple[RunWait, str]:
    """What is asked, and whom.

    Raises:
        InvalidLink: the link was not made here.
        RunError: it is not open; says what became of it.
    """
    id_, who = read_link(service.settings.links, token)
    handle = service.app.attach(RunId(id_.partition("/")[0]))
    for wait in handle.waits:
        if wait.id == id_:
            return wait, who
    raise refusal(service.app, id_)


def _form(service: Service, wait: RunWait, who: str, wrong: str = "", given: Mapping[str, str] | None = None) -> str:
    about = f"Workflow {wait.workflow}" + ("" if wait.item is None else f", item {wait.item + 1}")
    until = f" · until {wait.due_at:%Y-%m-%d %H:%M %Z}" if wait.due_at else ""
    asked = f" · asked: {listed(wait.to)}" if wait.to else ""
    return (
        f"<h1>{escape(wait.about)}</h1><p class=about>{escape(about + until + asked)} · you decide as {escape(who)}</p>"
        + (f"<p class=wrong role=alert>{escape(wrong)}</p>" if wrong else "")
        + _item(service, wait)
        + '<form method="post" autocomplete="off">'
        + form_of(wait.form, given or {})
        + '<div class=ways><button name="decision" value="approve">Approve</button>'
        '<button name="decision" value="reject" formnovalidate>Reject</button></div></form>'
    )


def _item(service: Service, wait: RunWait) -> str:
    """The item that is decided about, as far as it can be shown."""
    shown = service.item_of(wait)
    if shown is None:
        return ""
    text = json.dumps(shown, indent=1, ensure_ascii=False)
    return f"<pre>{escape(text[:LONGEST] + ('…' if len(text) > LONGEST else ''), quote=False)}</pre>"


_SAID: tuple[tuple[type[CodemationError], str], ...] = (
    (InvalidLink, "This link was not made here, or was changed on its way."),
    (AlreadyDecided, "This was decided before. Nothing was changed."),
    (DecisionExpired, "The time to decide is over. Nothing was changed."),
    (UnknownRun, "What this link is about is not there any more."),
    (UnknownWait, "This is not open any more."),
)


def _closed(error: CodemationError) -> Response:
    """Nothing is to be decided here (any more)."""
    gone = isinstance(error, UnknownRun | UnknownWait)  # it was there, for the link was made here
    status = 410 if gone else problem_of(error).status
    said = next((words for kind, words in _SAID if isinstance(error, kind)), "")
    if not said:
        said = "This cannot be decided now; try again later." if status >= 500 else error.message
    return _page(status, "Nothing to decide", f"<h1>Nothing to decide</h1><p>{escape(said)}</p>")


def _page(status: int, title: str, content: str) -> Response:
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><main>{content}</main></html>"
    )
    # A page without a referrer sends its form without an origin; its own origin may see the link it came by.
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
    return Response(html, status, headers, "text/html; charset=utf-8")

"""The API for people: pages from its OpenAPI document, whole in themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any

Json = Mapping[str, Any]
_TITLES = {
    "workflows": "Workflows",
    "runs": "Runs",
    "live": "Live events",
    "outputs": "Outputs and files",
    "logs": "Logs",
    "waits": "Waits, decisions and events",
    "triggers": "Triggers",
    "workers": "Workers and duties",
    "access": "Tokens and audit",
}
GIVES = "Gives"
OWN = frozenset({"400", "401", "403", "413", "414", "422", "429", "431", "500", "503"})
"""Statuses that any route may answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter, or a field of a body."""

    name: str
    kind: str
    about: str
    needed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that can be asked."""

    method: str
    path: str
    tag: str
    summary: str
    about: str
    role: str
    parameters: Sequence[Field]
    body: Sequence[Field]
    gives: str
    fields: Sequence[Field]
    """Of what is given."""
    fails: Sequence[str]
    """Statuses beside those of all routes."""

    @property
    def tables(self) -> tuple[tuple[str, Sequence[Field]], ...]:
        """What is given and what comes back."""
        return ("Parameter", self.parameters), ("Field of the body", self.body), (GIVES, self.fields)


def operations(document: Json) -> list[Operation]:
    """Everything that can be asked, by tag."""
    found = [
        _operation(document, method, path, one)
        for path, item in document["paths"].items()
        for method, one in item.items()
    ]
    order = list(_TITLES)
    return sorted(found, key=lambda one: order.index(one.tag) if one.tag in order else len(order))


def _operation(document: Json, method: str, path: str, one: Json) -> Operation:
    given = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    good = next((status for status in one["responses"] if status < "300"), "200")
    content = one["responses"].get(good, {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    return Operation(
        method=method.upper(),
        path=path,
        tag=one["tags"][0],
        summary=one["summary"],
        about=one["description"],
        role=one["x-role"],
        parameters=[_parameter(document, each) for each in one.get("parameters", ())],
        body=list(_fields(document, given)),
        gives=f"{good} {', '.join(content)}".strip(),
        fields=list(_fields(document, schema)),
        fails=[status for status in one["responses"] if status >= "400" and status not in OWN],
    )


def _parameter(document: Json, one: Json) -> Field:
    return Field(
        name=f"{one['name']} ({one['in']})" if one["in"] != "query" else one["name"],
        kind=kind_of(document, one.get("schema", {})),
        about=one.get("description", ""),
        needed=bool(one.get("required")),
    )


def _fields(document: Json, schema: Json) -> Iterator[Field]:
    schema = resolved(document, schema)
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        about = one.get("description", "")
        yield Field(name=name, kind=kind_of(document, one), about=about, needed=name in required)


def resolved(document: Json, schema: Json) -> Json:
    """The schema itself where it is only named, or may be `null` as well."""
    either = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(either) == 1:
        schema = either[0]
    name = str(schema.get("$ref", "")).removeprefix("#/components/schemas/")
    found: Json = document["components"]["schemas"].get(name, schema)
    return found


def kind_of(document: Json, schema: Json) -> str:
    """A schema in a word or two."""
    optional = any(one.get("type") == "null" for one in schema.get("anyOf", ()))
    plain = resolved(document, schema)
    kind = str(plain.get("format") or plain.get("type") or "anything")
    if "enum" in plain:
        kind = " or ".join(f"`{one}`" for one in plain["enum"])
    elif plain.get("type") == "array":
        kind = f"list of {kind_of(document, plain.get('items', {}))}"
    elif plain.get("type") == "object" and "title" in plain and plain.get("properties"):
        kind = str(plain["title"])
    return f"{kind} or nothing" if optional else kind


def markdown(document: Json) -> str:
    """The reference as Markdown."""
    lines: list[str] = []
    for tag, some in groupby(operations(document), key=lambda one: one.tag):
        lines += [f"## {_TITLES.get(tag, tag)}", ""]
        for one in some:
            where = f"`{one.method} {one.path}`, for {one.role}s and above."
            lines += [f"### {one.summary}", "", where, "", one.about, ""]
            for title, fields in one.tables:
                lines += _table(title, fields)
            fails = f" Fails with {', '.join(one.fails)}." if one.fails else ""
            lines += [f"Answers {one.gives}.{fails}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(title: str, fields: Sequence[Field]) -> list[str]:
    if not fields:
        return []
    rows = [f"| `{one.name}`{_mark(title, one)} | {_cell(one.kind)} | {_cell(one.about)} |" for one in fields]
    return [f"| {title} | | |", "|---|---|---|", *rows, ""]


def _mark(title: str, one: Field) -> str:
    """Whether a field has to be given; what comes back does not."""
    return " *" if one.needed and title != GIVES else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1c2430}
main{max-width:58rem;margin:0 auto;padding:2rem 1.2rem}h1{margin:0 0 .4rem}h2{margin:2.2rem 0 .6rem}
details{background:#fff;border:1px solid #dfe3e8;border-radius:8px;margin:.5rem 0;padding:.5rem .9rem}
summary{cursor:pointer;display:flex;gap:.7rem;align-items:baseline;flex-wrap:wrap}
summary b{font:600 .8rem ui-monospace,monospace;min-width:3.6rem;color:#1f5fa8}summary b.w{color:#1f7a4d}
code{font:.88em ui-monospace,monospace;overflow-wrap:anywhere}.role{margin-left:auto;color:#5b6675;font-size:.85rem}
table{border-collapse:collapse;width:100%;margin:.7rem 0}th,td{text-align:left;padding:.25rem .6rem .25rem 0;
border-bottom:1px solid #edf0f3;vertical-align:top}th{color:#5b6675;font-weight:600;font-size:.85rem}
nav a{margin-right:1rem;color:#1f5fa8}
@media(prefers-color-scheme:dark){body{background:#14181f;color:#e4e8ee}details{background:#1c222b;border-color:#323b47}
th,.role{color:#9aa5b4}th,td{border-color:#2a323d}summary b,nav a{color:#7fb2ee}summary b.w{color:#6cc398}}
"""


def page(document: Json, root: str) -> str:
    """The reference as a page that loads nothing else."""
    groups = [(tag, list(some)) for tag, some in groupby(operations(document), key=lambda one: one.tag)]
    links = "".join(f'<a href="#{escape(tag)}">{escape(_TITLES.get(tag, tag))}</a>' for tag, _ in groups)
    about = "".join(f"<p>{_inline(text)}</p>" for text in document["info"]["description"].split("\n\n"))
    parts = "".join(
        f'<h2 id="{escape(tag)}">{escape(_TITLES.get(tag, tag))}</h2>' + "".join(map(_shown, some))
        for tag, some in groups
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>The API of codemation</title><style>{_STYLE}</style><main><h1>The API of codemation</h1>{about}"
        f'<p>For programs: <a href="{escape(root)}/api/v1/openapi.json">openapi.json</a></p><nav>{links}</nav>{parts}'
        "</main></html>"
    )


def _shown(one: Operation) -> str:
    tables = "".join(_rows(title, fields) for title, fields in one.tables)
    fails = f" Fails with {escape(', '.join(one.fails))}." if one.fails else ""
    kind = "" if one.method == "GET" else " class=w"
    return (
        f"<details><summary><b{kind}>{one.method}</b><code>{escape(one.path)}</code><span>{escape(one.summary)}</span>"
        f"<span class=role>{escape(one.role)}</span></summary><p>{_inline(one.about)}</p>{tables}"
        f"<p>Answers {escape(one.gives)}.{fails}</p></details>"
    )


def _rows(title: str, fields: Sequence[Field]) -> str:
    if not fields:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(one.name)}</code>{_mark(title, one)}</td>"
        f"<td>{_inline(one.kind)}</td><td>{_inline(one.about)}</td></tr>"
        for one in fields
    )
    return f"<table><tr><th>{escape(title)}</th><th></th><th></th></tr>{rows}</table>"


def _inline(text: str) -> str:
    """Text with what stands between backticks as code."""
    pieces = escape(text, quote=False).split("`")
    return "".join(f"<code>{piece}</code>" if at % 2 else piece for at, piece in enumerate(pieces))

"""HTML forms from JSON schemas, and what was filled in back to JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from codemation.core.errors import InvalidDecision

Schema = Mapping[str, Any]


def fields_of(form: Schema | None) -> Mapping[str, Schema]:
    """The fields of a form by name, each with its own schema."""
    if form is None:
        return {}
    return {name: _resolved(one, form) for name, one in form.get("properties", {}).items()}


def form_of(form: Schema | None, given: Mapping[str, str]) -> str:
    """The inputs for a form; `given` is what was filled in before."""
    required = set(form.get("required", ())) if form is not None else set()
    return "".join(
        _field(name, schema, needed=name in required, value=given.get(name)) for name, schema in fields_of(form).items()
    )


def filled(form: Schema | None, given: Mapping[str, str]) -> dict[str, Any]:
    """What was filled in as JSON; what was left empty and may be is left out.

    Raises:
        InvalidDecision: a field that wants JSON, or a number, holds something else.
    """
    values: dict[str, Any] = {}
    required = set(form.get("required", ())) if form is not None else set()
    for name, schema in fields_of(form).items():
        text = given.get(name, "")
        if _kind(schema) == "boolean":
            values[name] = text == "on"
        elif text or (name in required and _kind(schema) == "string"):
            values[name] = _value(name, schema, text)
    return values


def _value(name: str, schema: Schema, text: str) -> Any:
    kind = _kind(schema)
    if "enum" in schema:
        return next((one for one in schema["enum"] if str(one) == text), text)
    if kind == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        wanted = "a number" if kind in ("integer", "number") else "JSON"
        raise InvalidDecision(f"{name}: this is not {wanted}") from None


def _field(name: str, schema: Schema, *, needed: bool, value: str | None) -> str:
    id_ = escape(f"field-{name}", quote=True)
    title = escape(str(schema.get("title", name)))
    help_ = f" <span class=help>{escape(str(schema['description']))}</span>" if "description" in schema else ""
    default = schema.get("default")
    shown = value if value is not None else "" if default is None else _text(default)
    return f'<label for="{id_}">{title}{help_}</label>{_input(name, schema, id_, shown, needed)}'


def _input(name: str, schema: Schema, id_: str, shown: str, needed: bool) -> str:
    kind = _kind(schema)
    head = f'id="{id_}" name="{escape(name, quote=True)}"'
    must = " required" if needed and kind != "boolean" else ""
    if "enum" in schema:
        empty = "" if needed else "<option></option>"
        options = (
            f"<option{' selected' if str(one) == shown else ''}>{escape(str(one))}</option>" for one in schema["enum"]
        )
        return f"<select {head}{must}>{empty}{''.join(options)}</select>"
    value = f' value="{escape(shown, quote=True)}"' if shown else ""
    match kind:
        case "boolean":
            return f'<input type="checkbox" {head}{" checked" if shown in ("on", "true") else ""}>'
        case "integer" | "number":
            step = "1" if kind == "integer" else "any"
            bounds = f"{_bound(schema, 'minimum', 'min')}{_bound(schema, 'maximum', 'max')}"
            return f'<input type="number" step="{step}"{bounds} {head}{value}{must}>'
        case "string" if schema.get("format") in _INPUTS:
            return f'<input type="{_INPUTS[schema["format"]]}" {head}{value}{must}>'
        case _:
            return f'<textarea rows="{2 if kind == "string" else 4}" {head}{must}>{escape(shown)}</textarea>'


_INPUTS = {"date": "date", "email": "email", "uri": "url"}


def _bound(schema: Schema, name: str, attribute: str) -> str:
    return f' {attribute}="{escape(str(schema[name]), quote=True)}"' if name in schema else ""


def _kind(schema: Schema) -> str:
    """The type that is wanted; of several, the first that is not `null`."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    return str(kind or "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema itself, where it is only named, or may be `null` as well."""
    for _ in range(10):  # a reference to a reference; one to itself leads nowhere
        reference = schema.get("$ref", "")
        either = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
        if isinstance(reference, str) and reference.startswith("#/$defs/"):
            schema = {**root.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {}), **_without(schema, "$ref")}
        elif len(either) == 1:
            schema = {**either[0], **_without(schema, "anyOf")}
        else:
            break
    return schema


def _without(schema: Schema, name: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != name}

"""Values with a class of the author's: pydantic models, dataclasses and namedtuples.

How they are found again, and what happens when their class has changed, is told at the head of the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final, Protocol

from pydantic import JsonValue

from codemation.core.values.classes import Kind, Shape, refer, shape_of
from codemation.core.values.coding import TAG, Encoder, Reader, family, tagged
from codemation.core.values.containers import is_unicode, write_attributes
from codemation.core.values.drift import Given, remake
from codemation.core.values.refusal import Refusal

_set: Final = object.__setattr__
_ORIGINAL_CLASS: Final = "__orig_class__"
"""The arguments that a generic class was called with: `typing` sets it, not the author."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What an object may hold beside its fields."""

    extra: Mapping[str, object] | None = None
    """What a model with `extra="allow"` was given."""
    private: Mapping[str, object] | None = None
    """Private attributes of a model."""
    state: Mapping[str, object] | None = None
    """Attributes of any object that are not its fields."""


class Maker(Protocol):
    """Makes the objects of one stored class."""

    def __call__(self, fields: dict[str, object], given: Given = None, rest: Rest | None = None) -> object:
        """An object with these fields; `given` is for models, and None when all fields were given."""
        ...


def install() -> None:
    """Teach the codec these values."""
    family(_record_encoder)
    tagged("record", _read_record)


def fields_of(value: Any, shape: Shape) -> dict[str, object]:
    """The fields of an object that are set, by name and in order."""
    if shape.kind is Kind.TUPLE:
        return dict(zip(shape.fields, value, strict=True))
    if shape.kind is Kind.MODEL:
        held: dict[str, object] = value.__dict__
        return held if held.keys() == shape.field_set else {name: held[name] for name in shape.fields if name in held}
    # A field that was never set (init=False, no default) is left unset when the object is made again.
    return {name: getattr(value, name) for name in shape.fields if hasattr(value, name)}


def given_of(value: Any, shape: Shape) -> Given:
    """The fields of a model that were given rather than taken from a default; None when all were."""
    if shape.kind is not Kind.MODEL or value.__pydantic_fields_set__ == shape.field_set:
        return None
    return frozenset(value.__pydantic_fields_set__)


def rest_of(value: Any, shape: Shape) -> Rest | None:
    """What an object holds beside its fields; None when that is nothing."""
    extra = private = None
    if shape.kind is Kind.MODEL:
        extra, private = value.__pydantic_extra__, value.__pydantic_private__
    held = getattr(value, "__dict__", None)
    state: dict[str, object] = {}
    if held and held.keys() != shape.field_set:
        state = {name: item for name, item in held.items() if _is_state(name, shape)}
    for name in shape.slots:
        if hasattr(value, name):
            state[name] = getattr(value, name)
    if extra is None and private is None and not state:
        return None
    return Rest(extra=extra, private=private, state=state or None)


def make(shape: Shape, fields: dict[str, object], given: Given = None, rest: Rest | None = None) -> object:
    """Make an object exactly as it was: neither `__init__` nor validators run."""
    cls: Any = shape.cls
    value: object
    if shape.kind is Kind.MODEL:
        value = object.__new__(cls)
        _set(value, "__dict__", fields)
        _set(value, "__pydantic_fields_set__", set(shape.field_set if given is None else given))
        _set(value, "__pydantic_extra__", None if rest is None else rest.extra)
        _set(value, "__pydantic_private__", None if rest is None else rest.private)
    elif shape.kind is Kind.TUPLE:
        value = tuple.__new__(cls, [fields[name] for name in shape.fields])
    else:
        value = object.__new__(cls)
        for name, held in fields.items():
            _set(value, name, held)
    if rest is not None and rest.state is not None:
        for name, held in rest.state.items():
            _set(value, name, held)
    return value


def naming(shape: Shape) -> dict[str, JsonValue]:
    """How a stored record names its class."""
    return {"type": refer(shape.cls), "shape": shape.fingerprint}


def maker(named: Mapping[str, JsonValue], reader: Reader) -> Maker:
    """What makes the objects of a stored class: exactly, by validation, or, when the class is gone, as plain dicts."""
    cls = reader.classes.find(named["type"])
    shape = None if cls is None else shape_of(cls)
    if shape is None:
        return lambda fields, given=None, rest=None: _with_extra(fields, rest)
    if shape.fingerprint == named["shape"]:
        return partial(make, shape)
    return lambda fields, given=None, rest=None: remake(shape, _with_extra(fields, rest), given)


def _with_extra(fields: dict[str, object], rest: Rest | None) -> dict[str, object]:
    return fields if rest is None or rest.extra is None else {**fields, **rest.extra}


def _is_state(name: str, shape: Shape) -> bool:
    """Whether an attribute is neither a field nor something that is computed again when it is asked for."""
    if name in shape.field_set or name == _ORIGINAL_CLASS:
        return False
    return not any(isinstance(base.__dict__.get(name), cached_property) for base in shape.cls.__mro__)


def _record_encoder(cls: type) -> Encoder | None:
    shape = shape_of(cls)
    return None if shape is None else partial(_write_record, shape)


def _write_record(shape: Shape, value: object, depth: int) -> JsonValue:
    stored: dict[str, Any] = {TAG: "record", **naming(shape)}
    stored["fields"] = write_attributes(fields_of(value, shape), value, depth)
    if (given := given_of(value, shape)) is not None:
        stored["given"] = sorted(given)
    if (rest := rest_of(value, shape)) is not None:
        for name, held in _named(rest):
            if not all(map(is_unicode, held)):
                raise Refusal(shape.cls, reason="one of its attributes has a name that is not Unicode text")
            stored[name] = write_attributes(held, value, depth)
    return stored


def _named(rest: Rest) -> Iterator[tuple[str, Mapping[str, object]]]:
    for name, held in (("extra", rest.extra), ("private", rest.private), ("state", rest.state)):
        if held is not None:
            yield name, held


def _read_record(stored: dict[str, JsonValue], reader: Reader) -> object:
    make_it = maker(stored, reader)
    fields = _read_attributes(stored["fields"], reader)
    held = {name: _read_attributes(stored[name], reader) for name in ("extra", "private", "state") if name in stored}
    given: Any = stored.get("given")
    return make_it(fields, given, Rest(**held) if held else None)


def _read_attributes(stored: JsonValue, reader: Reader) -> dict[str, object]:
    """Attributes by name; never a tagged object, whatever their names are."""
    if not isinstance(stored, dict):
        raise TypeError(f"it holds {type(stored).__name__} where attributes belong")
    return {name: reader.read(held) for name, held in stored.items()}

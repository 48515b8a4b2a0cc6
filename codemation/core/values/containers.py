"""Values made of values: lists, tuples, sets, dicts and their relatives in the standard library."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from pydantic import JsonValue

from codemation.core.errors import PayloadLost
from codemation.core.values.coding import TAG, Decoder, Encoder, Reader, structure, tagged, write_at
from codemation.core.values.refusal import Refusal, shorten

_FACTORIES: Final[Mapping[str, Callable[[], object]]] = {
    kind.__name__: kind for kind in (bool, bytes, dict, float, frozenset, int, list, set, str, tuple)
}
"""What a stored defaultdict may call for a key that is missing."""


def install() -> None:
    """Teach the codec these values."""
    structure(list, write_sequence)
    structure(dict, _write_dict)
    structure(tuple, _writer("tuple", write_sequence))
    structure(set, _writer("set", _write_set))
    structure(frozenset, _writer("frozenset", _write_set))
    structure(OrderedDict, _writer("ordered", _write_pairs))
    structure(Counter, _writer("counter", _write_pairs))
    structure(deque, _write_deque)
    structure(defaultdict, _write_defaultdict)
    tagged("dict", _read_pairs)
    tagged("tuple", lambda stored, reader: tuple(_list(stored, reader)))
    tagged("set", _set_reader(set))
    tagged("frozenset", _set_reader(frozenset))
    tagged("ordered", lambda stored, reader: OrderedDict(_read_pairs(stored, reader)))
    tagged("counter", lambda stored, reader: Counter(_read_pairs(stored, reader)))
    tagged("deque", lambda stored, reader: deque(_list(stored, reader), _max_length(stored)))
    tagged("default", _read_defaultdict)


def write_sequence(values: Collection[object], depth: int) -> list[JsonValue]:
    """The stored forms of the values of a list."""
    stored: list[JsonValue] = []
    try:
        for value in values:
            stored.append(write_at(value, depth + 1))  # noqa: PERF401 - the length so far is the place of a refusal
    except Refusal as refusal:
        refusal.within(f"[{len(stored)}]", values)
        raise
    return stored


def write_attributes(values: Mapping[str, object], owner: object, depth: int) -> dict[str, JsonValue]:
    """The stored forms of the attributes of an object, by name."""
    stored: dict[str, JsonValue] = {}
    name = ""
    try:
        for name, value in values.items():
            stored[name] = write_at(value, depth + 1)
    except Refusal as refusal:
        refusal.within(f".{name}", owner)
        raise
    return stored


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: it can unless it holds lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _writer(tag: str, encode: Callable[[Any, int], list[JsonValue]]) -> Encoder:
    return lambda value, depth: {TAG: tag, "v": encode(value, depth)}


def _write_dict(value: dict[object, object], depth: int) -> JsonValue:
    for key in value:
        if type(key) is not str or key == TAG or not (key.isascii() or is_unicode(key)):
            return {TAG: "dict", "v": _write_pairs(value, depth)}
    stored: dict[str, JsonValue] = {}
    name = ""
    try:
        for name, item in value.items():  # type: ignore[assignment]
            stored[name] = write_at(item, depth + 1)
    except Refusal as refusal:
        refusal.within(_step(name), value)
        raise
    return stored


def _write_pairs(value: Mapping[object, object], depth: int) -> list[JsonValue]:
    stored: list[JsonValue] = []
    step = ""
    try:
        for key, item in value.items():
            step = f".keys()[{len(stored)}]"
            key_form = write_at(key, depth + 1)
            step = _step(key)
            stored.append([key_form, write_at(item, depth + 1)])
    except Refusal as refusal:
        refusal.within(step, value)
        raise
    return stored


def _write_set(values: Iterable[object], depth: int) -> list[JsonValue]:
    """The members in an order of their own: that of a set changes from process to process."""
    try:
        members = [write_at(value, depth + 1) for value in values]
    except Refusal as refusal:
        refusal.within("{…}", values)
        raise
    return sorted(members, key=json.dumps)


def _write_deque(value: deque[object], depth: int) -> JsonValue:
    return {TAG: "deque", "v": list(write_sequence(value, depth)), "max": value.maxlen}


def _write_defaultdict(value: defaultdict[object, object], depth: int) -> JsonValue:
    factory = value.default_factory
    name = None if factory is None else getattr(factory, "__name__", "")
    if name is not None and _FACTORIES.get(name) is not factory:
        raise Refusal(
            defaultdict,
            reason="a defaultdict whose factory is a function of your own cannot be stored",
            way_out="return dict(…) of it",
        )
    return {TAG: "default", "factory": name, "v": _write_pairs(value, depth)}


def _read_pairs(stored: dict[str, JsonValue], reader: Reader) -> dict[object, object]:
    made: dict[object, object] = {}
    pairs: list[Any] = _list(stored, reader)
    for key, item in pairs:
        try:
            made[key] = item
        except TypeError:
            raise PayloadLost(
                f"a key of a stored dict came back as a plain {type(key).__name__}, which cannot be a key",
                way_out="make the class of the key importable here again",
            ) from None
    return made


def _read_defaultdict(stored: dict[str, JsonValue], reader: Reader) -> object:
    name = stored["factory"]
    return defaultdict(None if name is None else _FACTORIES[str(name)], _read_pairs(stored, reader))


def _set_reader(kind: type[set[object]] | type[frozenset[object]]) -> Decoder:
    def read(stored: dict[str, JsonValue], reader: Reader) -> object:
        members = _list(stored, reader)
        try:
            return kind(members)
        except TypeError:  # members whose class is gone came back as dicts, which no set can hold
            return members

    return read


def _list(stored: dict[str, JsonValue], reader: Reader) -> list[object]:
    members = reader.read(stored["v"])
    if not isinstance(members, list):
        raise TypeError(f"it holds {type(members).__name__} where a list belongs")
    return members


def _max_length(stored: dict[str, JsonValue]) -> int | None:
    length = stored["max"]
    return length if isinstance(length, int) else None


def _step(key: object) -> str:
    """How a path spells a key; only of plain values, since others may say too much in their repr."""
    plain = type(key) in (str, int, float, bool, type(None))
    return f"[{shorten(repr(key)) if plain else f'<{type(key).__name__}>'}]"

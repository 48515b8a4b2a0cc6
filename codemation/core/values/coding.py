"""The walk over a value into its stored form, and back.

The walk knows nothing about single types: `register` teaches it a class, `structure` a class whose parts it must walk
itself, `family` a whole kind of classes. The encoder of a class is looked up once and kept, because this is the path
that every item of every batch takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import JsonValue

from codemation.core.errors import PayloadLost
from codemation.core.names import plain_module
from codemation.core.values.classes import Classes
from codemation.core.values.refusal import MAX_DEPTH, Refusal, refusal_of, too_deep

T = TypeVar("T")

Encoder: TypeAlias = Callable[[Any, int], JsonValue]
"""Takes a value and its depth."""
Decoder: TypeAlias = Callable[[dict[str, JsonValue], "Reader"], object]
"""Takes a tagged object and the reader of what is inside."""
Family: TypeAlias = Callable[[type], Encoder | None]
"""Gives the encoder of a class, if the class is of its kind."""

TAG: Final = "$"

_KNOWN_CLASSES = 1_000
"""Encoders kept; a bound, because a notebook defines its classes again and again."""

_encoders: dict[type, Encoder] = {}
_found: dict[type, Encoder] = {}
_decoders: dict[str, Decoder] = {}
_owners: dict[str, str] = {}
_families: list[Family] = []


def register(cls: type[T], tag: str, encode: Callable[[T], object], decode: Callable[[Any], T]) -> None:
    """Teach the codec a class: `encode` gives a value that can be stored, `decode` makes the object from it again.

    Holds for the class itself, not for its subclasses. Registering the class again (a reloaded module) replaces what
    was said before.

    Raises:
        ValueError: the tag belongs to another class.
    """
    claim(tag, f"{plain_module(cls.__module__)}:{cls.__qualname__}")

    def write(value: T, depth: int) -> JsonValue:
        return {TAG: tag, "v": write_at(encode(value), depth + 1)}

    def read(tagged: dict[str, JsonValue], reader: Reader) -> T:
        return decode(reader.read(tagged["v"]))

    structure(cls, write)
    _decoders[tag] = read


def structure(cls: type, encoder: Encoder) -> None:
    """Let the walk encode a class with `encoder`, which is told the depth and walks the parts itself."""
    _encoders[cls] = encoder
    _found.clear()


def family(recognise: Family) -> None:
    """Let the walk ask `recognise` about every class that it does not know by itself."""
    _families.append(recognise)
    _found.clear()


def tagged(tag: str, decoder: Decoder) -> None:
    """Let the reader decode the tagged objects of `tag` with `decoder`."""
    claim(tag, "codemation")
    _decoders[tag] = decoder


def claim(tag: str, owner: str) -> None:
    """Note whom a tag belongs to.

    Raises:
        ValueError: it belongs to somebody else.
    """
    other = _owners.setdefault(tag, owner)
    if other != owner:
        raise ValueError(f"the tag {tag!r} of {owner} is already taken by {other}; choose another one")


def encode(value: object) -> JsonValue:
    """The stored form of one value.

    Raises:
        Unstorable: something in it cannot be stored; the error says what, and where in the value.
    """
    try:
        return write_at(value, 0)
    except Refusal as refusal:
        raise refusal.unstorable() from refusal.__cause__


def decode(json: JsonValue) -> object:
    """The value that `encode` was given; for classes that have changed or are gone see the head of the package.

    Raises:
        PayloadLost: the stored form is damaged, or uses a tag that nobody here has registered.
        ContractError: a class has changed, and what is stored does not fit it any more.
    """
    return Reader().whole(json)


def write_at(value: object, depth: int) -> JsonValue:
    """The stored form of a value that stands `depth` levels inside another.

    Raises:
        Refusal: it cannot be stored.
    """
    if type(value) is str and value.isascii():
        return value
    if depth > MAX_DEPTH:
        raise too_deep(value)
    kind = type(value)
    encoder = _found.get(kind) or _find(kind)
    return encoder(value, depth)


def _find(kind: type) -> Encoder:
    if len(_found) >= _KNOWN_CLASSES:
        _found.clear()
    encoder = _encoders.get(kind)
    for recognise in _families:
        encoder = encoder or recognise(kind)
    _found[kind] = encoder = encoder or _refuse
    return encoder


def _refuse(value: object, _depth: int) -> JsonValue:
    raise refusal_of(value)


class Reader:
    """Reads stored forms; finds each class that they name once."""

    def __init__(self) -> None:
        self.classes = Classes()

    def whole(self, json: JsonValue) -> object:
        """The value of a stored form that stands inside no other."""
        return self.guard(lambda: self.read(json), "value")

    def guard(self, work: Callable[[], T], what: str) -> T:
        """What `work` gives; whatever it stumbles over in what is stored becomes a `PayloadLost`.

        Raises:
            PayloadLost: the stored form is damaged.
        """
        try:
            return work()
        except RecursionError:
            raise PayloadLost(
                f"a stored {what} is nested deeper than the {MAX_DEPTH} levels that are written"
            ) from None
        except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError, OSError) as error:
            raise PayloadLost(f"a stored {what} is damaged: {type(error).__name__}: {error}") from error

    def read(self, json: JsonValue) -> object:
        """The value of a stored form."""
        if type(json) is dict:
            if TAG in json:
                return self._tagged(json)
            read = self.read
            return {key: read(item) if type(item) in (dict, list) else item for key, item in json.items()}
        if type(json) is list:
            read = self.read
            return [read(item) if type(item) in (dict, list) else item for item in json]
        return json

    def _tagged(self, json: dict[str, JsonValue]) -> object:
        tag = json[TAG]
        decoder = _decoders.get(tag) if isinstance(tag, str) else None
        if decoder is None:
            raise PayloadLost(
                f"a stored value has the unknown tag {tag!r}",
                way_out="import the package that registers it, or update codemation: a newer one may have written it",
            )
        return decoder(json, self)

"""Values without parts: texts, numbers, times, identifiers, addresses."""

from __future__ import annotations

import base64
import pathlib
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pydantic
from pydantic import JsonValue

from codemation.core.values.classes import refer
from codemation.core.values.coding import TAG, Encoder, Reader, family, register, structure, tagged
from codemation.core.values.refusal import Refusal

_PLAIN_INT_BITS = 2_048
"""Longer ints are written in hexadecimal, where Python sets no limit to the number of digits."""

_FOREIGN_ZONE: Any = type(pydantic.TypeAdapter(datetime).validate_python("2000-01-01T00:00:00+01:00").tzinfo)
"""The class of the fixed offsets that pydantic gives to the times it parses; it has no public name."""

_URLS = frozenset({"_BaseUrl", "_BaseMultiHostUrl"})
"""The bases of pydantic's urls; known by name, because importing them takes longer than all else here."""

_Moment = TypeVar("_Moment", datetime, time)


def install() -> None:
    """Teach the codec these values."""
    structure(type(None), lambda value, _depth: value)
    structure(bool, lambda value, _depth: value)
    structure(str, _write_text)
    structure(int, _write_int)
    structure(float, _write_float)
    tagged("str", _read_text)
    tagged("int", lambda stored, _reader: int(str(stored["v"]), 16))
    tagged("float", lambda stored, _reader: float(str(stored["v"])))
    register(bytes, "bytes", _base64, base64.b64decode)
    register(bytearray, "bytearray", _base64, lambda text: bytearray(base64.b64decode(text)))
    register(complex, "complex", lambda number: [number.real, number.imag], lambda parts: complex(*parts))
    register(datetime, "datetime", _write_moment, lambda stored: _read_moment(stored, datetime))
    register(time, "time", _write_moment, lambda stored: _read_moment(stored, time))
    register(date, "date", date.isoformat, date.fromisoformat)
    register(timedelta, "timedelta", lambda span: [span.days, span.seconds, span.microseconds], lambda v: timedelta(*v))
    for kind in (
        Decimal,
        Fraction,
        UUID,
        IPv4Address,
        IPv6Address,
        IPv4Network,
        IPv6Network,
        IPv4Interface,
        IPv6Interface,
    ):
        register(kind, kind.__name__.lower(), str, kind)
    _install_paths()
    family(_url_encoder)
    tagged("url", _read_url)


def _write_text(text: str, _depth: int) -> JsonValue:
    try:
        text.encode()
    except UnicodeEncodeError:
        # UTF-8 has no lone surrogates, and JSON would join two that stand side by side into one character.
        return {TAG: "str", "v": _base64(text.encode("utf-8", "surrogatepass"))}
    return text


def _read_text(stored: dict[str, Any], _reader: Reader) -> str:
    return base64.b64decode(stored["v"]).decode("utf-8", "surrogatepass")


def _write_int(number: int, _depth: int) -> JsonValue:
    return number if is_short(number) else {TAG: "int", "v": hex(number)}


def is_short(number: int) -> bool:
    """Whether an int is written as a plain number."""
    return number.bit_length() <= _PLAIN_INT_BITS


def _write_float(number: float, _depth: int) -> JsonValue:
    return number if number - number == 0 else {TAG: "float", "v": repr(number)}


def _base64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode("ascii")


def _install_paths() -> None:
    for pure, concrete in (
        (pathlib.PurePosixPath, pathlib.PosixPath),
        (pathlib.PureWindowsPath, pathlib.WindowsPath),
    ):
        here = isinstance(pathlib.Path(), concrete)
        register(pure, pure.__name__.lower(), _write_path, pure)
        # A path of the other operating system can be looked at here, but not opened.
        register(concrete, concrete.__name__.lower(), _write_path, concrete if here else pure)  # type: ignore[arg-type]


def _write_path(path: pathlib.PurePath) -> JsonValue:
    """The text of a path, which for some names of Windows devices would be read as another path.

    Raises:
        Refusal: it is one of these.
    """
    text = str(path)
    if type(path)(text) != path:
        raise Refusal(type(path), way_out="Python reads another path from its text: give the text itself")
    return text


def write_zone(zone: tzinfo | None) -> JsonValue:
    """The stored form of a time zone.

    Raises:
        Refusal: it is neither a fixed offset nor a zone with a name.
    """
    match zone:
        case None:
            return None
        case timezone():
            offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
            return ["fixed", offset // timedelta(microseconds=1), *name]
        case ZoneInfo(key=str(key)):
            return ["zone", key]
        case _ if type(zone) is _FOREIGN_ZONE:
            offset = zone.utcoffset(None)
            return ["pydantic", int(offset.total_seconds()) if offset else 0]
    raise Refusal(type(zone), way_out="use a zoneinfo.ZoneInfo or datetime.timezone as time zone")


def read_zone(stored: Any) -> tzinfo | None:
    """The time zone of a stored form."""
    match stored:
        case None:
            return None
        case ["fixed", offset, *name]:
            return timezone(timedelta(microseconds=offset), *name)
        case ["zone", key]:
            return ZoneInfo(key)
        case ["pydantic", seconds]:
            zone: tzinfo = _FOREIGN_ZONE(seconds)
            return zone
    raise ValueError(f"{stored!r} is no time zone")


def _write_moment(moment: datetime | time) -> JsonValue:
    """The ISO form where it says everything, else the clock, the zone and the fold."""
    zone = moment.tzinfo
    if not moment.fold and (zone is None or _is_iso(zone)):
        return moment.isoformat()
    return [moment.replace(tzinfo=None).isoformat(), write_zone(zone), moment.fold]


def _is_iso(zone: tzinfo) -> bool:
    """Whether a zone is a nameless offset in whole minutes: Python writes others too, but may read them wrongly."""
    if type(zone) is not timezone:
        return False
    offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
    return not name and not offset % timedelta(minutes=1)


def _read_moment(stored: Any, kind: type[_Moment]) -> _Moment:
    if isinstance(stored, str):
        return kind.fromisoformat(stored)
    clock, zone, fold = stored
    return kind.fromisoformat(clock).replace(tzinfo=read_zone(zone), fold=fold)


def _is_url(cls: type) -> bool:
    return any(base.__module__ == "pydantic.networks" and base.__name__ in _URLS for base in cls.__mro__)


def _url_encoder(cls: type) -> Encoder | None:
    return (lambda url, _depth: {TAG: "url", "type": refer(cls), "v": str(url)}) if _is_url(cls) else None


def _read_url(stored: dict[str, Any], reader: Reader) -> object:
    cls = reader.classes.find(stored["type"])
    return cls(stored["v"]) if cls is not None and _is_url(cls) else stored["v"]

"""Scalars and arrays of numpy, and the times of pandas; neither is imported unless a stored value needs it."""

from __future__ import annotations

import base64
import importlib
from functools import partial
from typing import Any

from pydantic import JsonValue

from codemation.core.values.coding import TAG, Encoder, Reader, family, tagged, write_at
from codemation.core.values.refusal import Refusal
from codemation.core.values.scalars import read_zone, write_zone

_READABLE = frozenset("biufUS")
"""Kinds of numpy types whose values Python has too."""
_TIMES = frozenset("mM")
_PYTHON_FLOAT = 8
"""Bytes of the longest numpy float that a Python float holds."""


def install() -> None:
    """Teach the codec these values."""
    family(_encoder)
    tagged("numpy", _read_scalar)
    tagged("array", _read_array)
    tagged("pandas", _read_pandas)


def _encoder(cls: type) -> Encoder | None:
    package, _, _ = cls.__module__.partition(".")
    if package == "pandas" and cls.__name__ in ("Timestamp", "Timedelta"):
        return _write_pandas_time
    if package == "pandas" and cls.__name__ in ("NaTType", "NAType"):
        return partial(_write_pandas_missing, cls.__name__.removesuffix("Type"))
    if cls.__module__ == "numpy" and cls.__name__ == "ndarray":
        return _write_array
    if cls.__module__ == "numpy" and hasattr(cls, "dtype"):
        return _write_scalar
    return None


def _write_scalar(value: Any, depth: int) -> JsonValue:
    dtype = value.dtype
    stored: dict[str, JsonValue] = {TAG: "numpy", "type": dtype.str}
    if dtype.kind in _READABLE and (dtype.kind != "f" or dtype.itemsize <= _PYTHON_FLOAT):
        stored["v"] = write_at(value.item(), depth + 1)
    elif dtype.kind in _TIMES:
        stored["v"] = int(value.view("i8"))
    elif dtype.kind in "fc":
        stored["bytes"] = _base64(value.tobytes())
    else:
        raise Refusal(type(value), way_out="return its fields as a dict")
    return stored


def _read_scalar(stored: dict[str, Any], reader: Reader) -> object:
    numpy = importlib.import_module("numpy")
    dtype = numpy.dtype(stored["type"])
    if "bytes" in stored:
        return numpy.frombuffer(base64.b64decode(stored["bytes"]), dtype)[0]
    if dtype.kind in _TIMES:
        return numpy.array(stored["v"], "i8").view(dtype)[()]
    return dtype.type(reader.read(stored["v"]))


def _write_array(value: Any, _depth: int) -> JsonValue:
    if value.dtype.kind not in _READABLE | _TIMES | {"c"}:
        raise Refusal(
            type(value), reason=f"an array of {value.dtype} cannot be stored", way_out="return array.tolist()"
        )
    return {TAG: "array", "type": value.dtype.str, "shape": list(value.shape), "bytes": _base64(value.tobytes())}


def _read_array(stored: dict[str, Any], _reader: Reader) -> object:
    numpy = importlib.import_module("numpy")
    data = bytearray(base64.b64decode(stored["bytes"]))  # a bytearray, so that the array can be written to
    return numpy.frombuffer(data, numpy.dtype(stored["type"])).reshape(stored["shape"])


def _write_pandas_time(value: Any, _depth: int) -> JsonValue:
    stored: dict[str, JsonValue] = {
        TAG: "pandas",
        "type": type(value).__name__,
        "unit": value.unit,
        "v": int(value.asm8.view("i8")),
    }
    zone = getattr(value, "tzinfo", None)
    return stored if zone is None else {**stored, "zone": write_zone(zone)}


def _write_pandas_missing(name: str, _value: object, _depth: int) -> JsonValue:
    return {TAG: "pandas", "type": name}


def _read_pandas(stored: dict[str, Any], _reader: Reader) -> object:
    pandas = importlib.import_module("pandas")
    match stored:
        case {"type": "NaT"}:
            return pandas.NaT
        case {"type": "NA"}:
            return pandas.NA
        case {"type": "Timedelta", "v": ticks, "unit": unit}:
            return pandas.Timedelta(ticks, unit=unit).as_unit(unit)
        case {"type": "Timestamp", "v": ticks, "unit": unit, "zone": zone}:
            return pandas.Timestamp(ticks, unit=unit, tz="UTC").as_unit(unit).tz_convert(read_zone(zone))
        case {"type": "Timestamp", "v": ticks, "unit": unit}:
            return pandas.Timestamp(ticks, unit=unit).as_unit(unit)
    raise ValueError(f"{stored['type']} is no value of pandas that is stored")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")

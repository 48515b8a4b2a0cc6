"""Reading JSON lines: pyarrow reads, and lines that it cannot read are found by halving."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json

from codemation.core.errors import ContractError
from codemation.nodes.tables.arrow import LONG, check_columns, is_long, opened, type_of
from codemation.nodes.tables.lines import BadRows

_ZONED: Final = r"\d[T ]\d.*(Z|[+-]\d\d(:?\d\d)?)$"
"""A time that says its zone."""
_BLOCK = 16 * 2**20
"""Bytes that are read at a time; a longer line is read whole."""


def read(path: Path, columns: list[str] | None, types: dict[str, str] | None) -> tuple[pa.Table, BadRows]:
    """The good lines of a file, and the bad ones; of the file itself no more than a block is in memory.

    Raises:
        ContractError: a column that was named is not there, or a column holds values of different types.
    """
    wanted = {name: type_of(spelt) for name, spelt in (types or {}).items()}
    bad, tables = BadRows(path), [_table(b"", wanted)]
    for first, block in _blocks(path):
        tables.append(_read(path, first, block, wanted, bad))
    try:
        table = pa.concat_tables(tables[1:] or tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise _no_table(path, error) from None
    if columns is not None:
        check_columns(columns, table.column_names, str(path))
        table = table.select(columns)
    return table, bad


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """The file in blocks of whole lines, each with the number of its first line."""
    first, rest = 1, b""
    with opened(path) as stream:
        while read := stream.read(_BLOCK):
            block, newline, after = read.rpartition(b"\n")
            if not newline:
                rest += read
                continue
            yield first, rest + block
            first += rest.count(b"\n") + block.count(b"\n") + 1
            rest = after
    if rest:
        yield first, rest


def _read(path: Path, first: int, block: bytes, types: dict[str, pa.DataType], bad: BadRows) -> pa.Table:
    try:
        return _table(block, types)
    except pa.ArrowInvalid:
        good = _good_lines(first, block, types, bad)
    try:
        return _table(b"\n".join(good), types)
    except pa.ArrowInvalid as error:
        raise _no_table(path, error) from None


def _no_table(path: Path, error: Exception) -> ContractError:
    said = " ".join(str(error).split())
    return ContractError(f"{path} is no one table: {said}", way_out='say the types: types={"column": "str"}')


def _table(data: bytes, types: dict[str, pa.DataType]) -> pa.Table:
    """The lines as a table; what Arrow would guess to be less than it is is given a type that holds it.

    A time with a zone stays one, and whole numbers beyond 64 bits become decimals.
    """
    if not data.strip():
        return pa.schema(list(types.items())).empty_table()
    table = _parsed(data, types)
    better = {one.name: kind for one in table.schema if one.name not in types and (kind := _better(data, table, one))}
    return _parsed(data, types | better).select(table.column_names) if better else table


def _better(data: bytes, table: pa.Table, column: pa.Field[Any]) -> pa.DataType | None:
    """A type for a column, if that which was guessed loses something."""
    if pa.types.is_timestamp(column.type):
        texts = _parsed(data, {column.name: pa.string()}).column(column.name).drop_null()
        zoned = pc.match_substring_regex(texts, _ZONED)
        if pc.all(zoned).as_py():
            return pa.timestamp(column.type.unit, "UTC")
        return pa.string() if pc.any(zoned).as_py() else None
    if pa.types.is_floating(column.type) and is_long(table.column(column.name)):
        with suppress(pa.ArrowInvalid):  # has parts of a whole
            _parsed(data, {column.name: LONG})
            return LONG
    return None


def _parsed(data: bytes, types: dict[str, pa.DataType]) -> pa.Table:
    schema = pa.schema(list(types.items())) if types else None
    return arrow_json.read_json(
        io.BytesIO(data),
        read_options=arrow_json.ReadOptions(block_size=max(min(len(data), 2**31 - 1), _BLOCK)),
        parse_options=arrow_json.ParseOptions(explicit_schema=schema),
    )


def _good_lines(first: int, data: bytes, types: dict[str, pa.DataType], bad: BadRows) -> list[bytes]:
    """The lines that hold an object whose values have the types that were said; the others are noted."""
    good: list[bytes] = []
    for number, line in enumerate(data.split(b"\n"), first):
        if not line.strip():
            continue
        reason = _reason(line, types)
        if reason:
            bad.add(number, line.decode("utf-8", "replace"), reason)
        else:
            good.append(line)
    return good


def _reason(line: bytes, types: dict[str, pa.DataType]) -> str:
    try:
        held: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    if not isinstance(held, dict):
        said = " (JSON lines have an object on each line, and no list around them)" if isinstance(held, list) else ""
        return f"no object but {type(held).__name__}{said}"
    if not types:
        return ""
    for name, kind in types.items():
        if name in held and not _fits(name, held[name], kind):
            return f"{name} is {held[name]!r}, which is no {kind}"
    return ""


def _fits(name: str, value: Any, kind: pa.DataType) -> bool:
    try:
        _table(json.dumps({name: value}).encode(), {name: kind})
    except pa.ArrowInvalid:
        return False
    return True

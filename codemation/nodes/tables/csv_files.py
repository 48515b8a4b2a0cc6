"""Reading CSV: pyarrow reads, and where it cannot, Python's own reader says which line is to blame."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from codemation.core.errors import ContractError, NodeError
from codemation.nodes.tables.arrow import LONG, Column, check_columns, failing, is_long, opened, type_of
from codemation.nodes.tables.lines import MOST, BadRows

_LOOKED_AT: Final = 2**22
"""Bytes that are looked at at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvForm:
    """How a CSV file is written, and how it is to be read."""

    delimiter: str = ","
    quote: str = '"'
    header: list[str] | None = None
    """Names of the columns, for a file that has no line of them."""
    encoding: str = "utf8"
    nulls: list[str] | None = None
    """Texts that mean that there is no value; the usual ones if not given."""
    columns: list[str] | None = None
    types: dict[str, str] | None = None

    def options(self, skip: Any, types: dict[str, pa.DataType]) -> dict[str, Any]:
        """What pyarrow is told."""
        convert: dict[str, Any] = {"column_types": types, "strings_can_be_null": self.nulls is not None}
        if self.nulls is not None:
            convert["null_values"] = self.nulls
        if self.columns is not None:
            convert["include_columns"] = self.columns
        return {
            "read_options": arrow_csv.ReadOptions(column_names=self.header, encoding=self.encoding),
            "parse_options": arrow_csv.ParseOptions(
                delimiter=self.delimiter, quote_char=self.quote, newlines_in_values=True, invalid_row_handler=skip
            ),
            "convert_options": arrow_csv.ConvertOptions(**convert),
        }


def read(path: Path, form: CsvForm) -> tuple[pa.Table, BadRows]:
    """The good rows of a file, and the bad ones.

    Raises:
        NodeError: it cannot be read at all.
        ContractError: a column that was named is not there.
    """
    types = {name: type_of(spelt) for name, spelt in (form.types or {}).items()}
    bad, skipped = BadRows(path), [0]
    try:
        table = _read(path, form, types, skipped)
    except pa.ArrowInvalid as error:
        if not types:
            raise _unreadable(path, error) from error
        return _with_bad_values(path, form, types, bad)
    check_columns(types, table.column_names, str(path))
    if skipped[0]:
        _locate(path, form, bad, {})
    _check_the_end(path, form, table)
    return _with_all_digits(path, form, types, table), bad


def _read(path: Path, form: CsvForm, types: dict[str, pa.DataType], skipped: list[int]) -> pa.Table:
    def skip(_: arrow_csv.InvalidRow) -> Any:
        skipped[0] += 1
        return "skip"

    try:
        with opened(path) as stream:
            table: pa.Table = arrow_csv.read_csv(stream, **form.options(skip, types))
            names = table.column_names  # which may be no text
    except (KeyError, pa.ArrowKeyError) as error:
        raise _no_column(path, form, error) from None
    except (UnicodeDecodeError, LookupError) as error:
        raise _unreadable(path, error) from error
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise NodeError(
            f"{path} has two columns called {twice!r}",
            way_out="columns=[…] reads the others, or correct its first line",
        )
    return table


def _no_column(path: Path, form: CsvForm, error: Exception) -> Exception:
    names = form.header or next(_records(path, form), (0, []))[1]
    try:
        check_columns(form.columns or [], names, str(path))
    except ContractError as missing:
        return missing
    return _unreadable(path, error)


def _unreadable(path: Path, error: Exception) -> NodeError:
    if "Empty CSV file" in str(error):
        return NodeError(f"{path} is empty: it does not even name its columns", way_out="header=[…] names them")
    said = " ".join(str(error).split())
    return NodeError(
        f"{path} cannot be read as CSV: {said}", way_out="see its delimiter=, quote= and encoding=, or name its columns"
    )


def _with_bad_values(
    path: Path, form: CsvForm, types: dict[str, pa.DataType], bad: BadRows
) -> tuple[pa.Table, BadRows]:
    """Read the columns with types as text first, and see which of their values do not fit."""
    texts = _read(path, form, dict.fromkeys(types, pa.string()), [0])
    check_columns(types, texts.column_names, str(path))
    reasons: dict[int, str] = {}
    for name, kind in types.items():
        column = texts.select([name])

        def works(start: int, stop: int, column: pa.Table = column, kind: pa.DataType = kind) -> bool:
            return _converted(column.slice(start, stop - start), form, kind) is not None

        for row in failing(texts.num_rows, works, MOST + 1):
            reasons.setdefault(row, f"{name} is {texts.column(name)[row].as_py()!r}, which is no {kind}")
    good = texts.take(pa.array([row for row in range(texts.num_rows) if row not in reasons], pa.int64()))
    for name, kind in types.items():
        made = _converted(good.select([name]), form, kind)
        if made is None:
            raise NodeError(f"{path}: the column {name!r} cannot be read as {kind}")
        good = good.set_column(good.column_names.index(name), name, made.column(0))
    _locate(path, form, bad, reasons)
    return good, bad


def _check_the_end(path: Path, form: CsvForm, table: pa.Table) -> None:
    """Refuse a file whose last field is all of the rest, since a quote in it was never closed."""
    last = table.slice(max(table.num_rows - 1, 0)).to_pylist()
    if any(isinstance(value, str) and "\n" in value for row in last for value in row.values()):
        for _ in _records(path, form, strict=True):
            pass


def _with_all_digits(path: Path, form: CsvForm, types: dict[str, pa.DataType], table: pa.Table) -> pa.Table:
    """The table with other types where those that were guessed lose digits: decimals for long numbers, texts for `007`.

    Raises:
        NodeError: what was guessed to be bytes is text in another encoding.
    """
    guessed = [one for one in table.schema if one.name not in types]
    if broken := next((one.name for one in guessed if pa.types.is_binary(one.type)), None):
        first = next(value for value in table.column(broken).to_pylist() if value and not _is_utf8(value))
        raise NodeError(
            f"{path}: {broken} holds {first!r:.80}, which is no UTF-8",
            way_out=f'encoding="cp1252" or "latin-1", or types={{"{broken}": "bytes"}}',
        )
    whole = [one.name for one in guessed if pa.types.is_integer(one.type)]
    broad = [one.name for one in guessed if pa.types.is_floating(one.type)]
    doubtful = [name for name in broad if is_long(table.column(name))]
    if whole + broad and _may_hold_zeros_in_front(path, form):
        doubtful = whole + broad
    for name in doubtful:
        texts = _column(path, form, name, pa.string())
        if pc.any(pc.match_substring_regex(texts, r"^\s*[+-]?0[0-9]")).as_py():
            table = table.set_column(table.column_names.index(name), name, texts)
        elif name in broad and is_long(table.column(name)):
            with suppress(pa.ArrowInvalid):  # parts of a whole, or an exponent: a broad number it is
                exact = _column(path, form, name, LONG)
                table = table.set_column(table.column_names.index(name), name, exact)
    return table


def _column(path: Path, form: CsvForm, name: str, kind: pa.DataType) -> Column:
    return _read(path, replace(form, columns=[name]), {name: kind}, [0]).column(0)


def _is_utf8(value: bytes) -> bool:
    try:
        return bool(value.decode())
    except UnicodeDecodeError:
        return False


def _may_hold_zeros_in_front(path: Path, form: CsvForm) -> bool:
    """Whether a field may begin with a zero and another digit, as codes do: a quick look at the bytes."""
    if "0".encode(form.encoding) != b"0":
        return True
    before = [mark.encode() for mark in ("\n", form.delimiter, form.quote)]
    patterns = [re.compile(re.escape(mark) + b"0[0-9]") for mark in before]
    with opened(path) as stream:
        rest = b"\n"
        while read := stream.read(_LOOKED_AT):
            if any(pattern.search(rest + read) for pattern in patterns):
                return True
            rest = (rest + read)[-2:]
    return False


def _converted(column: pa.Table, form: CsvForm, kind: pa.DataType) -> pa.Table | None:
    """A column of texts as another type, in just the way in which a file is read; `None` when it cannot be."""
    sink = io.BytesIO()
    arrow_csv.write_csv(column, sink, arrow_csv.WriteOptions(quoting_style="needed"))
    options = CsvForm(nulls=form.nulls).options(None, {column.column_names[0]: kind})
    options["parse_options"] = arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    options["read_options"] = arrow_csv.ReadOptions(column_names=column.column_names, skip_rows=1)
    if not column.num_rows:
        return pa.table({column.column_names[0]: pa.array([], kind)})
    try:
        return arrow_csv.read_csv(io.BytesIO(sink.getvalue()), **options)
    except pa.ArrowInvalid:
        return None


def _locate(path: Path, form: CsvForm, bad: BadRows, reasons: dict[int, str]) -> None:
    """Find the lines of rows with too few or too many fields, and of the numbered good ones that have bad values."""
    records = _records(path, form)
    width = len(form.header) if form.header is not None else len(next(records, (0, []))[1])
    row = -1
    for line, record in records:
        if len(record) != width:
            bad.add(line, form.delimiter.join(record), f"{len(record)} fields instead of {width}")
            continue
        row += 1
        if row in reasons:
            bad.add(line, form.delimiter.join(record), reasons[row])


def _records(path: Path, form: CsvForm, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The records of a file, each with the line on which it begins; `strict` refuses a quote that is never closed."""
    with opened(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig" if form.encoding == "utf8" else form.encoding, newline="")
        reader = csv.reader(text, delimiter=form.delimiter, quotechar=form.quote, strict=strict)
        line = 1
        try:
            for record in reader:
                if record:
                    yield line, record
                line = reader.line_num + 1
        except csv.Error as error:
            open_quote = "unexpected end" in str(error)
            if open_quote or not strict:
                said = "a quote is opened and never closed" if open_quote else str(error)
                raise NodeError(f"{path}, line {line}: {said}", way_out="see its quote= and delimiter=") from None

"""Tables of every library as Arrow, and Arrow as a table of the library that is wanted."""

from __future__ import annotations

import importlib
import io
import json
import typing
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from codemation.core.errors import ContractError
from codemation.core.tables import Derived, is_table_type
from codemation.core.values import Unstorable
from codemation.host.tables import stream
from codemation.host.tables.kinds import objection

_EXACT_FLOATS: Final = 2**53
"""Whole numbers up to here survive being floats."""


def to_arrow(table: Any) -> pa.Table:
    """A table of any library as Arrow.

    Raises:
        Unstorable: it is no table, or has columns that Arrow has no type for.
    """
    if isinstance(table, Derived):
        table = table.table
    cls = type(table)
    try:
        match _library(cls):
            case "pandas":
                arrow = _from_pandas(table)
            case "polars":
                arrow = _from_polars(table)
            case "pyarrow" if isinstance(table, pa.Table):
                arrow = table
            case _:
                arrow = pa.RecordBatchReader.from_stream(table).read_all()
    except (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise Unstorable(
            "table",
            cls.__name__,
            reason=f"this {cls.__name__} cannot be stored: {error}",
            way_out="return a table whose columns are of one type each, or convert the column before returning it",
        ) from error
    names = arrow.column_names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Unstorable(
            f"table[{twice[0]!r}]",
            cls.__name__,
            reason="the table has two columns of this name",
            way_out="give each column a name of its own",
        )
    return _without_index(arrow)


def from_bytes(data: bytes | memoryview, wanted: Any) -> object:
    """A stored table as an object of the class that is wanted (of a union: of its first).

    Raises:
        PayloadLost: the bytes are damaged.
        ContractError: the class is no table that can be made from Arrow.
    """
    cls = next((member for member in typing.get_args(wanted) if is_table_type(member)), wanted)
    if not is_table_type(cls):
        raise ContractError(
            f"a table is given, and {getattr(cls, '__name__', cls)} is no class of tables",
            way_out="annotate it with pandas.DataFrame, polars.DataFrame or pyarrow.Table",
        )
    for base in cls.__mro__:
        make = _MAKERS.get((_library(base), base.__name__))
        if make is not None:
            return make(data)
        if hasattr(base, "from_arrow"):
            return base.from_arrow(stream.read(data))
    raise ContractError(
        f"no table of {cls.__module__}.{cls.__qualname__} can be made: it has no from_arrow",
        way_out="annotate it with pyarrow.Table, and convert it in the node",
    )


def _library(cls: type) -> str:
    return cls.__module__.partition(".")[0]


def _from_pandas(frame: Any) -> pa.Table:
    if not hasattr(frame, "columns"):
        raise TypeError("it is one column; return its to_frame()")
    named = [name for name in frame.index.names if name is not None]
    if named:
        frame = frame.reset_index(level=named)
    _check_objects(frame)
    return pa.Table.from_pandas(frame, preserve_index=False)


def _check_objects(frame: Any) -> None:
    """Refuse the columns that Arrow would take without a word, changing some of their values."""
    for at, dtype in enumerate(frame.dtypes):
        if str(dtype) == "object" and (reason := objection(frame.iloc[:, at].dropna())):
            raise TypeError(f"column {frame.columns[at]!r} {reason}")


def _from_polars(frame: Any) -> pa.Table:
    polars = importlib.import_module("polars")
    if isinstance(frame, polars.Series):
        raise TypeError("it is one column; return its to_frame()")
    if isinstance(frame, polars.LazyFrame):
        frame = frame.collect()
    for name, dtype in frame.schema.items():
        # Arrow would be given the addresses of the objects.
        if dtype == polars.Object:
            raise TypeError(f"column {name!r} holds Python objects")
    # Not through the Arrow stream: it gives string views, which the other libraries cannot read yet.
    arrow: pa.Table = frame.to_arrow()
    return arrow


def _without_index(table: pa.Table) -> pa.Table:
    """The table without the note of pandas on which of its columns were an index; the note on their types is kept."""
    metadata = table.schema.metadata or {}
    if b"pandas" not in metadata:
        return table
    note = json.loads(metadata[b"pandas"]) | {"index_columns": []}
    return table.replace_schema_metadata({**metadata, b"pandas": json.dumps(note).encode()})


def _to_pandas(data: bytes | memoryview) -> object:
    pandas = importlib.import_module("pandas")  # before the bytes are read: it brings Arrow types of its own
    table = stream.read(data)
    frame: Any
    try:
        frame = table.to_pandas()
    except (pa.ArrowException, TypeError, ValueError):
        # What pandas noted about its types is older than the columns: the table went through other hands since.
        frame = table.to_pandas(ignore_metadata=True)
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.null_count and pa.types.is_integer(column.type) and frame[name].dtype == float and _is_wide(column):
            # Beside missing values pandas makes floats of ints, which would change such numbers.
            wide = pandas.UInt64Dtype() if pa.types.is_unsigned_integer(column.type) else pandas.Int64Dtype()
            mapper: Any = {column.type: wide}.get
            frame[name] = column.to_pandas(types_mapper=mapper)
    return frame


def _is_wide(column: pa.ChunkedArray[Any]) -> bool:
    bounds: Any = pc.min_max(column).as_py()
    return any(bound is not None and abs(bound) > _EXACT_FLOATS for bound in bounds.values())


def _to_polars(data: bytes | memoryview) -> Any:
    """Decoded by polars itself, so that no second library holds the columns as well; by Arrow what polars cannot."""
    polars = importlib.import_module("polars")
    try:
        return polars.read_ipc_stream(io.BytesIO(stream.checked(data)))
    except polars.exceptions.PolarsError:
        return polars.from_arrow(stream.read(data))


def _to_batch(data: bytes | memoryview) -> object:
    return stream.one_batch(stream.read(data))


_MAKERS: Final[dict[tuple[str, str], Callable[[bytes | memoryview], object]]] = {
    ("codemation", "SupportsArrow"): stream.read,  # a node that takes tables of any library
    ("codemation", "ArrowBatches"): stream.open_stream,
    ("pyarrow", "Table"): stream.read,
    ("pyarrow", "RecordBatchReader"): stream.open_stream,
    ("pyarrow", "RecordBatch"): _to_batch,
    ("pandas", "DataFrame"): _to_pandas,
    ("polars", "DataFrame"): _to_polars,
    ("polars", "LazyFrame"): lambda data: _to_polars(data).lazy(),
}

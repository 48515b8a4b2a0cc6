"""The rows of a query as Arrow, fetched batch by batch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import sqlalchemy as sa
from pydantic import SecretStr

from codemation.core.errors import ContractError
from codemation.core.mistakes import listed, meant
from codemation.nodes.tables.databases import connected

_POSTGRESQL: Final[Mapping[int, pa.DataType]] = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int64(),
    23: pa.int64(),
    25: pa.string(),
    114: pa.string(),
    700: pa.float64(),
    701: pa.float64(),
    1042: pa.string(),
    1043: pa.string(),
    1082: pa.date32(),
    1083: pa.time64("us"),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
    1186: pa.duration("us"),
    2950: pa.string(),
    3802: pa.string(),
}
"""Types by their numbers, which tell what a column would hold that holds nothing."""


def read(url: str | SecretStr | None, query: str, parameters: Mapping[str, Any], batch_rows: int) -> pa.Table:
    """All rows of a query.

    Raises:
        ContractError: the parameters are not those of the query, or a column holds values of different types.
        NodeError: the database refuses the query.
    """
    statement = _bound(query, parameters)
    with connected(url) as connection, _closing(connection):
        options = {"stream_results": True, "yield_per": batch_rows}
        result = connection.execute(statement, dict(parameters), execution_options=options)
        if not result.returns_rows:
            raise ContractError("the query gives no rows", way_out="sql_read is for select; sql_write writes")
        names = list(result.keys())
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ContractError(
                f"two columns of the query are called {twice[0]!r}", way_out="name them: select a.id as a_id, …"
            )
        known = _known(result)
        tables = [_empty(names, known), *(_table(names, rows, known) for rows in _partitions(result))]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise ContractError(
            f"a column of the query holds values of different types: {error}", way_out="cast it in the query"
        ) from error


@contextmanager
def _closing(connection: sa.Connection) -> Iterator[None]:
    """Close the cursors of failed statements, which SQLAlchemy leaves to the collector."""
    cursors: list[Any] = []

    def remember(_: Any, cursor: Any, *__: Any) -> None:
        cursors.append(cursor)

    sa.event.listen(connection, "before_cursor_execute", remember)
    try:
        yield
    finally:
        for cursor in cursors:
            cursor.close()


def _bound(query: str, parameters: Mapping[str, Any]) -> sa.TextClause:
    statement = sa.text(query)
    wanted = list(statement.compile().params)
    for name in parameters:
        if name not in wanted:
            way_out = meant(name, wanted, f"it has {listed([f':{one}' for one in wanted])}")
            raise ContractError(f"the query has no :{name}", way_out=way_out)
    if lacking := [name for name in wanted if name not in parameters]:
        raise ContractError(f"the query needs :{lacking[0]}", way_out=f"give it by name: {lacking[0]}=…")
    several = [name for name, value in parameters.items() if isinstance(value, (list, tuple, set, frozenset))]
    return statement.bindparams(*(sa.bindparam(name, expanding=True) for name in several))


def _known(result: sa.CursorResult[Any]) -> dict[str, pa.DataType]:
    """The types of the columns as far as the database tells them."""
    if result.context.dialect.name != "postgresql":
        return {}
    told: dict[str, Any] = {column[0]: column[1] for column in result.cursor.description or ()} if result.cursor else {}
    return {name: _POSTGRESQL[code] for name, code in told.items() if code in _POSTGRESQL}


def _partitions(result: sa.CursorResult[Any]) -> Iterator[Sequence[Any]]:
    yield from result.partitions()


def _empty(names: Sequence[str], known: Mapping[str, pa.DataType]) -> pa.Table:
    return pa.schema([(name, known.get(name, pa.null())) for name in names]).empty_table()


def _table(names: Sequence[str], rows: Sequence[Any], known: Mapping[str, pa.DataType]) -> pa.Table:
    columns = {name: _column(name, [row[at] for row in rows], known.get(name)) for at, name in enumerate(names)}
    return pa.table(columns)


def _column(name: str, values: list[Any], kind: pa.DataType | None) -> Any:
    plain = [_plain(value) for value in values]
    try:
        return pa.array(plain, kind)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ContractError(
            f"the column {name!r} of the query holds what Arrow has no one type for: {error}",
            way_out=f"cast it in the query: cast({name} as text)",
        ) from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value)):
        return json.dumps(value, default=str)
    if isinstance(value, memoryview):
        return bytes(value)
    if value is None or isinstance(value, (str, bytes, int, float, Decimal, list)) or hasattr(value, "isoformat"):
        return value
    return str(value) if isinstance(value, UUID) or type(value).__module__ == "ipaddress" else value

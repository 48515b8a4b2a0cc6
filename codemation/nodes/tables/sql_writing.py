"""Rows into a table of a database, in one transaction or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, NoSuchTableError

from codemation.core.errors import ContractError
from codemation.core.mistakes import listed, meant
from codemation.nodes.tables.arrow import arrow, check_columns
from codemation.nodes.tables.databases import connected

_WRITES: Final = sa.Table(
    "codemation_writes",
    sa.MetaData(),
    sa.Column("key", sa.String(500), primary_key=True),
    sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.func.current_timestamp()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be written where, and how."""

    into: str
    how: str
    key: tuple[str, ...]
    together: bool
    """In one transaction."""
    once: str | None
    """The name of this write, if it is never to be repeated."""
    create: bool
    batch_rows: int

    def check(self, columns: Sequence[str]) -> None:
        """Refuse what makes no sense.

        Raises:
            ContractError: says what.
        """
        if (self.how == "upsert") != bool(self.key):
            raise ContractError(f'how="{self.how}" with key={list(self.key)}', way_out='how="upsert", key=["id"]')
        if not self.together and (self.once is not None or self.how == "replace"):
            what = "once=True" if self.once is not None else 'how="replace"'
            raise ContractError(f"{what} needs one transaction for all rows", way_out='leave transaction="all"')
        if self.once == "":
            raise ContractError("once=True needs a run, whose key the write is noted under")
        check_columns(self.key, columns, "what is written")


def write(url: str | SecretStr | None, table: Any, plan: Plan) -> int:
    """Write all rows; their number, which is 0 if they had been written before.

    Raises:
        ContractError: the rows do not fit the table.
        NodeError: the database refuses them.
    """
    reader = table if isinstance(table, pa.RecordBatchReader) else arrow(table).to_reader(plan.batch_rows)
    plan.check(reader.schema.names)
    with connected(url) as connection:
        if plan.once is not None:
            _WRITES.create(connection, checkfirst=True)
            connection.commit()
            if not _is_first(connection, plan.once):
                return 0
        target = _target(connection, plan, reader.schema)
        if plan.how == "replace":
            connection.execute(sa.delete(target))
        statement = _statement(connection, target, plan, reader.schema.names)
        rows = 0
        for batch in _batches(reader, target, plan.batch_rows):
            if connection.dialect.name == "sqlite":
                _check_digits(batch, reader.schema)
            connection.execute(statement, batch)
            rows += len(batch)
            if not plan.together:
                connection.commit()
        connection.commit()
    return rows


def _is_first(connection: sa.Connection, key: str) -> bool:
    """Note the write; another one of the same name that is under way is waited for."""
    try:
        connection.execute(sa.insert(_WRITES), {"key": key})
    except IntegrityError:
        connection.rollback()
        return False
    return True


def _batches(reader: pa.RecordBatchReader, target: sa.Table, size: int) -> Iterator[list[dict[str, Any]]]:
    for batch in reader:
        fitting = _in_utc(batch, target)
        for start in range(0, batch.num_rows, size):
            yield fitting.slice(start, size).to_pylist()


def _in_utc(batch: pa.RecordBatch, target: sa.Table) -> pa.RecordBatch:
    """The rows with times in UTC where they have a zone and the column has none, which would drop it."""
    for at, field in enumerate(batch.schema):
        kind: Any = target.columns[field.name].type
        if isinstance(kind, sa.DateTime) and not kind.timezone and pa.types.is_timestamp(field.type) and field.type.tz:
            column: Any = batch.column(at).cast(pa.timestamp(field.type.unit, "UTC"))
            batch = batch.set_column(at, field.name, pc.local_timestamp(column))
    return batch


def _check_digits(batch: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Refuse decimals that SQLite, which makes broad numbers of them, would give back as others."""
    for name in [field.name for field in schema if pa.types.is_decimal(field.type)]:
        for value in (row[name] for row in batch):
            if value is not None and Decimal(repr(float(value))) != value:
                raise ContractError(
                    f"SQLite would not keep all digits of {name} = {value}",
                    way_out="cast it to str before (cm.nodes.cast)",
                )


def _target(connection: sa.Connection, plan: Plan, schema: pa.Schema) -> sa.Table:
    folder, _, name = plan.into.rpartition(".")
    if plan.create:
        made = sa.Table(name, sa.MetaData(), *_columns(schema, plan.key), schema=folder or None)
        made.create(connection, checkfirst=True)
    try:
        target = sa.Table(name, sa.MetaData(), schema=folder or None, autoload_with=connection)
    except NoSuchTableError:
        names = sa.inspect(connection).get_table_names(schema=folder or None)
        hint = meant(name, names, f"there are {listed(names, 'no tables')}")
        raise ContractError(f"there is no table {plan.into!r}", way_out=f"{hint}; create=True makes it") from None
    check_columns(schema.names, [column.name for column in target.columns], f"the table {plan.into!r}")
    return target


def _statement(connection: sa.Connection, target: sa.Table, plan: Plan, names: Sequence[str]) -> Any:
    if plan.how != "upsert":
        return sa.insert(target)
    dialects: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
    name = connection.dialect.name
    if name not in dialects:
        raise ContractError(f"upsert is not there for {name}", way_out="it is for postgresql and sqlite")
    made = dialects[name](target)
    rest = {column: made.excluded[column] for column in names if column not in plan.key}
    if not rest:
        return made.on_conflict_do_nothing(index_elements=list(plan.key))
    return made.on_conflict_do_update(index_elements=list(plan.key), set_=rest)


def _columns(schema: pa.Schema, key: Sequence[str]) -> list[sa.Column[Any]]:
    return [
        sa.Column(field.name, _type(field.name, field.type), primary_key=field.name in key, autoincrement=False)
        for field in schema
    ]


def _type(name: str, kind: Any) -> sa.types.TypeEngine[Any]:
    is_a: Any = pa.types
    if is_a.is_decimal(kind):
        return sa.Numeric(kind.precision, kind.scale)
    if is_a.is_timestamp(kind):
        return sa.DateTime(timezone=kind.tz is not None)
    for belongs, made in (
        (is_a.is_boolean, sa.Boolean()),
        (is_a.is_integer, sa.BigInteger().with_variant(sa.Integer(), "sqlite")),
        (is_a.is_floating, sa.Double()),
        (is_a.is_string, sa.Text()),
        (is_a.is_large_string, sa.Text()),
        (is_a.is_binary, sa.LargeBinary()),
        (is_a.is_large_binary, sa.LargeBinary()),
        (is_a.is_date, sa.Date()),
        (is_a.is_time, sa.Time()),
        (is_a.is_null, sa.Text()),
    ):
        if belongs(kind):
            found: sa.types.TypeEngine[Any] = made
            return found
    raise ContractError(f"no table is made for {name!r}, which is {kind}", way_out="cast it, or make the table before")

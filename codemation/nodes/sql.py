"""Nodes that read from databases and write to them, through SQLAlchemy."""

from __future__ import annotations

from typing import Any, Literal

from codemation.core.context import Context
from codemation.core.credentials import Credential, Secret
from codemation.core.node import ArrowBatches, SupportsArrow, node


class Database(Credential):
    """Where a database is, and how to be let in."""

    url: Secret
    """As SQLAlchemy writes it: `postgresql://user:password@host/name`."""


@node
def sql_read(
    _items: list[Any],
    /,
    *,
    query: str,
    url: str | None = None,
    database: Database | None = None,
    batch_rows: int = 10_000,
    **parameters: Any,
) -> SupportsArrow:
    """The rows of a query as a table. What comes before the node only says when it runs.

    `query` is one statement, in which `:day` stands for the argument `day=…` of the node: a value never becomes part of
    the text. A list stands for several values: `where id in :ids`. Rows are fetched `batch_rows` at a time.

    The database is that of the credential `database`, or of `url`, written as for SQLAlchemy (`sqlite:///shop.db`), or
    `env:NAME` for one that stands in an environment variable. A password has no place in a workflow, and none is shown.
    """
    from codemation.nodes.tables import sql_reading as working

    return working.read(database.url if url is None and database else url, query, parameters, batch_rows)


@node
def sql_write(
    table: ArrowBatches,
    *,
    into: str,
    url: str | None = None,
    database: Database | None = None,
    how: Literal["append", "upsert", "replace"] = "append",
    key: list[str] | None = None,
    transaction: Literal["all", "batch"] = "all",
    once: bool = False,
    create: bool = False,
    batch_rows: int = 1_000,
    ctx: Context | None = None,
) -> dict[str, Any]:
    """Write the rows into a table of a database; gives its name and the number of rows.

    `append` adds them. `upsert` updates those that are there already by their `key` (PostgreSQL and SQLite). `replace`
    removes what was there. All rows are written in one transaction, or with `transaction="batch"` every `batch_rows`
    in one of their own: then those before a failure stay.

    A time with a zone is written in UTC where the column has no zone, as in SQLite, which also refuses decimals whose
    digits it would not keep.

    Without rows the node is skipped and the table stays as it is, since a branch that nothing took writes nothing;
    `sql_write.options(run_on_empty=True)` replaces by nothing.

    A node that was interrupted is executed again. `upsert` and `replace` come to the same end then; for `append`,
    `once=True` notes the write in the table `codemation_writes` in the same transaction, and does not repeat it.
    `create=True` makes the table if it is not there. The database is given as in `sql_read`.
    """
    from codemation.nodes.tables import sql_writing as working

    plan = working.Plan(
        into=into,
        how=how,
        key=tuple(key or ()),
        together=transaction == "all",
        once=(ctx.idempotency_key if ctx else "") if once else None,
        create=create,
        batch_rows=batch_rows,
    )
    return {"table": into, "rows": working.write(database.url if url is None and database else url, table, plan)}

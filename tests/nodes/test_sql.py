"""Databases are read and written by values, never by text, and nobody reads their passwords."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

import codemation as cm
from codemation.core.errors import ContractError, NodeError, RunFailed
from codemation.host.handles import RunHandle
from tests.host.postgres.server import running_server

Run = Callable[..., RunHandle]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with running_server() as server:
        yield server.url("postgres")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/x.db"
    found = str(request.getfixturevalue("postgres"))
    engine = sa.create_engine(sa.make_url(found).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("drop schema public cascade"))
        connection.execute(sa.text("create schema public"))
    engine.dispose()
    return found


THINGS = pa.table(
    {
        "id": [1, 2, 3],
        "name": ["Ada", "O'Hara; drop table things", None],
        "price": pa.array([Decimal("1.50"), None, Decimal("3.00")], pa.decimal128(10, 2)),
        "at": pa.array([datetime(2026, 1, 2, 3, 4, 5, 6, UTC), None, None], pa.timestamp("us", "UTC")),
        "day": pa.array([date(2026, 1, 2), None, None]),
        "good": [True, None, False],
        "share": [0.1, None, 1e300],
    }
)


def rows(table: Any) -> list[dict[str, Any]]:
    return pa.table(table).to_pylist()


def everything(url: str) -> list[dict[str, Any]]:
    return rows(cm.nodes.sql_read([], query="select id, name from things order by id", url=url))


def plain(table: pa.Table) -> pa.Table:
    return table.select(["id", "name"])


def test_what_is_written_is_what_is_read(postgres: str) -> None:
    told = cm.nodes.sql_write(THINGS, into="things_back", url=postgres, create=True)
    assert told == {"table": "things_back", "rows": 3}
    back = cm.nodes.sql_read([], query="select * from things_back order by id", url=postgres)
    assert rows(back) == rows(THINGS)
    assert pa.table(back).schema.field("at").type == pa.timestamp("us", "UTC")
    assert pa.table(back).schema.field("day").type == pa.date32()


def test_values_are_never_part_of_the_text(url: str) -> None:
    cm.nodes.sql_write(plain(THINGS), into="things", url=url, create=True)
    query = "select id from things where name = :name"
    assert rows(cm.nodes.sql_read([], query=query, url=url, name="O'Hara; drop table things")) == [{"id": 2}]
    assert rows(cm.nodes.sql_read([], query=query, url=url, name="x' or '1'='1")) == []
    several = "select id from things where id in :ids order by id"
    assert rows(cm.nodes.sql_read([], query=several, url=url, ids=[3, 1])) == [{"id": 1}, {"id": 3}]
    with pytest.raises(ContractError, match="the query needs :name"):
        cm.nodes.sql_read([], query=query, url=url)
    with pytest.raises(ContractError, match="did you mean 'name'"):
        cm.nodes.sql_read([], query=query, url=url, nmae="x")


def test_rows_are_fetched_in_batches_and_types_that_come_late_are_taken(url: str) -> None:
    many = pa.table({"id": range(2500), "name": pa.array([None] * 2400 + ["late"] * 100, pa.string())})
    cm.nodes.sql_write(many, into="things", url=url, create=True)
    back = cm.nodes.sql_read([], query="select * from things order by id", url=url, batch_rows=100)
    assert pa.table(back).num_rows == 2500
    assert rows(back)[-1] == {"id": 2499, "name": "late"}
    none = pa.table(cm.nodes.sql_read([], query="select * from things where id < 0", url=url))
    assert none.num_rows == 0
    assert none.column_names == ["id", "name"]


def test_postgresql_says_the_types_of_columns_that_hold_nothing(postgres: str) -> None:
    query = "select null::int as n, null::timestamptz as t, '{\"a\": 1}'::json as j, array[1, 2] as l, null::uuid as u"
    table = pa.table(cm.nodes.sql_read([], query=query, url=postgres))
    assert [str(kind) for kind in table.schema.types] == [
        "int64",
        "timestamp[us, tz=UTC]",
        "string",
        "list<item: int64>",
        "string",
    ]
    assert table.column("j").to_pylist() == ['{"a": 1}']


def test_rows_are_appended_updated_by_key_or_replaced(url: str) -> None:
    cm.nodes.sql_write(plain(THINGS), into="things", url=url, create=True, how="upsert", key=["id"])
    more = pa.table({"id": [3, 4], "name": ["Alan", "Grace"]})
    assert cm.nodes.sql_write(more, into="things", url=url, how="upsert", key=["id"])["rows"] == 2
    assert [row["name"] for row in everything(url)][2:] == ["Alan", "Grace"]
    cm.nodes.sql_write(more.select(["id"]), into="things", url=url, how="upsert", key=["id"])
    assert len(everything(url)) == 4
    cm.nodes.sql_write(more, into="things", url=url, how="replace")
    assert [row["id"] for row in everything(url)] == [3, 4]
    cm.nodes.sql_write(pa.table({"id": [9], "name": ["x"]}), into="things", url=url)
    assert [row["id"] for row in everything(url)] == [3, 4, 9]


def test_one_transaction_leaves_all_or_nothing_and_several_leave_what_came_before(url: str) -> None:
    cm.nodes.sql_write(
        pa.table({"id": [5], "name": ["x"]}), into="things", url=url, create=True, how="upsert", key=["id"]
    )
    clashing = pa.table({"id": [1, 2, 5], "name": ["a", "b", "c"]})
    with pytest.raises(NodeError, match=r"(?i)unique"):
        cm.nodes.sql_write(clashing, into="things", url=url, batch_rows=1)
    assert [row["id"] for row in everything(url)] == [5]
    with pytest.raises(NodeError, match=r"(?i)unique"):
        cm.nodes.sql_write(clashing, into="things", url=url, batch_rows=1, transaction="batch")
    assert [row["id"] for row in everything(url)] == [1, 2, 5]


def test_a_write_that_is_to_happen_once_is_not_repeated_though_the_node_is(url: str) -> None:
    table = pa.table({"id": [1], "name": ["x"]})
    cm.nodes.sql_write(table.slice(0, 0), into="things", url=url, create=True)
    told = [
        cm.nodes.sql_write(table, into="things", url=url, once=True, ctx=cm.Context(idempotency_key=key))["rows"]
        for key in ("run/a", "run/a", "run/b")
    ]
    assert told == [1, 0, 1]
    assert len(everything(url)) == 2
    with pytest.raises(ContractError, match="needs a run"):
        cm.nodes.sql_write(table, into="things", url=url, once=True)


def test_of_two_that_write_the_same_at_once_one_does(postgres: str) -> None:
    cm.nodes.sql_write(pa.table({"id": [0]}), into="racing", url=postgres, create=True)
    told: list[int] = []

    def write() -> None:
        context = cm.Context(idempotency_key="racing")
        many = pa.table({"id": range(2000)})
        told.append(cm.nodes.sql_write(many, into="racing", url=postgres, once=True, ctx=context)["rows"])

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [0, 0, 0, 2000]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"into": "thinsg"}, "did you mean 'things'"),
        ({"how": "upsert"}, 'how="upsert" with key=\\[\\]'),
        ({"key": ["id"]}, 'how="append" with key'),
        ({"transaction": "batch", "once": True}, "needs one transaction"),
        ({"transaction": "batch", "how": "replace"}, "needs one transaction"),
        ({"how": "upsert", "key": ["no"]}, "no column 'no'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(url: str, wanted: Any, said: str) -> None:
    cm.nodes.sql_write(plain(THINGS), into="things", url=url, create=True)
    with pytest.raises(ContractError, match=said):
        cm.nodes.sql_write(plain(THINGS), **{"into": "things", "url": url, **wanted})
    assert len(everything(url)) == 3


def test_columns_that_the_table_has_not_are_named(url: str) -> None:
    cm.nodes.sql_write(plain(THINGS), into="things", url=url, create=True)
    with pytest.raises(ContractError, match="did you mean 'name'"):
        cm.nodes.sql_write(pa.table({"nam": ["x"]}), into="things", url=url)
    with pytest.raises(ContractError, match="no table is made for 'l'"):
        cm.nodes.sql_write(pa.table({"l": [[1]]}), into="lists", url=url, create=True)


def test_what_the_database_says_is_passed_on_without_values(url: str) -> None:
    with pytest.raises(NodeError, match="nothing_there"):
        cm.nodes.sql_read([], query="select * from nothing_there where x = :x", url=url, x="secret value")
    with pytest.raises(ContractError, match="two columns of the query are called 'a'"):
        cm.nodes.sql_read([], query="select 1 as a, 2 as a", url=url)


def test_a_statement_that_is_no_query_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="gives no rows"):
        cm.nodes.sql_read([], query="create table made (id int)", url=f"sqlite:///{tmp_path}/x.db")


def test_a_password_has_no_place_in_a_workflow_and_is_never_shown(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    secret = "postgresql://me:hunter2@127.0.0.1:1/x"
    with pytest.raises(ContractError, match="would be stored with the workflow") as raised:
        cm.nodes.sql_read([], query="select 1", url=secret)
    assert "hunter2" not in str(raised.value)
    with pytest.raises(ContractError, match="DATABASE_URL is not set"):
        cm.nodes.sql_read([], query="select 1", url="env:DATABASE_URL")
    monkeypatch.setenv("DATABASE_URL", "hunter2")
    with pytest.raises(ContractError, match="no address of a database") as raised:
        cm.nodes.sql_read([], query="select 1", url="env:DATABASE_URL")
    assert "hunter2" not in str(raised.value)
    monkeypatch.setenv("DATABASE_URL", secret)
    flow = cm.workflow("sql.secret").then(cm.nodes.sql_read, query="select 1", url="env:DATABASE_URL")
    with pytest.raises(RunFailed, match=r"127.0.0.1/x") as failed:
        run(flow.build())
    assert "hunter2" not in str(failed.value)
    held: Any = failed.value.run
    assert "hunter2" not in str(held["sql_read"].error)
    with pytest.raises(NodeError, match="no driver"):
        cm.nodes.sql_read([], query="select 1", url="nothing://x")


def test_it_stands_in_a_workflow_with_params(run: Run, tmp_path: Path) -> None:
    class Params(cm.Params):
        least: int = 2

    url = f"sqlite:///{tmp_path}/x.db"
    cm.nodes.sql_write(plain(THINGS), into="things", url=url, create=True)
    flow = cm.workflow("sql.params", params=Params).then(
        cm.nodes.sql_read, query="select id from things where id >= :least", url=url, least=Params.least
    )
    done = run(flow.tap(cm.nodes.sql_write, into="things", url=url, once=True).build(), least=3)
    assert done["sql_read"].items == [{"id": 3}]
    assert len(everything(url)) == 4


NUMBERS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
TEXTS = st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20))


@given(st.lists(st.tuples(NUMBERS, TEXTS), min_size=1, max_size=6))
def test_any_number_and_text_comes_back_from_sqlite(drawn: list[tuple[int | None, str | None]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        table = pa.table(
            {
                "at": range(len(drawn)),
                "n": pa.array([n for n, _ in drawn], pa.int64()),
                "t": pa.array([t for _, t in drawn], pa.string()),
            }
        )
        url = f"sqlite:///{folder}/x.db"
        cm.nodes.sql_write(table, into="t", url=url, create=True)
        assert rows(cm.nodes.sql_read([], query="select * from t order by at", url=url)) == table.to_pylist()


def test_a_time_with_a_zone_comes_back_from_postgresql(postgres: str) -> None:
    table = pa.table({"at": pa.array([datetime(2026, 7, 1, 12, tzinfo=UTC)], pa.timestamp("us", "UTC"))})
    cm.nodes.sql_write(table, into="zoned", url=postgres, create=True)
    assert rows(cm.nodes.sql_read([], query="select * from zoned", url=postgres)) == table.to_pylist()


def test_a_time_with_a_zone_is_written_in_utc_where_there_is_none(url: str) -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Oslo"))
    cm.nodes.sql_write(pa.table({"at": [noon.replace(tzinfo=None)]}), into="times", url=url, create=True)
    cm.nodes.sql_write(pa.table({"at": pa.array([noon], pa.timestamp("us", "Europe/Oslo"))}), into="times", url=url)
    found = rows(cm.nodes.sql_read([], query="select at from times order by at", url=url))
    assert [str(row["at"])[:19] for row in found] == ["2026-07-01 10:00:00", "2026-07-01 12:00:00"]


def test_sqlite_is_not_given_numbers_that_it_would_change(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    prices = pa.table({"price": [Decimal("1.10"), Decimal("99999.99"), None]})
    assert cm.nodes.sql_write(prices, into="prices", url=url, create=True)["rows"] == 3
    with pytest.raises(ContractError, match=r"all digits of price = 12345678901234567.89"):
        cm.nodes.sql_write(pa.table({"price": [Decimal("12345678901234567.89")]}), into="prices", url=url)
    with pytest.raises(NodeError, match=f"^{tmp_path}/x.db: .*too large"):
        cm.nodes.sql_write(pa.table({"n": pa.array([2**64 - 1], pa.uint64())}), into="n", url=url, create=True)


def test_the_address_can_be_a_credential(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEMATION_CREDENTIAL_DATABASE_URL", f"sqlite:///{tmp_path}/x.db")
    flow = cm.workflow("sql.credential").then(cm.nodes.sql_read, query="select 1 as one")
    assert run(flow.build())["sql_read"].items == [{"one": 1}]
    with pytest.raises(ContractError, match="which database"):
        cm.nodes.sql_read([], query="select 1 as one")

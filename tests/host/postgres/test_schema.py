"""The schema: what the migrations make is what is declared, and whoever meets another one is told what to do."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import errors, sql
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from codemation.core.errors import SchemaMismatch
from codemation.host.postgres.link import Row
from codemation.host.postgres.migrate import current, ensure, expected, upgrade
from codemation.host.postgres.stores import open_stores
from codemation.host.postgres.tables import metadata
from codemation.testing.conformance.world import World
from tests.host.postgres.server import MIGRATED, Server

CATALOGUE = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage, a.attidentity,
            pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid
            AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 ORDER BY 1, a.attnum""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "settings": """
        SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        ORDER BY 1""",
    "functions": """
        SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1""",
}


def catalogue(url: str, part: str) -> list[Row]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(sql.SQL(CATALOGUE[part])).fetchall()  # type: ignore[arg-type]
    return [row for row in rows if row[0] != "alembic_version"]


@pytest.fixture(scope="session")
def declared(server: Server) -> str:
    """A database with the tables as they are declared."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE declared")
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(server.url("declared")), poolclass=NullPool
    )
    metadata.create_all(engine)
    engine.dispose()
    return server.url("declared")


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    """A database as the migrations make it, and no more."""
    with server.database("as_migrated", template=MIGRATED) as url:
        yield url


@pytest.mark.parametrize("part", CATALOGUE)
def test_what_the_migrations_make_is_what_is_declared(url: str, declared: str, part: str) -> None:
    made, wanted = catalogue(url, part), catalogue(declared, part)
    assert made == wanted
    assert wanted, "the comparison compares nothing"


@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE runs SET status = 5",
        "UPDATE tickets SET owner = 1",
        "UPDATE tickets SET due_at = NULL",
        "UPDATE tickets SET state = 2, due_at = NULL",
    ],
)
def test_a_row_that_cannot_be_is_refused_in_tests(server: Server, broken: str) -> None:
    with server.database("guarded_rows") as url, open_stores(url) as opened:
        World(opened.stores).start("a/1")
        with psycopg.connect(url) as connection, pytest.raises(errors.CheckViolation):
            connection.execute(broken.encode())


def test_alembic_finds_no_difference_either(url: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_expected_version_is_that_of_the_last_script() -> None:
    config = Config()
    config.set_main_option("script_location", "codemation.host.postgres:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == expected()


def test_the_version_that_is_there_can_be_asked(url: str, server: Server) -> None:
    with psycopg.connect(url) as connection:
        assert current(connection) == expected()
    with psycopg.connect(server.url("postgres")) as connection:
        assert current(connection) is None


def test_migrating_twice_is_harmless(url: str) -> None:
    upgrade(url)
    ensure(url)
    open_stores(url).close()


def test_two_processes_migrate_at_once_and_one_waits_for_the_other(server: Server) -> None:
    with server.database("twice", template="template1") as url:
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=upgrade, args=(url,)) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0, 0]
        open_stores(url).close()


def test_a_database_without_a_schema_is_refused_with_the_command_that_makes_one(server: Server) -> None:
    with (
        server.database("bare", template="template1") as url,
        pytest.raises(SchemaMismatch, match=r"(?s)has no schema yet.*codemation db migrate"),
    ):
        open_stores(url)


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("0000", rf"(?s)has version 0000; this release wants version {expected()}.*codemation db migrate"),
        ("9999", r"(?s)has version 9999, made by a newer release.*upgrade codemation"),
    ],
)
def test_another_version_is_refused_and_the_way_out_named(
    url: str, database: psycopg.Connection[Row], version: str, told: str
) -> None:
    database.execute("UPDATE alembic_version SET version_num = %s", [version])
    with pytest.raises(SchemaMismatch, match=told):
        open_stores(url)


def test_migrating_a_newer_schema_is_refused_and_changes_nothing(url: str, database: psycopg.Connection[Row]) -> None:
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match="upgrade codemation"):
        ensure(url)
    assert current(database) == "9999"


def test_opening_the_stores_imports_neither_sqlalchemy_nor_alembic(url: str) -> None:
    script = f"""
import sys
from codemation.host.postgres.migrate import ensure
from codemation.host.postgres.stores import open_stores
ensure({url!r})
with open_stores({url!r}) as opened:
    opened.stores.workers.living()
    print([name for name in ("sqlalchemy", "alembic") if name in sys.modules])
    opened.stores.runs.page()
    print("sqlalchemy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]

"""Connections to databases, and what they say when something goes wrong, without passwords."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from codemation.core.errors import ContractError, NodeError


def address(given: str | SecretStr | None) -> sa.URL:
    """The address of a database.

    Raises:
        ContractError: it is none, or holds a password for all to see.
    """
    if given is None:
        raise ContractError("which database?", way_out='url="sqlite:///file.db", or the credential `database`')
    named = given.removeprefix("env:") if isinstance(given, str) and given.startswith("env:") else None
    if named is not None and named not in os.environ:
        raise ContractError(
            f"the environment variable {named} is not set, and it should name the database",
            way_out=f"export {named}=postgresql://…",
        )
    hidden = given.get_secret_value() if isinstance(given, SecretStr) else os.environ[named] if named else None
    try:
        made = sa.make_url(str(given) if hidden is None else hidden)
    except (ArgumentError, ValueError):
        what = "url" if hidden is None else f"what {named or 'the credential'} holds"
        raise ContractError(
            f"{what} is no address of a database", way_out="write it like sqlite:///file.db or postgresql://host/name"
        ) from None
    if hidden is None and made.password:
        raise ContractError(
            f"the address of {made.host} holds a password, which would be stored with the workflow",
            way_out='give the credential `database` instead, or put it into a variable: url="env:DATABASE_URL"',
        )
    return made.set(drivername="postgresql+psycopg") if made.drivername == "postgresql" else made


@contextmanager
def connected(url: str | SecretStr | None) -> Iterator[sa.Connection]:
    """A connection of its own; what goes wrong on it is said without values and passwords.

    Raises:
        NodeError: the database refuses something, or is not there.
    """
    where = address(url)
    try:
        engine = sa.create_engine(where, poolclass=sa.NullPool, hide_parameters=True)
    except (NoSuchModuleError, ImportError) as error:
        raise NodeError(f"there is no driver for {where.drivername}: {error}", way_out="install one") from None
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise NodeError(f"{_named(where)}: {_said(error.orig or error, where)}") from None
    except (SQLAlchemyError, OverflowError) as error:  # sqlite3 has its own for numbers beyond 64 bits
        raise NodeError(f"{_named(where)}: {_said(error, where)}") from None
    finally:
        engine.dispose()


def _named(where: sa.URL) -> str:
    if not where.host:
        return where.database or where.drivername
    return f"{where.host}/{where.database or ''}"


def _said(error: BaseException, where: sa.URL) -> str:
    said = " ".join(str(error).split("\n[SQL")[0].split())
    return said.replace(str(where.password), "***") if where.password else said

"""What psycopg raises, in our own words: the database is away, full, of another schema, or was asked nonsense."""

from __future__ import annotations

import psycopg

from codemation.core.errors import CodemationError, HostError, SchemaMismatch, StoreUnavailable

DISK_FULL = "53100"
_MIGRATE = "codemation db migrate"
_SCHEMA = frozenset({"42P01", "42703", "3F000"})
"""A table, column or schema that is not there."""
_REFUSED_FOR_NOW = frozenset({"25006", "25P03", "40001", "40P01", "53200", "53300", "53400", "55P03", "57014", "58000"})
"""Read-only after a failover, idle too long, a deadlock, out of memory or connections, lock or answer took too long."""
_CUT_OFF = frozenset({"25006", "25P03", "57P01", "57P02", "57P03", "57P04", "57P05"})
"""After these the connection is of no use any more."""


def loses_connection(error: psycopg.Error) -> bool:
    """Whether the connection that raised this cannot be used any more."""
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return state in _CUT_OFF or state.startswith("08")


def translate(error: psycopg.Error, target: str) -> CodemationError:
    """The error of ours that stands for one of psycopg's on a connection that was open."""
    said = _first_line(error)
    if error.sqlstate == DISK_FULL:
        return HostError(
            f"{target} has no space left: {said}",
            way_out="free space where the database keeps its data; nothing was recorded that is not there",
        )
    if loses_connection(error):
        return StoreUnavailable(
            f"{target} does not answer any more: {said}",
            way_out="it is asked again as soon as it is back; see whether its server runs",
        )
    if error.sqlstate in _REFUSED_FOR_NOW:
        return StoreUnavailable(f"{target} could not do it now: {said}", way_out="it is asked again")
    if error.sqlstate in _SCHEMA:
        return SchemaMismatch(f"{target} has no schema that this release knows: {said}", way_out=_MIGRATE)
    return HostError(f"{target} refused a statement: {said} ({type(error).__name__})")


def unreachable(error: psycopg.OperationalError, target: str) -> StoreUnavailable:
    """The error for a connection that could not be opened."""
    said = " ".join(str(error).split())
    if "password" in said or "authentication" in said or "role " in said:
        way_out = "check user and password in CODEMATION_DATABASE_URL"
    elif "does not exist" in said:
        way_out = "create the database, or correct its name in CODEMATION_DATABASE_URL"
    elif "unsupported startup parameter" in said:
        way_out = "a pooler stands before the database: set database_pooler = true"
    elif is_full(error):
        way_out = "raise max_connections of the server, or run fewer processes"
    else:
        way_out = "start the server, or correct CODEMATION_DATABASE_URL"
    return StoreUnavailable(f"{target} cannot be reached: {said}", way_out=way_out)


def is_full(error: BaseException | None) -> bool:
    """Whether a server, or a pooler before it, has no connection left to give; it says so in words alone."""
    said = str(error)
    return any(words in said for words in ("too many", "remaining connection slots", "no more connections"))


def _first_line(error: psycopg.Error) -> str:
    """What happened, without the lines that quote the statement or its data."""
    said = error.diag.message_primary or str(error) or type(error).__name__
    return " ".join(said.split("\n")[0].split())

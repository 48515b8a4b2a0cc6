"""One connection, and how a statement travels on it.

Statements go straight to libpq, prepared on first use: a cursor would cost half of what a step may cost in Python.
Numbers and text travel as text, bytes as they are; what comes back is decoded by psycopg.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from select import POLLIN, POLLOUT, poll
from typing import Any

import psycopg
from psycopg import RawCursor
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult

from codemation.core.ports import nothing
from codemation.host.postgres.silence import Attentive, unanswered
from codemation.host.postgres.spinning import SpinWait
from codemation.host.postgres.statements import Statement

Row = tuple[Any, ...]
Sent = tuple[Statement, Mapping[str, object]]
"""A statement and its values."""
_DONE = frozenset({ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK})
_TEXT, _BINARY = int(Format.TEXT), int(Format.BINARY)


class Link:
    """One connection; whoever leased it is alone with it."""

    __slots__ = (
        "_awaited",
        "_limit",
        "_names",
        "_poll",
        "_prepares",
        "_reader",
        "_spin",
        "connection",
        "generation",
        "process",
        "rests_since",
    )

    def __init__(self, connection: Attentive, generation: int, *, prepare: bool, alone: bool = False) -> None:
        self.connection = connection
        self.generation = generation
        self.process = os.getpid()
        self.rests_since = 0.0
        """When it was last given back, on the monotonic clock."""
        self._prepares = prepare
        self._names: dict[Statement, bytes] = {}
        self._reader = Transformer(connection)
        self._spin = SpinWait(near=alone and connection.pgconn.host.startswith((b"/", b"@")))
        self._poll = poll()
        self._awaited = POLLIN
        self._limit = None if math.isinf(connection.limit) else math.ceil(connection.limit * 1000)
        self._poll.register(connection.pgconn.socket, self._awaited)

    def one(self, statement: Statement, values: Mapping[str, object]) -> Row | None:
        """The first row that the statement gives, if it gives any."""
        result = self._execute(statement, values)
        if not result.ntuples:
            return None
        return self._read(result, 1)[0]

    def gives(
        self, statement: Statement, values: Mapping[str, object], meanwhile: Callable[[], object] = nothing
    ) -> bool:
        """Whether the statement gives a row; what stands in it is not looked at.

        `meanwhile` is called while the server works on it, and then there is nothing left to do but to wait. Whatever
        it raises leaves the answer unread, so that the connection is of no use any more.
        """
        return self._execute(statement, values, meanwhile).ntuples > 0

    def all(
        self, statement: Statement, values: Mapping[str, object], meanwhile: Callable[[], object] = nothing
    ) -> list[Row]:
        """Every row that the statement gives. `meanwhile` is as in `gives`, where others have work to do."""
        result = self._execute(statement, values, meanwhile, spins=False)
        return self._read(result, result.ntuples)

    def run(self, statement: Statement, values: Mapping[str, object]) -> int:
        """Execute a statement; the number of rows that it changed or gave."""
        return self._execute(statement, values).command_tuples or 0

    def together(self, *statements: Sent) -> list[int]:
        """Execute several statements as one transaction; the number of rows that each changed.

        They are sent at once, so that a client that stops in between holds no lock.
        """
        return [cursor.rowcount for cursor in self._together(statements)]

    def last(self, *statements: Sent) -> list[Row]:
        """What `together` does; the rows that the last one gives."""
        return self._together(statements)[-1].fetchall()

    def _together(self, statements: Sequence[Sent]) -> list[RawCursor[Row]]:
        with self.connection.pipeline(), self.connection.transaction():
            return [RawCursor(self.connection).execute(each.text, each.bind(values)) for each, values in statements]

    def ask(self, text: bytes, values: Mapping[str, object]) -> list[Row]:
        """Every row that a query with `%(name)s` in it gives; for what is put together anew each time."""
        return self.connection.execute(text, values, prepare=False, binary=True).fetchall()

    @property
    def usable(self) -> bool:
        """Whether somebody else may go on with it."""
        pgconn = self.connection.pgconn
        return pgconn.status == ConnStatus.OK and pgconn.transaction_status == TransactionStatus.IDLE

    def _execute(
        self,
        statement: Statement,
        values: Mapping[str, object],
        meanwhile: Callable[[], object] = nothing,
        *,
        spins: bool = True,
    ) -> PGresult:
        pgconn = self.connection.pgconn
        sent, formats = _encode(statement, values)
        if self._prepares:
            name = self._names.get(statement)
            if name is None:
                return self._first(statement, sent, formats, meanwhile)
            pgconn.send_query_prepared(name, sent, formats, Format.BINARY)
        else:
            pgconn.send_query_params(statement.text, sent, None, formats, Format.BINARY)
        if meanwhile is nothing:
            return self._answer()
        meanwhile()
        if spins and not pgconn.flush():
            return self._spin.until(self._poll.poll, self._heard)
        return self._answer()

    def _first(
        self, statement: Statement, sent: list[bytes | None], formats: list[int], meanwhile: Callable[[], object]
    ) -> PGresult:
        """Prepare a statement and execute it: in one round trip, and as one transaction."""
        pgconn, name = self.connection.pgconn, b"s%d" % len(self._names)
        pgconn.enter_pipeline_mode()
        pgconn.send_prepare(name, statement.text)
        pgconn.send_query_prepared(name, sent, formats, Format.BINARY)
        pgconn.pipeline_sync()
        meanwhile()
        self._flush()
        answers = self._until_sync()
        if answers and answers[0].status in _DONE:  # it stays prepared, whatever came of executing it
            self._names[statement] = name
        return _checked(answers, 1)

    def _until_sync(self) -> list[PGresult]:
        """What the server says to a pipeline; the connection is out of it then, or lost."""
        pgconn, answers, ended = self.connection.pgconn, list[PGresult](), False
        while True:
            self._hear()
            result = pgconn.get_result()
            if result is None:
                if ended:  # each answer ends with nothing, and the sync follows the last one
                    return answers
            elif result.status == ExecStatus.PIPELINE_SYNC:
                pgconn.exit_pipeline_mode()
                return answers
            else:
                answers.append(result)
            ended = result is None

    def _answer(self) -> PGresult:
        """What the server says; a signal (Ctrl-C) is heard while it is waited for."""
        if self.connection.pgconn.flush():
            self._flush()  # and perhaps something has come meanwhile
            return self._result()
        self._wait(POLLIN)
        return self._heard()

    def _heard(self) -> PGresult:
        """The same, where all was sent, and perhaps something has come."""
        self.connection.pgconn.consume_input()
        return self._result()

    def _flush(self) -> None:
        pgconn = self.connection.pgconn
        while pgconn.flush():
            self._wait(POLLIN | POLLOUT)
            pgconn.consume_input()

    def _result(self) -> PGresult:
        pgconn = self.connection.pgconn
        self._hear()
        answers = []
        while (result := pgconn.get_result()) is not None:
            answers.append(result)
        return _checked(answers, 0)

    def _hear(self) -> None:
        pgconn = self.connection.pgconn
        while pgconn.is_busy():
            self._wait(POLLIN)
            pgconn.consume_input()

    def _wait(self, wanted: int) -> None:
        if wanted != self._awaited:
            self._poll.modify(self.connection.pgconn.socket, wanted)
            self._awaited = wanted
        if not self._poll.poll(self._limit):
            raise unanswered(self.connection.limit)

    def _read(self, result: PGresult, rows: int) -> list[Row]:
        self._reader.set_pgresult(result, format=Format.BINARY)
        return self._reader.load_rows(0, rows, tuple)


def _checked(answers: list[PGresult], at: int) -> PGresult:
    """One of the answers to a transaction, if all are good: an error that comes after rows is one of the commit.

    Raises:
        psycopg.Error: what the first bad one says.
    """
    for answer in answers:
        if answer.status not in _DONE:
            raise _error(answer)
    if len(answers) <= at:
        raise psycopg.OperationalError("the connection was closed without an answer")
    return answers[at]


def _error(result: PGresult) -> psycopg.Error:
    if result.error_field(DiagnosticField.SQLSTATE):
        return psycopg.errors.error_from_result(result)
    # Not the server says so, but libpq of the connection.
    return psycopg.OperationalError(result.get_error_message())


def _encode(statement: Statement, values: Mapping[str, object]) -> tuple[list[bytes | None], list[int]]:
    sent: list[bytes | None] = []
    formats: list[int] = []
    for name in statement.names:
        value: Any = values[name]
        kind = type(value)
        formats.append(_BINARY if kind is bytes else _TEXT)
        if kind is int:
            sent.append(b"%d" % value)
        elif kind is bytes or value is None:
            sent.append(value)
        else:
            sent.append(_text(name, str(value)))
    return sent, formats


def _text(name: str, value: str) -> bytes:
    """Text as libpq takes it, which would end at the first U+0000 without a word.

    Raises:
        psycopg.DataError: it cannot be told to PostgreSQL.
    """
    if "\0" in value:
        raise psycopg.DataError(f"{name} holds the character U+0000, which PostgreSQL cannot store")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise psycopg.DataError(f"{name} holds half of a surrogate pair, which PostgreSQL cannot store") from error

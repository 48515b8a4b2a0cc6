"""News over PostgreSQL: NOTIFY after the commit, LISTEN on a connection of its own.

Both need a connection that stays what it is: behind a pooler that lends it for a transaction, `wake` has to be `redis`
or `poll`. Whether anybody listens is seen by the name under which listeners are connected, so that a process that
nobody listens to costs the server nothing but a look now and then.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from select import POLLIN, poll

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from codemation.host.bus.carrier import BrokerAway
from codemation.host.postgres.connection import connect, connection_string, target_of
from codemation.host.postgres.silence import Attentive

CHANNEL = "codemation_news"
LISTENER = "codemation listener"
"""The name of connections that listen, by which they are found in `pg_stat_activity`."""
SENDER = "codemation notifier"
MOST = 7900
"""Bytes in a message; the server takes less than 8000."""
PATIENCE = 5.0
"""Seconds that the server gets to say that a silent connection is still one."""
_SEND = """
    SELECT count(pg_notify(%(channel)s, message)) FROM unnest(%(messages)s::text[]) AS message
    WHERE EXISTS (SELECT FROM pg_stat_activity
                  WHERE datname = current_database() AND application_name = %(listener)s AND pid <> %(own)s)"""


class PostgresCarrier:
    """LISTEN and NOTIFY of one database."""

    most = MOST

    def __init__(self, url: str) -> None:
        conninfo = connection_string(url)
        self.describes = target_of(conninfo)
        self._conninfo = conninfo
        self._sender: Attentive | None = None
        self._own = 0
        """The server's process for what this one hears itself by."""

    def send(self, messages: Sequence[str]) -> bool:
        """Send messages, in one transaction, if anybody listens; whether anybody does.

        Raises:
            BrokerAway: nobody knows whether they have been sent.
        """
        values = {"channel": CHANNEL, "messages": list(messages), "listener": LISTENER, "own": self._own}
        try:
            if self._sender is None:
                self._sender = self._connect(SENDER)
            row = self._sender.execute(_SEND, values).fetchone()
        except psycopg.Error as error:
            self.rest()
            raise BrokerAway(_said(error)) from error
        return bool(row and row[0])

    def rest(self) -> None:
        """Let go of the connection for a while."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()

    def listen(self) -> PostgresLine:
        """Hear what is sent from now on.

        Raises:
            BrokerAway: it does not answer.
        """
        try:
            connection = self._connect(LISTENER)
        except psycopg.Error as error:
            raise BrokerAway(_said(error)) from error
        try:
            connection.execute(f"LISTEN {CHANNEL}")
        except psycopg.Error as error:
            connection.close()
            raise BrokerAway(_said(error)) from error
        self._own = connection.info.backend_pid
        return PostgresLine(connection)

    def _connect(self, name: str) -> Attentive:
        """A connection that never waits for the disk: what it says may be lost."""
        options = conninfo_to_dict(self._conninfo).get("options") or ""
        return connect(
            make_conninfo(self._conninfo, application_name=name, options=f"{options} -c synchronous_commit=off".strip())
        )


class PostgresLine:
    """A connection that listens; when nothing has come for a while it asks, for it may be half open."""

    def __init__(self, connection: Attentive) -> None:
        connection.limit = min(connection.limit, PATIENCE)
        self._connection = connection
        self._meanwhile: list[str] = []
        """What has come while the server was asked."""
        connection.add_notify_handler(lambda notify: self._meanwhile.append(notify.payload))
        self._ears, self._bell = os.pipe()
        self._poll = poll()
        self._poll.register(connection.pgconn.socket, POLLIN)
        self._poll.register(self._ears, POLLIN)

    def receive(self, timeout: float) -> Sequence[str]:
        """What has arrived, waited for at most so many seconds.

        Raises:
            BrokerAway: the connection has ended.
        """
        pgconn = self._connection.pgconn
        try:
            ready = [one for one, _ in self._poll.poll(timeout * 1000)]
            if not ready:
                self._connection.execute("")
            elif pgconn.socket in ready:
                pgconn.consume_input()
            messages, self._meanwhile = self._meanwhile, []
            while (notify := pgconn.notifies()) is not None:
                messages.append(notify.extra.decode(errors="replace"))
        except (psycopg.Error, OSError) as error:
            raise BrokerAway(_said(error)) from error
        return messages

    def wake(self) -> None:
        """Let go of whoever waits in `receive`."""
        os.write(self._bell, b"!")

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()
        os.close(self._ears)
        os.close(self._bell)


def _said(error: BaseException) -> str:
    """The first line of an error, which never holds a password."""
    return str(error).strip().partition("\n")[0] or type(error).__name__

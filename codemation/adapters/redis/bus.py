"""News over Redis: one channel for each database of a server, few messages for many revisions."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from codemation.core.errors import HostError
from codemation.host.bus.carrier import BrokerAway

if TYPE_CHECKING:
    import redis

PATIENCE = 2.0
"""Seconds that a Redis gets to answer."""
HEALTH = 5
"""Seconds after which a silent connection is asked whether it is still one."""
UNANSWERED = 2
"""Such questions, after whose last one it is taken for lost: it may be half open."""


class RedisCarrier:
    """Publish and subscribe of one Redis."""

    most = 60_000

    def __init__(self, url: str) -> None:
        """The library is loaded when there is something to say or to hear.

        Raises:
            HostError: it is not installed.
        """
        if importlib.util.find_spec("redis") is None:
            raise HostError(
                "redis_url is set, and the library of Redis is not installed",
                way_out='pip install "codemation[production]"',
            )
        self._url = url
        self._sender: redis.Redis | None = None
        self.describes = "Redis"

    def send(self, messages: Sequence[str]) -> bool:
        """Send messages; whether anybody listens.

        Raises:
            BrokerAway: nobody knows whether they have been sent.
        """
        import redis  # noqa: PLC0415 - see above

        try:
            if self._sender is None:
                self._sender = self._connect()
            line = self._sender.pipeline(transaction=False)
            for message in messages:
                line.publish(_channel(self._sender), message)
            return any(line.execute())
        except (redis.RedisError, OSError) as error:
            self.rest()
            raise BrokerAway(_said(error)) from error

    def rest(self) -> None:
        """Let go of the connection for a while."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()

    def listen(self) -> RedisLine:
        """Hear what is sent from now on.

        Raises:
            BrokerAway: it does not answer.
        """
        import redis  # noqa: PLC0415 - see above

        client = self._connect()
        try:
            return RedisLine(client, _channel(client))
        except (redis.RedisError, OSError) as error:
            client.close()
            raise BrokerAway(_said(error)) from error

    def _connect(self) -> redis.Redis:
        import redis  # noqa: PLC0415 - see above
        from redis.backoff import NoBackoff  # noqa: PLC0415 - see above
        from redis.retry import Retry  # noqa: PLC0415 - see above

        return redis.Redis.from_url(
            self._url,
            socket_connect_timeout=PATIENCE,
            socket_timeout=PATIENCE,
            socket_keepalive=True,
            health_check_interval=HEALTH,
            retry=Retry(NoBackoff(), 0),  # whoever comes back by himself does not tell that something was missed
        )


class RedisLine:
    """A connection that listens."""

    def __init__(self, client: redis.Redis, channel: str) -> None:
        self._client = client
        self._bell = f"codemation:bell:{secrets.token_hex(8)}"
        self._heard = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._heard.subscribe(channel, self._bell)
        for _ in range(2):  # the answers: from then on nothing is missed
            self._heard.get_message(ignore_subscribe_messages=True, timeout=PATIENCE)

    def receive(self, timeout: float) -> Sequence[str]:
        """What has arrived, waited for at most so many seconds.

        Raises:
            BrokerAway: the connection has ended.
        """
        import redis  # noqa: PLC0415 - it is loaded long before

        messages = []
        try:
            message = self._heard.get_message(timeout=timeout)
            while message is not None:
                if message["type"] == "message" and _text(message["channel"]) != self._bell:
                    messages.append(_text(message["data"]))
                message = self._heard.get_message(timeout=0)
        except (redis.RedisError, OSError) as error:
            raise BrokerAway(_said(error)) from error
        if self._heard.health_check_response_counter >= UNANSWERED:
            raise BrokerAway("it does not answer")
        return messages

    def wake(self) -> None:
        """Let go of whoever waits in `receive`; who has lost the connection does not wait."""
        import redis  # noqa: PLC0415 - it is loaded long before

        try:
            self._client.publish(self._bell, "")
        except (redis.RedisError, OSError):
            return

    def close(self) -> None:
        """Let go of the connection."""
        self._heard.close()
        self._client.close()


def _channel(client: redis.Redis) -> str:
    """Databases of one server do not hear each other, although Redis itself would let them."""
    return f"codemation:news:{client.connection_pool.connection_kwargs.get('db') or 0}"


def _text(data: Any) -> str:
    return data.decode(errors="replace") if isinstance(data, bytes) else str(data)


def _said(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__

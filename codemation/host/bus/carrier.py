"""What carries news from one process to another, and how news travel on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Protocol

from codemation.core.ids import RunId, WorkflowId
from codemation.core.ports import News
from codemation.core.states import RunStatus


class BrokerAway(Exception):
    """The broker does not answer, or has ended the connection."""


class Line(Protocol):
    """A connection on which messages arrive, from the moment on that it is there."""

    def receive(self, timeout: float) -> Sequence[str]:
        """What has arrived, waited for at most so many seconds.

        Raises:
            BrokerAway: nothing will arrive any more.
        """
        ...

    def wake(self) -> None:
        """Let go of whoever waits in `receive`; called from another thread."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Carrier(Protocol):
    """A broker, as one process uses it. One thread sends, another one listens."""

    describes: str
    """What people are told of it; without secrets."""
    most: int
    """Bytes that a message may have."""

    def send(self, messages: Sequence[str]) -> bool:
        """Send messages to whoever listens; whether anybody does.

        Raises:
            BrokerAway: nobody knows whether they have been sent.
        """
        ...

    def rest(self) -> None:
        """Nothing will be sent for a while."""
        ...

    def listen(self) -> Line:
        """Hear what is sent from now on.

        Raises:
            BrokerAway: it does not answer.
        """
        ...


def written(news: Sequence[News], most: int) -> Iterator[str]:
    """News as few messages, none of them longer than `most` bytes."""
    parts: list[str] = []
    size = 2
    for one in news:
        part = _part(one, most - 2)
        if parts and size + len(part) + 1 > most:
            yield f"[{','.join(parts)}]"
            parts, size = [], 2
        parts.append(part)
        size += len(part) + 1
    if parts:
        yield f"[{','.join(parts)}]"


def _part(news: News, most: int) -> str:
    for workflow in (news.workflow, ""):  # a name that is too long is left out: it is only a help
        part = json.dumps([news.run, news.revision, workflow, news.status or ""], separators=(",", ":"))
        if len(part) <= most:
            break
    return part


def read(message: str) -> list[News]:
    """The news in a message.

    Raises:
        ValueError: it is none of ours.
    """
    body = json.loads(message)
    return [_news(part) for part in body] if isinstance(body, list) else [_news(body)]


def _news(part: object) -> News:
    match part:
        case [str(run), int(revision), str(workflow), str(status), *_]:
            return News(run=RunId(run), revision=revision, workflow=WorkflowId(workflow), status=_STATUSES.get(status))
        case _:
            raise ValueError("it is no news")


_STATUSES = {status.value: status for status in RunStatus}

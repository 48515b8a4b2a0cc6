"""Waits and events in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from codemation.core.errors import InputError
from codemation.core.ids import RunId, TicketId, node_of
from codemation.core.ports import OpenWait, SentEvent
from codemation.core.waits import DEADLINE, WaitKind
from codemation.host.memory.tables import Tables, Ticket

_NEVER = datetime.max.replace(tzinfo=UTC)


class MemoryWaits:
    """What activations wait for."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def answer(self, wait_key: str, body: str, fold: TicketId) -> bool:
        """Take a wait and leave its answer."""
        _check(body, "the answer")
        tables = self._tables
        with tables.lock:
            now = tables.clock()
            for ticket in tables.tickets.values():
                on_time = ticket.due_at is None or ticket.due_at > now
                if ticket.is_wait and ticket.wait_key == wait_key and ticket.kind != "event":
                    if ticket.stop or not on_time:
                        return False
                    tables.answer(ticket, body, fold)
                    return True
            return False

    def open(self, *, kind: WaitKind | None = None, run: RunId | None = None, limit: int = 100) -> tuple[OpenWait, ...]:
        """What is waited for."""
        with self._tables.lock:
            waits = [one for one in self._tables.tickets.values() if one.is_wait and not one.stop]
            tickets = [one for one in waits if one.wait != DEADLINE]
            chosen = [one for one in tickets if kind in (None, one.kind) and run in (None, one.run)]
            chosen.sort(key=lambda one: (one.due_at or _NEVER, one.id))
            return tuple(opened(self._tables, one) for one in chosen[:limit])


class MemoryEvents:
    """Events from outside."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def send(self, event: SentEvent) -> bool:
        """Keep an event and give it to who waits."""
        _check(event.body, f'the event "{event.name}"')
        tables = self._tables
        with tables.lock:
            known = tables.events.values()
            new = not any(one.id == event.id or (event.dedup and one.dedup == event.dedup) for one in known)
            if new:
                now = tables.clock()
                tables.events[event.id] = replace(event, at=now, expires_at=now + timedelta(seconds=event.keep))
            self.meet()
            return new

    def meet(self, run: RunId | None = None) -> int:
        """Give what is kept to who waits for it."""
        tables = self._tables
        with tables.lock:
            waiting = [one for one in tables.tickets.values() if one.kind == "event" and not one.stop]
            met = [
                (ticket, event)
                for ticket in waiting
                if run in (None, ticket.run) and (event := self._oldest(ticket)) is not None
            ]
            for ticket, event in met:
                tables.receipts.setdefault((event.id, ticket.run, node_of(ticket.activation)), ticket.activation)
                tables.answer(ticket, _letter(ticket, event))
            return len(met)

    def kept(self, *, name: str | None = None, limit: int = 100) -> tuple[SentEvent, ...]:
        """What is kept."""
        with self._tables.lock:
            now = self._tables.clock()
            found = [one for one in self._tables.events.values() if name in (None, one.name) and _lives(one, now)]
            return tuple(reversed(found))[:limit]

    def forget(self) -> int:
        """Forget what has expired."""
        tables = self._tables
        with tables.lock:
            now = tables.clock()
            over = [one.id for one in tables.events.values() if not _lives(one, now)]
            for name in over:
                del tables.events[name]
            tables.receipts = {place: one for place, one in tables.receipts.items() if place[0] not in over}
            return len(over)

    def _oldest(self, ticket: Ticket) -> SentEvent | None:
        """The oldest event for a wait that no other activation of its node was given."""
        tables, now, node = self._tables, self._tables.clock(), node_of(ticket.activation)
        for event in tables.events.values():
            given = tables.receipts.get((event.id, ticket.run, node), ticket.activation)
            wanted = f"{event.name}:{event.key}" == ticket.wait_key and _lives(event, now)
            in_time = ticket.due_at is None or event.at is None or event.at < ticket.due_at
            if wanted and in_time and given == ticket.activation:
                return event
        return None


def opened(tables: Tables, ticket: Ticket) -> OpenWait:
    """A wait as it is read."""
    return OpenWait(
        ticket=ticket.id,
        run=ticket.run,
        workflow=tables.runs[ticket.run].workflow,
        activation=ticket.activation,
        wait=ticket.wait,
        kind=cast("WaitKind", ticket.kind),
        wait_key=ticket.wait_key,
        due_at=ticket.due_at,
        detail=ticket.detail,
    )


def _lives(event: SentEvent, now: datetime) -> bool:
    return event.expires_at is not None and event.expires_at > now


def _letter(ticket: Ticket, event: SentEvent) -> str:
    return json.dumps(
        {
            "kind": "EventArrived",
            "activation": ticket.activation,
            "wait": ticket.wait,
            "event": event.id,
            "payload": json.loads(event.body),
            "at": event.at.timestamp() if event.at else 0.0,
        }
    )


def _check(body: str, what: str) -> None:
    try:
        json.loads(body)
    except ValueError as error:
        raise InputError(f"{what} is not JSON: {error}") from error

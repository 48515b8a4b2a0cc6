"""Live: what becomes true of runs, told as server-sent events.

Whoever listens subscribes to the bus, reads how it stands, and waits for news; and reads now and then without any, for
the last of them can be lost.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from fastapi import Header, Query
from fastapi.responses import StreamingResponse

from codemation.core.access import Role
from codemation.core.errors import UnknownRun
from codemation.core.ids import RunId, node_of
from codemation.core.opening import decoded
from codemation.core.ports import NOTHING_HELD, Entry, RunRow
from codemation.core.states import FINISHED, RunStatus
from codemation.views.records import plain
from codemation.web.actors import Asked
from codemation.web.models import Given
from codemation.web.problems import Refused, problem
from codemation.web.routes import Api
from codemation.web.run_models import RunSummary
from codemation.web.runs import RunPath, shown
from codemation.web.service import Service
from codemation.web.streams import LOOK, Stream, Streams, event
from codemation.web.texts import Name

router = Api(tags=["live"])
LOOK_AROUND = 5.0
"""Seconds between two looks at all runs without any news."""
AT_MOST = 0.25
"""Seconds between two looks at all runs, whatever the news."""
REFRESH = 2.0
"""Seconds after which an unfinished run is shown anew without a new revision: somebody may have begun with a node."""
SHOWN = 200
"""Runs, of the unfinished and of all, whose changes are told of."""
CATCH_UP = 1000
"""Revisions that whoever comes back is told one by one; of more, the last ones."""
_UNFINISHED = tuple(status for status in RunStatus if status not in FINISHED)
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "The events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


@dataclass(slots=True)
class Follower:
    """Where somebody who follows a run stands."""

    run: RunId
    seen: int | None
    """The last revision that he was told of; `None` before the first."""
    last: str = ""
    refreshed: float = 0.0
    over: bool = False

    def look(self, service: Service) -> list[bytes]:
        """What is to be told now."""
        look = service.app.stores.journal.look
        try:
            row = look(self.run, NOTHING_HELD, 2**31 - 1).run
        except UnknownRun:  # it was pruned meanwhile
            self.over = True
            return [event("gone", json.dumps({"run": self.run}))]
        told = [] if self.seen is None else self._entries(service, row)
        changed = self.seen != row.revision
        self.seen, self.over = row.revision, row.finished_at is not None
        now = time.monotonic()
        if changed or (not self.over and now - self.refreshed > REFRESH):
            self.refreshed = now
            text = shown(service.app, self.run).model_dump_json()
            if text != self.last:
                self.last = text
                told.append(event("run", text, row.revision))
        if self.over:
            told.append(event("end", json.dumps({"status": row.status.value}), row.revision))
        return told

    def _entries(self, service: Service, row: RunRow) -> list[bytes]:
        """The revisions that he was not told of."""
        seen = self.seen or 0
        if row.revision <= seen:
            return []
        after = max(seen, row.revision - CATCH_UP)
        gap = [event("gap", json.dumps({"from": seen, "to": after}))] if after > seen else []
        tail = service.app.stores.journal.look(self.run, NOTHING_HELD, after).tail
        return [*gap, *(_entry(self.run, one) for one in tail)]


def _entry(run: RunId, entry: Entry) -> bytes:
    facts = []
    for fact in decoded(run, entry):
        activation = getattr(fact, "activation", None)
        facts.append(
            {
                "fact": type(fact).__name__.lower(),
                **({"node": node_of(activation)} if activation else {}),
            }
        )
    said = {"revision": entry.revision, "at": plain(entry.at), "facts": facts}
    return event("revision", json.dumps(said), entry.revision)


_streams = Streams()


@router.offer(
    "GET",
    "/runs/{run}/events",
    Role.VIEWER,
    fails=[404, 410],
    operation_id="follow_run",
    summary="Follow a run",
    response_class=StreamingResponse,
    responses=_STREAM,
)
async def follow_run(
    service: Asked,
    run: RunPath,
    last_event_id: Annotated[
        str, Header(pattern="^[0-9]{0,9}$", description="The last revision that was heard of, after a break.")
    ] = "",
) -> StreamingResponse:
    """Follow a run as server-sent events, until it is over.

    `run` carries the run as `GET /runs/{run}` shows it; `revision` says what became true at one; `end` is the last.
    Their ids are revisions: whoever comes back with `Last-Event-ID` is told of each that he has missed. `gone` is the
    last where the run was pruned meanwhile; whoever comes back after that is answered 410.
    """
    follower = Follower(RunId(run), int(last_event_id) if last_event_id else None)
    try:
        await service.call(service.app.attach, RunId(run))
    except UnknownRun:
        if follower.seen is None:
            raise
        raise Refused(problem(410, f"run {run} is not there any more", kind="run pruned")) from None
    stream = Stream(
        run=follower.run,
        look=partial(service.call, follower.look, service),
        pause=LOOK,
        over=lambda: follower.over,
    )
    return _streams.response(service, stream)


class FollowQuery(Given):
    """Which runs are followed."""

    workflow: Name | None = None
    """Only runs of this workflow."""


@router.offer(
    "GET",
    "/events",
    Role.VIEWER,
    operation_id="follow_runs",
    summary="Follow all runs",
    response_class=StreamingResponse,
    responses=_STREAM,
)
async def follow_runs(service: Asked, query: Annotated[FollowQuery, Query()]) -> StreamingResponse:
    """Follow all runs as server-sent events.

    `runs` carries those that are new or have changed, as they are listed, first of all the unfinished and the youngest.
    """
    crowd = Crowd(query.workflow)
    return _streams.response(service, Stream(run=None, look=partial(crowd.look, service), pause=LOOK_AROUND))


@dataclass(slots=True)
class Crowd:
    """What somebody who follows all runs was told of them."""

    workflow: str | None
    known: dict[RunId, tuple[int, bool]] = field(default_factory=dict)

    async def look(self, service: Service) -> list[bytes]:
        """The runs that have changed."""
        rows = [row for row in await recent(service) if self.workflow in (None, row.workflow)]
        changed = [row for row in rows if self.known.get(row.id) != (row.revision, row.stop)]
        first = not self.known
        self.known = {row.id: (row.revision, row.stop) for row in rows}
        if not changed and not first:
            return []
        return [event("runs", json.dumps([RunSummary.of(row).model_dump(mode="json") for row in changed]))]


async def recent(service: Service) -> tuple[RunRow, ...]:
    """The unfinished runs and the youngest as they stand now; read once for all who ask meanwhile."""
    asked = time.monotonic()
    async with service.reading:
        if service.read_at < asked:
            await asyncio.sleep(max(0.0, service.read_at + AT_MOST - time.monotonic()))
            service.read_at = time.monotonic()
            service.recent = await service.call(_recent, service)
        return service.recent


def _recent(service: Service) -> tuple[RunRow, ...]:
    page = service.app.stores.runs.page
    rows = [*page(statuses=_UNFINISHED, limit=SHOWN), *page(limit=SHOWN)]
    return tuple({row.id: row for row in rows}.values())

"""The inbox, and whatever else is stored or listed, doing one thing wrong."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from typing import BinaryIO

from codemation.core.definition import Definition
from codemation.core.ids import RunId, TicketId, WorkerId
from codemation.core.items import Batch
from codemation.core.ports import (
    ANYWHERE,
    Commit,
    Drop,
    LogLine,
    RunRow,
    StoredBlob,
    Unattended,
    Within,
    WorkerRow,
)
from codemation.core.states import FINISHED, RunStatus
from codemation.host.memory.blobs import MemoryBlobs
from codemation.host.memory.definitions import MemoryDefinitions
from codemation.host.memory.inbox import MemoryInbox
from codemation.host.memory.journal import MemoryJournal
from codemation.host.memory.logs import MemoryLogs
from codemation.host.memory.payloads import MemoryPayloads
from codemation.host.memory.runs import MemoryRunList
from codemation.host.memory.workers import MemoryWorkers
from codemation.testing.conformance import (
    BlobsContract,
    DefinitionsContract,
    InboxContract,
    LogsContract,
    PayloadsContract,
    RunListContract,
    WorkersContract,
)
from tests.testing.defect import Defect, defects


class _FoldTicketLeftAlone(MemoryInbox):
    """`ON CONFLICT DO NOTHING` on the fold ticket, and a fold that is done with what it has seen."""

    def post(self, run: RunId, key: str, body: str, fold: TicketId) -> bool:
        known = self._tables.fold_of(run)
        before = None if known is None else replace(known)
        posted = super().post(run, key, body, fold)
        if before is not None:
            self._tables.tickets[before.id] = before
        return posted


class _FoldTicketForEachLetter(MemoryInbox):
    def post(self, run: RunId, key: str, body: str, fold: TicketId) -> bool:
        known = self._tables.fold_of(run)
        if known is not None:
            del self._tables.tickets[known.id]
        posted = super().post(run, key, body, fold)
        if known is not None:
            self._tables.tickets[known.id] = known
        return posted


class _TakesEveryLetter(MemoryInbox):
    def post(self, run: RunId, key: str, body: str, fold: TicketId) -> bool:
        return super().post(run, f"{key}:{self._tables.number()}", body, fold)


class _TakesLettersOfTheFinished(MemoryInbox):
    def post(self, run: RunId, key: str, body: str, fold: TicketId) -> bool:
        row = self._tables.runs.get(run)
        if row is None or row.status not in FINISHED:
            return super().post(run, key, body, fold)
        self._tables.runs[run] = replace(row, status=RunStatus.RUNNING)
        posted = super().post(run, key, body, fold)
        self._tables.runs[run] = row
        return posted


class _FoldTicketDroppedAnyway(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        letters = self._tables.letters.get(commit.run, [])
        written = super()._step(commit)
        if written and letters and isinstance(commit.then, Drop):
            self._tables.tickets.pop(commit.holding.ticket, None)
        return written


class _TheBuriedBeat(MemoryWorkers):
    def beat(self, worker: WorkerId, *, load: int = 0) -> tuple[WorkerRow, ...] | None:
        return self.living()


class _LoadIsNotTold(MemoryWorkers):
    def beat(self, worker: WorkerId, *, load: int = 0) -> tuple[WorkerRow, ...] | None:
        return super().beat(worker)


class _ServesWhatItServedFirst(MemoryWorkers):
    def register(self, worker: WorkerRow) -> None:
        if worker.id not in self._tables.workers:
            super().register(worker)


class _NeverSilent(MemoryWorkers):
    def living(self) -> tuple[WorkerRow, ...]:
        return tuple(replace(row, silent=0.0) for row in super().living())


class _EnteringBeginsAnew(MemoryWorkers):
    def register(self, worker: WorkerRow) -> None:
        self._tables.workers[worker.id] = worker


class _ForgetsTheDead(MemoryWorkers):
    def living(self) -> tuple[WorkerRow, ...]:
        return tuple(row for row in super().living() if row.id not in self._tables.buried)


class _FirstBytesForEveryPort(MemoryPayloads):
    def _inline(self, run: RunId, revision: int, port: str) -> bytes | None:
        found = super()._inline(run, revision, port)
        return found and self._tables.journal[run][revision - 1][1][: len(found)]


class _SizeUnchecked(MemoryPayloads):
    def get(self, run: RunId, batch: Batch) -> bytes:
        found = self._tables.batches.get(batch.ref)
        return super().get(run, batch) if found is None else found


class _BrokenStreamKept(MemoryBlobs):
    def put(self, stream: BinaryIO) -> StoredBlob:
        data = bytearray()
        try:
            while piece := stream.read(1024):
                data += piece
        except ConnectionResetError:
            super().put(io.BytesIO(data))
            raise
        return super().put(io.BytesIO(data))


class _ReadAtOnce(MemoryBlobs):
    def put(self, stream: BinaryIO) -> StoredBlob:
        return super().put(io.BytesIO(stream.read()))


class _PagesByNumber(MemoryRunList):
    """`before` as an offset: whoever turns pages while runs are added sees some twice."""

    def page(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        within: Within = ANYWHERE,
        before: RunId | None = None,
        limit: int = 50,
    ) -> tuple[RunRow, ...]:
        rows = super().page(workflow=workflow, statuses=statuses, limit=1_000)
        self._turned = 0 if before is None else self._turned + limit
        return rows[self._turned : self._turned + limit]

    _turned = 0


class _TimesOfTheWrongSide(MemoryRunList):
    def page(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        within: Within = ANYWHERE,
        before: RunId | None = None,
        limit: int = 50,
    ) -> tuple[RunRow, ...]:
        all_times = Within(like=within.like)
        rows = super().page(workflow=workflow, statuses=statuses, before=before, limit=1_000, within=all_times)
        rows = tuple(row for row in rows if within.since is None or row.created_at > within.since)
        return tuple(row for row in rows if within.until is None or row.created_at <= within.until)[:limit]


class _FindsInTheMiddle(MemoryRunList):
    def find(self, prefix: str) -> tuple[RunId, ...]:
        return tuple(row.id for row in super().page(limit=1_000) if prefix in row.id)[:10]


class _AllIsWell(MemoryRunList):
    def unattended(self) -> tuple[Unattended, ...]:
        return ()


class _DefinitionsAsNumbersGo(MemoryDefinitions):
    """What `jsonb` does: large floats come back as integers."""

    def get(self, digest: str) -> Definition:
        body = json.dumps(super().get(digest).to_json()).replace("1e+16", "10000000000000000")
        return Definition.from_json(json.loads(body))


class _OneDefinitionForEachWorkflow(MemoryDefinitions):
    def put(self, definition: Definition) -> None:
        for digest, known in list(self._tables.definitions.items()):
            if known.workflow == definition.workflow:
                del self._tables.definitions[digest]
        super().put(definition)


class _FirstLines(MemoryLogs):
    def read(
        self, run: RunId, node: str | None = None, limit: int = 10_000, *, after: int | None = None
    ) -> tuple[LogLine, ...]:
        return super().read(run, node, after=after)[:limit]


class _LinesByPrefix(MemoryLogs):
    def read(
        self, run: RunId, node: str | None = None, limit: int = 10_000, *, after: int | None = None
    ) -> tuple[LogLine, ...]:
        lines = super().read(run, after=after)
        return tuple(line for line in lines if node is None or line.activation.startswith(node))[-limit:]


class _AlwaysAnew(MemoryLogs):
    def read(
        self, run: RunId, node: str | None = None, limit: int = 10_000, *, after: int | None = None
    ) -> tuple[LogLine, ...]:
        lines = super().read(run, node, limit)
        return tuple(line for line in lines if after is None or line.number >= after)


class _PiecesArePatterns(MemoryRunList):
    def find(self, prefix: str) -> tuple[RunId, ...]:
        return tuple(row.id for row in super().page(limit=1_000) if fnmatch(row.id, f"{prefix.replace('%', '*')}*"))


class _AllIsIll(MemoryRunList):
    def unattended(self) -> tuple[Unattended, ...]:
        return tuple(Unattended(run=row.id, workflow=row.workflow, why="?") for row in super().page())


STORAGE_DEFECTS = [
    *defects(InboxContract, "journal", fold_ticket_dropped_before_the_last_letter=_FoldTicketDroppedAnyway),
    *defects(
        InboxContract,
        "inbox",
        fold_ticket_left_alone=_FoldTicketLeftAlone,
        fold_ticket_for_each_letter=_FoldTicketForEachLetter,
        takes_every_letter=_TakesEveryLetter,
        takes_letters_of_the_finished=_TakesLettersOfTheFinished,
    ),
    *defects(
        WorkersContract,
        "workers",
        the_buried_beat=_TheBuriedBeat,
        load_is_not_told=_LoadIsNotTold,
        serves_what_it_served_first=_ServesWhatItServedFirst,
        never_silent=_NeverSilent,
        entering_begins_anew=_EnteringBeginsAnew,
        forgets_the_dead=_ForgetsTheDead,
    ),
    *defects(
        PayloadsContract, "payloads", first_bytes_for_every_port=_FirstBytesForEveryPort, size_unchecked=_SizeUnchecked
    ),
    *defects(BlobsContract, "blobs", broken_stream_kept=_BrokenStreamKept, read_at_once=_ReadAtOnce),
    *defects(
        RunListContract,
        "runs",
        pages_by_number=_PagesByNumber,
        times_of_the_wrong_side=_TimesOfTheWrongSide,
        finds_in_the_middle=_FindsInTheMiddle,
        all_is_well=_AllIsWell,
        pieces_are_patterns=_PiecesArePatterns,
        all_is_ill=_AllIsIll,
    ),
    *defects(
        DefinitionsContract,
        "definitions",
        definitions_as_numbers_go=_DefinitionsAsNumbersGo,
        one_definition_for_each_workflow=_OneDefinitionForEachWorkflow,
    ),
    *defects(LogsContract, "logs", first_lines=_FirstLines, lines_by_prefix=_LinesByPrefix, always_anew=_AlwaysAnew),
    Defect(
        name="a letter between reading and writing is left behind",
        contract=InboxContract,
        ports={"inbox": _FoldTicketLeftAlone, "journal": _FoldTicketDroppedAnyway},
    ),
]

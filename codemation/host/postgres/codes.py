"""How the words of the domain are spelled in the database: small numbers, and digests as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from codemation.core.errors import HostError
from codemation.core.states import RunStatus

STATUS_CODES: Mapping[RunStatus, int] = {
    RunStatus.QUEUED: 0,
    RunStatus.RUNNING: 1,
    RunStatus.WAITING: 2,
    RunStatus.SUCCEEDED: 3,
    RunStatus.FAILED: 4,
    RunStatus.CANCELLED: 5,
}
"""The unfinished ones are below `FIRST_FINISHED`; the schema's checks stand on that."""
FIRST_FINISHED = 3
SUCCEEDED = 3
STATUSES: Mapping[int, RunStatus] = {code: status for status, code in STATUS_CODES.items()}


class TicketKind(IntEnum):
    """What a ticket is about; see `codemation.core.ports.TicketKind`."""

    WORK = 0
    SHARD = 1
    TIMER = 2
    EVENT = 3
    APPROVAL = 4
    CHILD = 5
    FOLD = 6


KINDS: Mapping[int, str] = {kind.value: kind.name.lower() for kind in TicketKind}


class TicketState(IntEnum):
    """Where a ticket stands."""

    READY = 0
    """Due now, and anybody who serves its lane may claim it."""
    RUNNING = 1
    WAITING = 2


TICKET_STATES: Mapping[int, str] = {state.value: state.name.lower() for state in TicketState}


class BlobState(IntEnum):
    """How far a stored stream has come, or gone."""

    WRITING = 0
    LIVE = 1
    DOOMED = 2
    """Nobody can find it any more; its bytes may be deleted when those who are still reading have had time to end."""


FOLD_LANE = 0
"""The lane of fold tickets, served by everybody: folding needs the plan, which is data, and nobody's code."""
FOLD_PRIORITY = 1_000_000
"""Above all work: a cancel or a decision is folded before another node is begun."""


def digest_bytes(digest: str) -> bytes:
    """The digest as the database keeps it.

    Raises:
        HostError: it is not a digest.
    """
    try:
        return bytes.fromhex(digest)
    except ValueError:
        raise HostError(f"{digest!r} is not the digest of a definition: it must be written in hexadecimal") from None

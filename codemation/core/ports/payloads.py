"""What nodes give, and what defines them: kept once, and found by reference or digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from codemation.core.definition import Definition
from codemation.core.ids import RunId
from codemation.core.items import Batch, BatchKind


class Payloads(Protocol):
    """Batches too large for the journal, and reading of all."""

    def put(self, run: RunId, data: bytes, count: int, kind: BatchKind) -> Batch:
        """Store a batch before the step that names it; durable on return."""
        ...

    def get(self, run: RunId, batch: Batch) -> bytes:
        """The stored bytes.

        Raises:
            PayloadLost: they are not there, or not what was stored.
        """
        ...

    def borrow(self, run: RunId, home: RunId, batches: Sequence[Batch]) -> tuple[Batch, ...]:
        """Have batches of another run, its `home`, stay there for `run` too; as `run` names them, in the same order.

        What lies in the journal of the other run is copied, all else is shared. `run` may be about to start.

        Raises:
            PayloadLost: something is not there any more; `run` may hold what came before it.
        """
        ...


class Recall(Protocol):
    """What nodes have given for the very same code, configuration and inputs, by the digest of these."""

    def remember(self, key: bytes, run: RunId, outputs: str) -> None:
        """Note that a run has given `outputs`, which is JSON; of several runs the last one counts."""
        ...

    def recall(self, key: bytes) -> tuple[RunId, str] | None:
        """The run, and what it gave; `None` when nothing is known, or the run is not there any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """A stored stream."""

    id: str
    size: int
    sha256: str


class Blobs(Protocol):
    """Streams of any length, content-addressed; the same content is stored once."""

    def put(self, stream: BinaryIO) -> StoredBlob:
        """Store everything that the stream has, read in pieces; durable on return, invisible if it breaks off."""
        ...

    def open(self, blob: str) -> BinaryIO:
        """A readable stream; the caller closes it.

        Raises:
            PayloadLost: it is not there.
        """
        ...


class Definitions(Protocol):
    """Definitions by digest."""

    def put(self, definition: Definition) -> None:
        """Keep a definition; again is harmless."""
        ...

    def get(self, digest: str) -> Definition:
        """The definition.

        Raises:
            HostError: it is not there.
        """
        ...

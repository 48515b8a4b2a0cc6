"""What a node sees of the world while it works."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

from codemation.core.ids import MAIN, RunId
from codemation.core.items import Attachment


@dataclass(frozen=True, slots=True)
class Outputs:
    """The items that finished nodes have given: `ctx.outputs["load"]`, of a port `ctx.outputs["check", "valid"]`."""

    read: Callable[[str, str], list[Any]] | None

    def __getitem__(self, name: str | tuple[str, str]) -> list[Any]:
        """The items.

        Raises:
            KeyError: the node has not finished, or the run has no such node or port.
        """
        if self.read is None:
            raise RuntimeError("this context belongs to no run, so no node has given anything")
        node, port = (name, MAIN) if isinstance(name, str) else name
        return self.read(node, port)


@dataclass(slots=True, kw_only=True)
class Context:
    """Injected into a node that has a parameter annotated `cm.Context`; make one by hand to call a node in a test."""

    run_id: RunId = RunId("")
    workflow_id: str = ""
    node_id: str = ""
    turn: int = 1
    """Which time the node works in this run; more than 1 only inside of a loop."""
    attempt: int = 1
    """Number of this try; the first is 1."""
    idempotency_key: str = ""
    """Stable over retries, redelivery and resume: the same work always asks with the same key."""
    params: Any = None
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("codemation.node"))
    clock: Callable[[], datetime] = field(default=lambda: datetime.now().astimezone(), repr=False)
    store: Callable[[BinaryIO, str], Attachment] | None = field(default=None, repr=False)
    stopping: Callable[[], bool] = field(default=lambda: False, repr=False)
    report: Callable[[int, int | None], None] | None = field(default=None, repr=False)
    finished: Callable[[str, str], list[Any]] | None = field(default=None, repr=False)
    answer: Callable[[object], None] | None = field(default=None, repr=False)
    attachments: dict[str, Attachment] = field(default_factory=dict, repr=False)
    """What `attach` has put beside the outputs of this call."""

    @property
    def cancelled(self) -> bool:
        """Whether to stop; a long node looks now and then and returns early.

        Somebody has asked the run to stop, or this process stood still for so long that another one goes on with it.
        """
        return self.stopping()

    @property
    def outputs(self) -> Outputs:
        """What other nodes of the run have given, by id; sure to be there of those that this one stands on."""
        return Outputs(self.finished)

    def now(self) -> datetime:
        """The time, with its zone."""
        return self.clock()

    def attach(self, name: str, stream: BinaryIO, mime: str = "application/octet-stream") -> Attachment:
        """Store a file beside each item that this call gives; it is read as a stream and never held in memory."""
        if self.store is None:
            raise RuntimeError("this context belongs to no run, so there is nowhere to attach a file to")
        attachment = self.store(stream, mime)
        self.attachments[name] = attachment
        return attachment

    def respond(self, value: object) -> None:
        """Answer the request that started the run: `cm.webhook(path, respond="node")`; the first answer counts.

        Raises:
            Unstorable: the value cannot be stored.
        """
        if self.answer is None:
            raise RuntimeError("this context belongs to no run, so nobody waits for an answer")
        self.answer(value)

    def progress(self, done: int, total: int | None = None) -> None:
        """Say how far the node is, for those who watch."""
        if self.report is not None:
            self.report(done, total)

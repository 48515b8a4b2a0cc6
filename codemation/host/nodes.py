"""What a run knows of one of its nodes, apart from the data that it gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codemation.core.definition import NodeKind, NodePlan
from codemation.core.errors import RunError
from codemation.core.explaining import Why
from codemation.core.ids import AGAIN, ERROR, NodeId
from codemation.core.items import Batch, Failure
from codemation.core.mistakes import listed, meant
from codemation.core.pins import Pin, PinnedData
from codemation.core.record import NodeRecord
from codemation.core.states import NodeStatus
from codemation.host.explaining import why
from codemation.host.pinning import NO_ITEMS, provenance

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle


class UnknownPort(RunError, LookupError):
    """The node has no such output port."""


class NodeHandle:
    """One node of a run, or one port of it."""

    def __init__(self, run: RunHandle, node: NodeId, port: str | None = None) -> None:
        self._run = run
        self._node = node
        if port is not None and port not in self.plan.ports:
            way_out = meant(port, self.plan.ports, f"it has {listed(self.plan.ports)}")
            raise UnknownPort(f'"{node}" has no port {port!r}', way_out=way_out)
        self._given_port = port

    @property
    def node(self) -> NodeId:
        """Which node this is about."""
        return self._node

    @property
    def plan(self) -> NodePlan:
        """The node as it stands in the definition of the run."""
        return self._run.definition.plan.nodes[self._node]

    @property
    def port(self) -> str:
        """The port that is looked at: the one that was named, or the only one that leads on.

        Raises:
            RunError: there are several, and none was named.
        """
        inward = AGAIN if self.plan.kind is NodeKind.LOOP else ERROR
        ports = [port for port in self.plan.ports if port not in (ERROR, inward)]
        if self._given_port is not None:
            return self._given_port
        if len(ports) == 1:
            return ports[0]
        way_out = " or ".join(f'run["{self._node}"]["{port}"]' for port in ports)
        raise RunError(f'"{self._node}" gives to {len(ports)} ports, and none was named', way_out=way_out)

    @property
    def ports(self) -> list[str]:
        """The port that was named, or all of the node."""
        return list(self.plan.ports) if self._given_port is None else [self._given_port]

    @property
    def record(self) -> NodeRecord | None:
        """What the run knows of the node."""
        return self._run.snapshot.nodes.get(self._node)

    @property
    def status(self) -> str:
        """Where the node stands; `pending` while nothing has reached it."""
        return self.record.status.value if self.record else "pending"

    @property
    def batch(self) -> Batch:
        """The reference to what the port held."""
        return self._run.snapshot.output(self._node, self.port)

    @property
    def count(self) -> int:
        """Items, or rows of the table."""
        return self.batch.count

    @property
    def error(self) -> Failure[Any] | None:
        """Why the node failed, or is tried again."""
        record = self.record
        if record is None or record.error is None:
            return None
        return Failure(
            item=None,
            type=record.error.type,
            error=record.error.message,
            node=self._node,
            attempts=record.attempt,
            traceback=record.error.traceback,
        )

    @property
    def attempts(self) -> int:
        """How often the node was tried; 0 while nothing has reached it."""
        record = self.record
        if record is None or record.status is NodeStatus.SKIPPED:
            return 0
        return record.attempt - (record.status is NodeStatus.WAITING)

    @property
    def logs(self) -> str:
        """What the node printed and logged."""
        return "\n".join(line.text for line in self._run.app.stores.logs.read(self._run.id, self._node))

    @property
    def why(self) -> Why:
        """Why the node ran, will run, or does not."""
        return why(self._run.snapshot, self._node)

    def pin(self) -> Pin:
        """What the node gave, to be given to other runs instead of executing it.

        Raises:
            RunError: it has given nothing.
        """
        record = self.record
        if record is None or record.status is not NodeStatus.SUCCEEDED:
            raise RunError(f'"{self._node}" has given nothing that could be pinned: it is {self.status}')
        ports = [self._given_port] if self._given_port is not None else self.plan.ports
        held = {port: self._run.snapshot.output(self._node, port) for port in ports}
        fetch = self._run.fetcher().fetch
        return Pin(
            node=self._node,
            ports={
                port: PinnedData(data=fetch(batch) if batch.size else NO_ITEMS, count=batch.count, kind=batch.kind)
                for port, batch in held.items()
            },
            provenance=provenance(f"run {self._run.id}"),
        )

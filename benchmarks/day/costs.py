"""What a run of each kind costs the parts, as it was measured; and the file in which that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

FILE = Path(__file__).with_name("costs.json")


class RunCost(BaseModel):
    """What one run costs, from its start to its deletion."""

    model_config = ConfigDict(frozen=True)

    statements: float
    """Transactions of the server, those that only read included."""
    commits: float
    """Transactions that write."""
    grouped: float
    """The same where many runs are in flight in one process."""
    log: float
    """Bytes of write-ahead log, without images of whole pages."""
    server: float
    """Processor seconds of the server."""
    python: float
    """Processor seconds of the process that works on it; what nodes do for their own purposes comes on top."""
    rows: Mapping[str, float]
    """Bytes that are kept, with their indexes, by table."""
    dead: float
    """Row versions that wait for vacuum: deleted, or updated out of place."""
    activations: int
    """Nodes that are asked to work."""
    messages: float
    """Messages to the queue: one for the run, one more for each activation that may be worked on beside it."""
    prune_server: float
    """Processor seconds of the server for deleting it."""
    prune_time: float
    """Seconds of one pruning process for deleting it."""
    prune_log: float
    prune_dead: float

    @property
    def kept(self) -> float:
        """Bytes that are kept of it until it is pruned."""
        return sum(self.rows.values())


class Costs(BaseModel):
    """Everything that the model stands on."""

    model_config = ConfigDict(frozen=True)

    machine: Mapping[str, str]
    runs: Mapping[str, RunCost]
    list_page: float
    """Processor seconds of the server for a page of the run list."""
    open_run: float
    """Processor seconds of the server for opening a run."""
    vacuum: float
    """Processor seconds of the server for one dead row version."""
    commit_rate: float
    """Durable commits a second of the machine, eight connections at once."""
    beat: float
    """Processor seconds of the server for a beat of a process that is alone."""
    beat_row: float
    """Processor seconds of the server for each other process that a beat tells of."""


def load() -> Costs:
    """The costs that lie in the repository."""
    return Costs.model_validate_json(FILE.read_text(encoding="utf-8"))


def save(costs: Costs) -> None:
    """Put them there."""
    FILE.write_text(costs.model_dump_json(indent=1) + "\n", encoding="utf-8")

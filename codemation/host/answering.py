"""What a handle answers from the snapshot of its run alone."""

from __future__ import annotations

from codemation.core.definition import Definition
from codemation.core.explaining import Reasons
from codemation.core.ids import RunId
from codemation.core.opening import OpenRun
from codemation.core.ports import RunRow
from codemation.core.snapshot import Snapshot
from codemation.core.states import RunStatus
from codemation.host.explaining import reasons


class Answering:
    """A run that has a snapshot."""

    _run: OpenRun

    @property
    def snapshot(self) -> Snapshot:
        """The run as it stands."""
        raise NotImplementedError

    @property
    def status(self) -> RunStatus:
        """Where the run stands."""
        status = self.snapshot.status  # asked first, for it may read the run anew
        return RunStatus.QUEUED if self._run.queued else status

    @property
    def reason(self) -> str:
        """Why it stands there."""
        return self.snapshot.reason

    @property
    def revision(self) -> int:
        """How many signals it has accepted."""
        return self.snapshot.revision

    def why(self) -> Reasons:
        """For each node why it ran, will run, or does not."""
        return reasons(self.snapshot)

    @property
    def source(self) -> RunId | None:
        """The run that this one is a replay of."""
        return RunId(self.snapshot.source) if self.snapshot.source else None

    @property
    def id(self) -> RunId:
        """Names the run."""
        return self._run.id

    def __repr__(self) -> str:
        return f'<Run {self.id} of "{self.definition.workflow}": {self.status}>'

    @property
    def definition(self) -> Definition:
        """The definition that the run goes by."""
        return self._run.definition

    @property
    def row(self) -> RunRow:
        """What is kept of the run beside its journal, as it was read last."""
        return self._run.row

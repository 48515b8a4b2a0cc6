"""The contract of the journal."""

from __future__ import annotations

from codemation.testing.conformance.cancel import CancelContract, CancelRaceContract
from codemation.testing.conformance.deadlines import DeadlineContract
from codemation.testing.conformance.groups import GroupContract, GroupRaceContract
from codemation.testing.conformance.reading import ReadingContract
from codemation.testing.conformance.reopening import ReopeningContract
from codemation.testing.conformance.start import KeyContract, StartContract
from codemation.testing.conformance.step import (
    StepContract,
    StepProgressContract,
    StepRefusalContract,
)
from codemation.testing.conformance.step_races import StepRaceContract


class JournalContract(
    StartContract,
    KeyContract,
    StepContract,
    StepRefusalContract,
    StepProgressContract,
    StepRaceContract,
    GroupContract,
    GroupRaceContract,
    ReadingContract,
    ReopeningContract,
    CancelContract,
    CancelRaceContract,
    DeadlineContract,
):
    """What every journal must do."""

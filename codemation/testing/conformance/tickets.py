"""The contract of tickets."""

from __future__ import annotations

from codemation.testing.conformance.claims import ClaimContract, RemindContract
from codemation.testing.conformance.claims_at_once import ClaimSomeContract
from codemation.testing.conformance.releases import HandBackContract, TakeOverContract
from codemation.testing.conformance.waits import ProgressContract, TimeContract


class TicketsContract(
    ClaimContract,
    ClaimSomeContract,
    RemindContract,
    HandBackContract,
    TakeOverContract,
    TimeContract,
    ProgressContract,
):
    """What every adapter of tickets must do."""

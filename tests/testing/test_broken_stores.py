"""Stores that are broken on purpose fail the contracts: each defect is one that somebody could write."""

from __future__ import annotations

import pytest

from codemation.host.memory import memory_stores
from codemation.testing.conformance import CONTRACTS, BlobsContract, JournalContract, TicketsContract
from tests.testing.access_defects import ACCESS_DEFECTS
from tests.testing.build_defects import BUILD_DEFECTS
from tests.testing.child_defects import CHILD_DEFECTS
from tests.testing.defect import Defect
from tests.testing.journal_defects import JOURNAL_DEFECTS
from tests.testing.place_defects import PLACE_DEFECTS
from tests.testing.pruning_defects import PRUNING_DEFECTS
from tests.testing.races import RACES, Race
from tests.testing.replay_defects import REPLAY_DEFECTS
from tests.testing.shard_defects import SHARD_DEFECTS
from tests.testing.storage_defects import STORAGE_DEFECTS
from tests.testing.ticket_defects import TICKET_DEFECTS
from tests.testing.trial import failures, trials
from tests.testing.trigger_defects import TRIGGER_DEFECTS
from tests.testing.wait_defects import WAIT_DEFECTS


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_sound_stores_pass_the_trial(contract: type) -> None:
    assert list(failures(contract, memory_stores)) == []


def test_the_trial_holds_every_test_of_a_contract() -> None:
    for contract in CONTRACTS:
        names = {name for name in dir(contract) if name.startswith("test_")}
        assert {name for name, _ in trials(contract)} == names
    sizes = {contract: len(list(trials(contract))) for contract in (JournalContract, TicketsContract, BlobsContract)}
    assert all(size >= 6 for size in sizes.values())


@pytest.mark.parametrize(
    "defect",
    [
        *JOURNAL_DEFECTS,
        *TICKET_DEFECTS,
        *STORAGE_DEFECTS,
        *WAIT_DEFECTS,
        *CHILD_DEFECTS,
        *PRUNING_DEFECTS,
        *REPLAY_DEFECTS,
        *SHARD_DEFECTS,
        *PLACE_DEFECTS,
        *BUILD_DEFECTS,
        *ACCESS_DEFECTS,
        *TRIGGER_DEFECTS,
    ],
    ids=lambda defect: defect.name,
)
def test_a_defect_is_found(defect: Defect) -> None:
    assert next(failures(defect.contract, defect.stores), None) is not None


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_a_race_is_found(race: Race) -> None:
    assert list(failures(race.contract, race.stores, race.caught_by)) == [race.caught_by]

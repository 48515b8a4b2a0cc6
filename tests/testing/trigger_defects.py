"""Duties and triggers, doing one thing wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from codemation.core.ids import WorkerId
from codemation.core.ports import DutyRow, Pulse
from codemation.host.memory.duties import MemoryDuties
from codemation.testing.conformance import DutiesContract
from tests.testing.defect import Defect, defects


class _GivesADutyToEverybody(MemoryDuties):
    """Whether the holder has beaten since is not looked at."""

    def take(self, name: str, worker: WorkerId, known: DutyRow) -> int | None:
        return super().take(name, worker, self._row(name))


class _ComparesTheEpochAlone(MemoryDuties):
    def take(self, name: str, worker: WorkerId, known: DutyRow) -> int | None:
        return super().take(name, worker, replace(known, beat=self._row(name).beat))


class _BeatsForTheRobbed(MemoryDuties):
    """Whoever says that he holds a duty is believed."""

    def beat(
        self, worker: WorkerId, held: Mapping[str, int], *, did: Mapping[str, float], triggers: Sequence[str] = ()
    ) -> Pulse:
        for name in held:
            row = self._row(name)
            self._tables.armed.duties[name] = replace(row, beat=row.beat + 1, worker=None)
        return super().beat(worker, {}, did=did, triggers=triggers)


class _LeavesNothing(MemoryDuties):
    def leave(self, worker: WorkerId) -> None: ...


class _TrustsTheBuried(MemoryDuties):
    def _row(self, name: str) -> DutyRow:
        return replace(super()._row(name), gone=False)


TRIGGER_DEFECTS: list[Defect] = [
    *defects(
        DutiesContract,
        "duties",
        gives_a_duty_to_everybody=_GivesADutyToEverybody,
        compares_the_epoch_alone=_ComparesTheEpochAlone,
        beats_for_the_robbed=_BeatsForTheRobbed,
        leaves_nothing=_LeavesNothing,
        trusts_the_buried=_TrustsTheBuried,
    ),
]

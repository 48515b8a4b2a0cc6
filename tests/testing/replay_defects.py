"""Recall, doing one thing wrong."""

from __future__ import annotations

from codemation.core.ids import RunId
from codemation.host.memory.recall import MemoryRecall
from codemation.testing.conformance import RecallContract
from tests.testing.defect import Defect, defects


class _RemembersTheFirst(MemoryRecall):
    def remember(self, key: bytes, run: RunId, outputs: str) -> None:
        if key not in self._tables.recalled:
            super().remember(key, run, outputs)


REPLAY_DEFECTS: list[Defect] = [*defects(RecallContract, "recall", remembers_the_first=_RemembersTheFirst)]

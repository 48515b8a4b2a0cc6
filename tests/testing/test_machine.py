"""Random walks of stores beside a model: sound ones walk as the model does, and broken ones do not."""

from __future__ import annotations

import pytest

from codemation.host.memory import memory_stores
from codemation.testing.conformance.machine import walk_at_random
from codemation.testing.conformance.walk import Ground
from tests.testing.clock import Clock
from tests.testing.defect import Defect
from tests.testing.journal_defects import JOURNAL_DEFECTS
from tests.testing.ticket_defects import TICKET_DEFECTS

FOUND = {
    "no fence",
    "no compare and set",
    "journal written when refused",
    "half a step",
    "leaves without delay",
    "look reads stale",
    "cancel by flag",
    "cancel without fold",
    "stopping nobody",
    "claims ignore lanes",
    "claims ignore priority",
    "claims ignore stop",
    "the buried claim",
    "fence stands still",
    "hand back counts as death",
    "hand back by anybody",
    "take over ignores cancel",
    "fires nothing",
    "progress of the late",
}
"""Defects that show soon, wherever one walks."""


def test_the_stores_in_memory_walk_as_the_model_does() -> None:
    def ground() -> Ground:
        clock = Clock()
        return memory_stores(clock), clock.later

    walk_at_random(ground, walks=60)


@pytest.mark.parametrize(
    "defect", [one for one in (*JOURNAL_DEFECTS, *TICKET_DEFECTS) if one.name in FOUND], ids=lambda defect: defect.name
)
def test_a_walk_finds_a_defect(defect: Defect) -> None:
    def ground() -> Ground:
        clock = Clock()
        return defect.stores(clock), clock.later

    with pytest.raises(AssertionError):
        walk_at_random(ground, walks=200, simplify=False)


def test_every_defect_that_a_walk_should_find_is_there() -> None:
    assert {one.name for one in (*JOURNAL_DEFECTS, *TICKET_DEFECTS)} >= FOUND

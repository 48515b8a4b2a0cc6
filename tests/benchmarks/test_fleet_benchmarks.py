"""The benchmarks of the fleet run on tiny sizes, with workers that are real commands; peers are left out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import backlog, flows, idle, queues, shards, takeover
from benchmarks.effort import TINY
from benchmarks.peer import CELERY, DBOS_QUEUE, PROCRASTINATE, PeerKind
from benchmarks.stand import Stand, standing


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    with standing(TINY) as stand:
        flows.chain(1).run()  # makes the product's tables
        yield stand


def test_runs_go_through_the_queue_to_two_workers(stand: Stand) -> None:
    finding = queues.measure_rate(stand)
    assert [series.name for series in finding.series] == ["ours"]
    assert finding.series[0].median > 0
    assert len(finding.notes) == len(queues.PEERS)
    assert all(note.endswith("was left out") for note in finding.notes)


def test_a_map_is_worked_on_by_two_workers_and_joined(stand: Stand) -> None:
    taken = shards.spread(stand)
    assert taken.median > 0


def test_a_run_of_a_worker_that_is_killed_elsewhere_is_taken_over(stand: Stand) -> None:
    finding = takeover.measure(stand, ["tuned"])
    assert 0 < finding.bars[0].figure < 60


def test_claims_are_timed_with_few_and_with_many_in_the_queue(stand: Stand) -> None:
    finding = backlog.measure(stand)
    few, many, memory = finding.series
    assert len(few.values) >= TINY.queued[0]
    assert all(value > 0 for value in (*few.values, *many.values, *memory.values))


def test_idle_processes_are_watched(stand: Stand) -> None:
    finding = idle.measure(stand)
    assert finding.series[0].median > 30


@pytest.mark.parametrize("kind", [DBOS_QUEUE, CELERY, PROCRASTINATE], ids=lambda kind: kind.name)
def test_a_peers_program_stands_beside_ours(kind: PeerKind) -> None:
    assert kind.path.read_text(encoding="utf-8").startswith('"""')

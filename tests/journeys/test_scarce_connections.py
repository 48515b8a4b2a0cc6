"""A server that has fewer connections than a fleet would like: slow, with a word about it, and nobody stands still."""

from __future__ import annotations

import contextlib

import psycopg

from codemation.core.states import FINISHED
from tests.host.postgres.server import running_server
from tests.journeys.fleet import temporary_fleet
from tests.journeys.ledger import effects
from tests.journeys.plant import expected
from tests.journeys.world import PATIENCE, judge_journal, within

CONNECTIONS, RUNS = 20, 200


def test_two_hundred_runs_that_wait_for_children_go_through_twenty_connections() -> None:
    with running_server(connections=CONNECTIONS) as server, temporary_fleet(server) as fleet, fleet.open() as app:
        work = fleet.world.work(size=1, nested=True)
        handles = fleet.submit(app, work, *[fleet.world.key() for _ in range(RUNS)])
        with contextlib.ExitStack() as taken:
            for _ in range(CONNECTIONS - 3):
                taken.enter_context(psycopg.connect(server.url("postgres")))
            crew = [fleet.worker(pool=pool, concurrency=4) for pool in ("prefork", "threads")]
            within(PATIENCE, lambda: any("raise max_connections" in member.said() for member in crew))
        for handle in handles:
            within(PATIENCE, lambda handle=handle: handle.status in FINISHED)  # type: ignore[misc]
        done = effects(fleet.world.ledger)
        for handle in handles:
            assert handle.output == expected(1)
            judge_journal(app, handle.id, [one for one in done if one.run == handle.id])
        assert app.stores.runs.unattended() == ()
        for member, processes in zip(crew, (4, 1), strict=True):
            within(PATIENCE, lambda one=member, many=processes: one.said().count("ready for") == many)  # type: ignore[misc]
            assert "is left for" not in member.said()

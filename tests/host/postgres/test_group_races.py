"""Groups of steps on a real server, against one another and against everything that may come between."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace

import psycopg
import pytest

from codemation.core.errors import CodemationError, StoreUnavailable
from codemation.core.ids import ActivationId, Head
from codemation.core.ports import Claim, Commit, GoOn, Stores
from codemation.host.postgres.link import Row
from codemation.host.postgres.stores import open_stores
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import World, gone_on
from tests.host.postgres.proxy import lossy_proxy
from tests.host.postgres.server import Server
from tests.host.postgres.test_races import after_a_moment

B = ActivationId("b/1")


def group_of(world: World, claims: list[Claim]) -> list[Commit]:
    """A commit of each claim, all of which go on."""
    return [world.commit(claim, then=GoOn(activation=B)) for claim in claims]


def deadlocks(database: psycopg.Connection[Row]) -> int:
    """How many deadlocks the server has seen in this database."""
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    row = database.execute(query).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    "lock", ["SELECT 1 FROM runs WHERE id = %s FOR UPDATE", "SELECT 1 FROM tickets WHERE run_id = %s FOR UPDATE"]
)
def test_a_run_that_somebody_holds_delays_no_other(
    stores: Stores, world: World, database: psycopg.Connection[Row], lock: str
) -> None:
    claims = [world.held("a/1") for _ in range(3)]
    commits = group_of(world, claims)
    with database.transaction():
        database.execute(lock.encode(), [claims[1].run])
        began = time.monotonic()
        assert stores.journal.steps(commits) == {commits[0].new_head, commits[2].new_head}
        assert time.monotonic() - began < 5.0, "the group has waited for the lock"
    assert world.row(claims[1].run).revision == 1
    assert stores.journal.steps(commits) == {commits[1].new_head}


def test_groups_that_overlap_never_deadlock_and_write_each_run_once(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    chance = random.Random(5)  # noqa: S311 - an order, not a secret
    claims = [world.held("a/1", "z/1") for _ in range(10)]
    left_out = 0
    for number in range(40):
        name = f"n{number}/1"
        commits = [world.commit(claim, then=GoOn(activation=ActivationId(name))) for claim in claims]
        groups = [chance.sample(commits, 8) for _ in range(3)]
        for group in groups:
            for place, commit in enumerate(group):
                group[place] = replace(commit, new_head=world.head())
        written = together(*(lambda group=group: stores.journal.steps(group) for group in groups))
        for place, claim in enumerate(claims):
            row = world.row(claim.run)
            mine = {one.new_head for group in groups for one in group if one.run == claim.run}
            stand = [head for heads in written for head in heads if head in mine]
            assert len(stand) <= 1, "a revision was written twice"
            assert [row.head] == (stand or [commits[place].head])
            left_out += bool(mine) and not stand
            if stand:
                claims[place] = gone_on(claim, name)
    for claim in claims:
        row, entries = stores.journal.load(claim.run)
        assert [entry.revision for entry in entries] == list(range(1, row.revision + 1))
    assert deadlocks(database) == 0


def test_a_group_against_cancels_writes_nothing_after_them(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    before, after = 0, 0
    for _ in range(40):
        claims = [world.held("a/1", "z/1") for _ in range(4)]
        commits = group_of(world, claims)
        rows = {claim.run: world.row(claim.run) for claim in claims}
        heads = {claim.run: world.head() for claim in claims}
        folds = world.tickets("", "", "", "")

        def cancel(
            claims: list[Claim] = claims, rows: dict = rows, heads: dict = heads, folds: tuple = folds
        ) -> set[Head]:
            each = zip(claims, folds, strict=True)
            return {
                heads[claim.run]
                for claim, fold in each
                if stores.journal.cancel(claim.run, rows[claim.run], heads[claim.run], world.delta(), fold.id)
            }

        written, cancelled = together(
            lambda commits=commits: set(stores.journal.steps(commits)), after_a_moment(cancel, 0.003)
        )
        for claim, commit in zip(claims, commits, strict=True):
            row = world.row(claim.run)
            stood, stopped = commit.new_head in written, heads[claim.run] in cancelled
            assert stood != stopped
            assert (row.revision, row.head) == (2, commit.new_head if stood else heads[claim.run])
            before, after = before + stood, after + stopped
    assert before + after == 160
    assert deadlocks(database) == 0


def test_a_group_against_a_take_over_stands_or_leaves_no_trace(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    for _ in range(40):
        claims = [world.held("a/1") for _ in range(4)]
        commits = group_of(world, claims)
        victims = [claims[0].holding.worker, claims[2].holding.worker]
        written, _ = together(
            lambda commits=commits: stores.journal.steps(commits),
            after_a_moment(lambda victims=victims: stores.tickets.take_over(victims), 0.002),
        )
        for claim, commit in zip(claims, commits, strict=True):
            stood = commit.new_head in written
            row, entries = stores.journal.load(claim.run)
            (ticket,) = stores.runs.tickets(claim.run)
            assert row.revision == len(entries) == 1 + stood
            assert ticket.activation == ("b/1" if stood else "a/1")
    assert deadlocks(database) == 0


def test_a_commit_that_cannot_be_stored_takes_the_whole_group_along_and_leaves_nothing(
    stores: Stores, world: World
) -> None:
    claims = [world.held("a/1") for _ in range(3)]
    commits = group_of(world, claims)
    spoiled = replace(commits[1], then=GoOn(activation=ActivationId("b\0/1")))
    with pytest.raises(CodemationError):
        stores.journal.steps([commits[0], spoiled, commits[2]])
    assert [world.row(claim.run).revision for claim in claims] == [1, 1, 1]
    assert stores.journal.steps([commits[0], commits[2]]) == {commits[0].new_head, commits[2].new_head}


def test_a_group_whose_answer_is_lost_is_found_by_its_heads(
    server: Server, url: str, stores: Stores, world: World
) -> None:
    claims = [world.held("a/1") for _ in range(3)]
    commits = group_of(world, claims)
    with lossy_proxy(server.socket) as proxy, open_stores(url.replace(str(server.folder), str(proxy.folder))) as behind:
        journal = behind.stores.journal
        journal.steps([replace(commit, head=world.head()) for commit in commits])  # prepares the statement
        proxy.lose_the_next_answer()
        with pytest.raises(StoreUnavailable):
            journal.steps(commits)
        for claim, commit in zip(claims, commits, strict=True):
            look = journal.look(claim.run, claim.holding, 1)
            assert [entry.head for entry in look.tail] == [commit.new_head]
            assert look.claim == gone_on(claim, "b/1")
        assert journal.steps(commits) == frozenset()


def test_a_group_whose_session_is_cut_is_whole_or_absent(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    claims = [world.held("a/1") for _ in range(3)]
    commits = group_of(world, claims)
    caught = threading.Event()
    with database.transaction():
        database.execute("LOCK TABLE journal IN ACCESS EXCLUSIVE MODE")

        def write() -> None:
            with pytest.raises(StoreUnavailable):
                stores.journal.steps(commits)
            caught.set()

        writer = threading.Thread(target=write)
        writer.start()
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        while not (found := database.execute(waiting).fetchall()):
            time.sleep(0.01)
        for (pid,) in found:
            database.execute("SELECT pg_terminate_backend(%s)", [pid])
        writer.join(30)
    assert caught.is_set()
    assert [world.row(claim.run).revision for claim in claims] == [1, 1, 1]
    assert stores.journal.steps(commits) == {commit.new_head for commit in commits}


def test_nothing_is_asked_meanwhile_where_there_is_no_other_connection(url: str, world: World) -> None:
    """A server that is full leaves a process with one connection: whoever holds it would wait for himself."""
    with open_stores(url, limit=2) as opened:
        stores, done = opened.stores, list[str]()

        def steps(name: str) -> None:
            commits = group_of(world, [world.held("a/1") for _ in range(2)])
            written = stores.journal.steps(commits, lambda: (done.append(name), stores.workers.living()))
            assert written == {commit.new_head for commit in commits}

        steps("with one")
        with opened.connections.lease(), opened.connections.lease():
            pass
        steps("with two")
        assert done == ["with two"]

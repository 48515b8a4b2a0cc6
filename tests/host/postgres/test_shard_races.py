"""The statements of shards against one another and against all that may come between, on a real server."""

from __future__ import annotations

from functools import partial
from itertools import count

import psycopg
import pytest

from codemation.core.ids import TicketId
from codemation.core.ports import Claim, Shard, ShardEnd, Stores
from codemation.host.postgres.link import Row
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.shards import last_of, shards_of
from codemation.testing.conformance.world import World
from tests.host.postgres.test_races import after_a_moment

Database = psycopg.Connection[Row]
_SMALL = count(1)


def split(world: World, many: int, **changes: object) -> tuple[Claim, dict[TicketId, Shard]]:
    """An activation that was given up for so many shards, whose ids sort before its own: locks go by more than ids."""
    parent = world.held(**changes)
    shards = {TicketId(next(_SMALL)): shard for shard in shards_of(world, parent, many).values()}
    assert world.stores.shards.split(parent, shards)
    return parent, shards


def claimed(world: World, shards: dict[TicketId, Shard]) -> list[Claim]:
    """Each shard in the hands of a worker of its own."""
    return [world.claim(world.worker(), ticket) for ticket in shards]


def no_deadlocks(database: Database) -> bool:
    row = database.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    return row == (0,)


def counts_are_right(database: Database) -> bool:
    """Each activation that waits is left with as many shards as are there."""
    wrong = database.execute(
        """SELECT p.id FROM tickets p WHERE p.left_ IS NOT NULL AND p.left_ <>
            (SELECT count(*) FROM tickets s WHERE s.parent = p.id)"""
    )
    return wrong.fetchall() == []


def test_of_shards_that_end_together_one_joins_hundreds_of_times(
    stores: Stores, world: World, database: Database
) -> None:
    for _ in range(300):
        parent, shards = split(world, 4)
        claims = claimed(world, shards)
        ends = together(*(partial(stores.shards.end, claim, last_of(claim)) for claim in claims))
        joins = [end.join for end in ends if end is not None and end.join is not None]
        assert [join.holding.ticket for join in joins] == [parent.holding.ticket]
        assert sorted(end.left for end in ends if end is not None) == [0, 1, 2, 3]
    (running,) = database.execute("SELECT count(*), min(left_), max(left_) FROM tickets WHERE state = 1").fetchall()
    assert running == (300, 0, 0)
    assert no_deadlocks(database)


def test_an_end_that_is_sent_twice_at_once_is_counted_once(stores: Stores, world: World) -> None:
    for _ in range(60):
        _, shards = split(world, 2)
        first, second = claimed(world, shards)
        ends = together(*(partial(stores.shards.end, first, last_of(first)) for _ in range(3)))
        assert [end for end in ends if end is not None] == [ShardEnd(left=1)]
        end = stores.shards.end(second, last_of(second))
        assert end is not None
        assert end.join is not None


def test_a_shard_comes_to_be_before_a_cancel_or_not_at_all(stores: Stores, world: World, database: Database) -> None:
    won, longest = 0, 0.001
    for _ in range(200):
        parent = world.held()
        shards = shards_of(world, parent, 3)
        stood, _ = together(
            after_a_moment(partial(stores.shards.split, parent, shards), longest), partial(world.cancel, parent.run)
        )
        won += bool(stood)
        longest *= 1.25 if stood else 0.8  # so that either is first about as often, however fast the machine is
        assert stores.tickets.claim(world.worker(), [world.lane()], next(iter(shards))) is None
    unmarked = database.execute("SELECT count(*) FROM tickets WHERE stop = 0 AND kind <> 6").fetchall()
    assert (unmarked, 0 < won < 200) == ([(0,)], True)
    assert no_deadlocks(database)


def test_an_end_against_a_cancel_never_deadlocks_and_claims_nothing_after_it(
    stores: Stores, world: World, database: Database
) -> None:
    for _ in range(150):
        parent, shards = split(world, 3)
        claims = claimed(world, shards)
        *ends, _ = together(
            *(partial(stores.shards.end, claim, last_of(claim)) for claim in claims),
            after_a_moment(partial(world.cancel, parent.run), 0.003),
        )
        held = {row.id for row in stores.runs.tickets(parent.run) if row.state == "running"}
        refused = {claim.holding.ticket for claim, end in zip(claims, ends, strict=True) if end is None}
        joined = {parent.holding.ticket} if any(end is not None and end.join for end in ends) else set()
        assert held == refused | joined
    assert counts_are_right(database)
    assert no_deadlocks(database)


def test_ends_against_a_take_over_count_each_shard_once(stores: Stores, world: World, database: Database) -> None:
    for _ in range(100):
        parent, shards = split(world, 4)
        claims = claimed(world, shards)
        dying = [claim.holding.worker for claim in claims[:2]]
        database.execute("UPDATE tickets SET lost = 2 WHERE owner = ANY(%s)", [dying])
        *ends, _ = together(
            *(partial(stores.shards.end, claim, last_of(claim)) for claim in claims),
            after_a_moment(partial(stores.tickets.take_over, dying), 0.003),
        )
        while any(row.kind == "shard" for row in stores.runs.tickets(parent.run)):  # left out, for it was locked
            stores.tickets.take_over(dying)
        join = [end.join for end in ends if end is not None and end.join is not None]
        (row,) = stores.runs.tickets(parent.run)
        assert row.shards == (4, 4)
        if (
            row.state == "ready"
        ):  # it was counted last by the take-over, which may have found its new holder dead as well
            assert all(one.holding.worker in dying for one in join)
        else:
            assert [one.holding.worker for one in join] == [row.worker]
        assert len(stores.tickets.progress(parent.holding.ticket, parent.activation)) == 4
    assert no_deadlocks(database)


def test_a_failing_end_against_claims_of_the_others_counts_each_shard_once(
    stores: Stores, world: World, database: Database
) -> None:
    for _ in range(100):
        parent, shards = split(world, 5)
        first = world.claim(world.worker(), next(iter(shards)))
        others = list(shards)[1:]
        workers = [world.worker() for _ in others]
        error = {"type": "E", "message": "no"}
        end, *found = together(
            partial(stores.shards.end, first, last_of(first, error=error)),
            *(
                after_a_moment(partial(stores.tickets.claim, worker, [world.lane()], ticket), 0.003)
                for worker, ticket in zip(workers, others, strict=True)
            ),
        )
        claims = [claim for claim in found if isinstance(claim, Claim)]
        assert isinstance(end, ShardEnd)
        # What was being claimed in that moment may be neither dropped nor given away yet: it is still there.
        left = [row for row in stores.runs.tickets(parent.run) if row.kind == "shard"]
        assert end.left == len(left)
        late = [world.claim(world.worker(), row.id) for row in left if row.state == "ready"]
        ends = [stores.shards.end(claim, last_of(claim)) for claim in (*claims, *late)]
        joins = [one.join for one in (end, *ends) if one is not None and one.join is not None]
        assert len(joins) == 1
    assert counts_are_right(database)


@pytest.mark.parametrize("many", [1_000])
def test_many_shards_are_split_in_one_statement_and_each_is_claimed_once(
    stores: Stores, world: World, database: Database, many: int
) -> None:
    parent, shards = split(world, many)
    workers = [world.worker() for _ in range(4)]

    def work(worker: int) -> list[ShardEnd]:
        ends = []
        while (claim := stores.tickets.claim(workers[worker], [world.lane()])) is not None:
            end = stores.shards.end(claim, last_of(claim))
            assert end is not None
            ends.append(end)
            if end.join is not None:
                break
        return ends

    ends = [end for mine in together(*(partial(work, worker) for worker in range(4))) for end in mine]
    assert sorted(end.left for end in ends) == list(range(many))
    assert len(stores.tickets.progress(parent.holding.ticket, parent.activation)) == len(shards)

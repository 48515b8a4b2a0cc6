"""The read side, definitions, letters and logs: what was stored is what is read, whatever it holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from codemation.core.definition import Definition, NodeKind, NodePlan
from codemation.core.errors import HostError, InputError, UnknownRun
from codemation.core.ids import START, ActivationId, RunId, TicketId, WorkflowId
from codemation.core.ports import Drop, Lane, LogLine, Stores, WorkerRow
from codemation.core.states import RunStatus
from codemation.host.postgres.link import Row
from codemation.host.postgres.logs import LINE_LIMIT, LINES_KEPT
from codemation.host.postgres.rows import storable
from codemation.host.postgres.stores import open_stores
from codemation.testing.conformance.world import World
from tests.host.postgres.clock import set_clock

AWKWARD = 'a "quoted" \\ backslash, 100 % :name %(name)s $1, new\nline, ü €'


def test_pages_go_from_the_youngest_to_the_oldest_without_gap_or_repetition(stores: Stores, world: World) -> None:
    runs = [world.start("a/1") for _ in range(7)]
    found: list[RunId] = []
    before = None
    while page := stores.runs.page(before=before, limit=3):
        found += [row.id for row in page]
        before = page[-1].id
    assert found == runs[::-1]


def test_runs_of_one_moment_have_one_order_on_all_pages(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    runs = [world.start("a/1") for _ in range(5)]
    database.execute("UPDATE runs SET created_at = '2026-01-01'")
    first = stores.runs.page(limit=2)
    rest = stores.runs.page(before=first[-1].id)
    assert [row.id for row in (*first, *rest)] == runs[::-1]


def test_pages_can_be_of_a_workflow_and_of_some_statuses(stores: Stores, world: World) -> None:
    other = world.definition("other")
    failed = world.held("a/1")
    world.step(failed, status=RunStatus.FAILED, reason="why")
    running = world.start("a/1")
    foreign = world.start("a/1", workflow=other.workflow, digest=other.digest)

    def ids(*statuses: RunStatus, workflow: str | None = None) -> list[RunId]:
        return [row.id for row in stores.runs.page(workflow=workflow, statuses=statuses)]

    assert ids(workflow="other") == [foreign]
    assert ids(RunStatus.FAILED) == [failed.run]
    assert ids(RunStatus.RUNNING) == [foreign, running]
    assert ids(RunStatus.RUNNING, RunStatus.FAILED, workflow="flow") == [running, failed.run]
    assert ids(workflow=AWKWARD) == []


def test_runs_are_found_by_the_beginning_or_the_end_of_their_ids(stores: Stores, world: World) -> None:
    runs = [world.start("a/1") for _ in range(12)]
    assert stores.runs.find(runs[3][-12:]) == (runs[3],)
    assert stores.runs.find(runs[3]) == (runs[3],)
    assert len(stores.runs.find("0000")) == 10
    assert stores.runs.find("0000")[0] == runs[-1]
    for nothing in ("%", "_", "zz", AWKWARD):
        assert stores.runs.find(nothing) == ()


@pytest.mark.parametrize("run", ["no id", "", "01a20000-0000-7000-8000-000000000000"])
def test_a_run_that_is_not_there_is_unknown(stores: Stores, run: str) -> None:
    with pytest.raises(UnknownRun, match="codemation runs list"):
        stores.journal.load(RunId(run))


def test_awkward_text_comes_back_as_it_was(stores: Stores, world: World) -> None:
    params = json.dumps({"text": AWKWARD, "deep": [1, 2.5, None, {"ü": "\ud83d\ude00"}]})
    claim = world.held("a/1", params=params)
    assert json.loads(world.row(claim.run).params) == json.loads(params)
    world.post(claim.run, AWKWARD, json.dumps({"text": AWKWARD + "\0\ud800"}))
    (letter,) = stores.inbox.pending(claim.run)
    assert (letter.key, json.loads(letter.body)) == (AWKWARD, {"text": AWKWARD + "\0\ud800"})
    world.step(claim, status=RunStatus.FAILED, reason=AWKWARD + "\0 \ud800")
    assert world.row(claim.run).reason == storable(AWKWARD + "\0 \ud800") == AWKWARD + "␀ \\ud800"


@pytest.mark.parametrize("params", ['{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"a": NaN}', "no json", ""])
def test_params_that_cannot_be_stored_are_refused_and_nothing_is_recorded(
    stores: Stores, world: World, params: str
) -> None:
    run = world.new_run("a/1", params=params, key="k")
    with pytest.raises(InputError, match='the params of "flow" cannot be stored'):
        stores.journal.start(run)
    assert stores.runs.page() == ()
    assert stores.journal.start(world.new_run("a/1", key="k"))


def test_a_letter_that_is_no_json_is_refused(stores: Stores, world: World) -> None:
    run = world.start("a/1")
    with pytest.raises(InputError, match="is not JSON"):
        world.post(run, "k", "no json")
    assert stores.inbox.pending(run) == ()


def test_a_letter_to_nobody_is_refused(world: World) -> None:
    with pytest.raises(UnknownRun):
        world.post(world.run_id())


def test_a_definition_comes_back_with_its_digest(stores: Stores, url: str) -> None:
    node = NodePlan(
        id=START,
        kind=NodeKind.START,
        inputs=(),
        config={"large": 1e16, "huge": 10**40, "tiny": 1e-7, "text": AWKWARD + "\0", "order": {"b": 1, "a": 2}},
    )
    definition = Definition(workflow=WorkflowId("flow"), nodes=(node,), source="here.py:1")
    stores.definitions.put(definition)
    stores.definitions.put(definition)
    with open_stores(url) as others:
        found = others.stores.definitions.get(definition.digest)
    assert found == definition
    assert found.digest == definition.digest
    assert list(found.nodes[0].config) == list(node.config)


def test_a_definition_that_is_not_there_is_told(stores: Stores, world: World) -> None:
    with pytest.raises(HostError, match="no definition 00000000"):
        stores.definitions.get("00" * 32)
    with pytest.raises(HostError, match="hexadecimal"):
        stores.definitions.get("no digest")
    with pytest.raises(HostError, match="is not stored yet"):
        world.start("a/1", digest="00" * 32)


def line(text: str, node: str = "a") -> LogLine:
    activation = ActivationId(f"{node}/1")
    return LogLine(at=datetime(2026, 1, 1, tzinfo=UTC), activation=activation, attempt=1, level="info", text=text)


def test_logs_are_read_oldest_first_by_run_or_node(stores: Stores, world: World) -> None:
    run, other = world.start("a/1"), world.start("a/1")
    lines = [line(f"{number}", node) for number in range(4) for node in ("a", "a/b", "ab", "a_")]
    stores.logs.append(run, lines)
    stores.logs.append(run, [])
    assert stores.logs.read(run) == tuple(lines)
    assert stores.logs.read(run, limit=3) == tuple(lines[-3:])
    assert stores.logs.read(run, node="a") == tuple(one for one in lines if one.activation == "a/1")
    assert stores.logs.read(run, node="a/b", limit=1) == (lines[-3],)
    assert stores.logs.read(run, node="") == stores.logs.read(other) == ()


def test_logs_hold_whatever_is_printed(stores: Stores, world: World) -> None:
    run = world.start("a/1")
    stores.logs.append(run, [line("a\0b \ud800"), line("x" * (LINE_LIMIT + 1000)), line("")])
    strange, long, empty = stores.logs.read(run)
    assert strange.text == "a␀b \\ud800"
    assert long.text == "x" * LINE_LIMIT + " … (1,000 characters more)"
    assert empty.text == ""


def test_logs_are_bounded_for_each_activation(stores: Stores, world: World) -> None:
    run = world.start("a/1")
    stores.logs.append(run, [line("kept", "b")])
    for first in range(0, 13_000, 1_000):
        stores.logs.append(run, [line(str(number)) for number in range(first, first + 1_000)])
    found = stores.logs.read(run, node="a", limit=1_000_000)
    assert LINES_KEPT <= len(found) <= LINES_KEPT + 1_000
    assert found[-1].text == "12999"
    assert len(stores.logs.read(run, node="b")) == 1


# --- the invariant ----------------------------------------------------------------------------------------------------


def whys(stores: Stores) -> list[str]:
    return [found.why for found in stores.runs.unattended()]


def test_a_healthy_system_has_nothing_unattended(stores: Stores, world: World) -> None:
    claim = world.held("a/1", "b/1")
    world.post(claim.run)
    stores.tickets.postpone(world.claim(world.worker()).holding, 60.0)
    world.cancel(world.start("c/1"))
    assert whys(stores) == []


def test_a_run_without_a_ticket_is_unattended(stores: Stores, world: World) -> None:
    claim = world.held("a/1")
    world.step(claim, then=Drop())
    (found,) = stores.runs.unattended()
    assert (found.run, found.workflow, found.why) == (claim.run, "flow", "it has no ticket")


def test_work_of_the_dead_is_unattended_until_it_is_taken_over(stores: Stores, world: World) -> None:
    claim = world.held("a/1")
    world.worker()
    stores.workers.bury([claim.holding.worker])
    assert whys(stores) == [f"worker {claim.holding.worker} holds a/1 and is dead"]
    stores.tickets.take_over([claim.holding.worker])
    assert whys(stores) == []


def test_work_that_nobody_serves_is_unattended(stores: Stores, world: World) -> None:
    digest = world.flow.digest[:12]
    run = world.start("a/1")
    assert whys(stores) == [f'nobody serves queue "default" of definition {digest}']
    worker = world.worker()
    assert whys(stores) == [], "somebody who has not said what he serves may serve it"
    assert stores.tickets.claim(worker, [Lane(queue="other", digest=world.flow.digest)]) is None
    assert whys(stores) == [f'nobody serves queue "default" of definition {digest}']
    assert world.claim(worker).run == run
    assert whys(stores) == []


def test_a_time_that_nobody_fires_is_unattended(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    claim = world.held("a/1")
    stores.tickets.postpone(claim.holding, 30.0)
    set_clock(database, 40.0)
    assert whys(stores) == []
    set_clock(database, 100.0)
    (why,) = whys(stores)
    assert why.startswith("the time of a/1 came at ")
    stores.tickets.fire()
    assert whys(stores) == []


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("DELETE FROM tickets WHERE kind = 6", "nobody folds its inbox"),
        (
            "UPDATE tickets SET state = 2, owner = NULL, due_at = NULL, wait_key = 'k' WHERE kind = 0",
            "a/1 waits, and nobody will wake it",
        ),
    ],
)
def test_what_nobody_will_wake_is_unattended(
    stores: Stores, world: World, database: psycopg.Connection[Row], damage: str, why: str
) -> None:
    claim = world.held("a/1")
    world.post(claim.run)
    database.execute(damage.encode())
    assert whys(stores) == [why]


def test_the_long_dead_are_forgotten_unless_they_hold_something(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    claim, idle = world.held("a/1"), world.worker()
    stores.workers.bury([claim.holding.worker, idle])
    assert [row.id for row in stores.workers.living()] == [claim.holding.worker]
    set_clock(database, 8 * 24 * 3600.0)
    stores.workers.bury([])
    assert database.execute("SELECT id FROM workers").fetchall() == [(claim.holding.worker,)]
    assert stores.workers.beat(claim.holding.worker) is None


def test_whoever_was_buried_before_he_was_entered_stays_buried(stores: Stores, world: World) -> None:
    worker = world.worker()
    row = WorkerRow(id=worker, name="w", place="here", pid=1, pid_started=1)
    stores.workers.register(row)
    stores.workers.bury([worker])
    stores.workers.register(row)
    assert stores.workers.beat(worker) is None
    world.start("a/1")
    assert stores.tickets.claim(worker, [world.lane()]) is None


def test_hints_name_tickets_that_are_claimed_only_if_they_are_served(stores: Stores, world: World) -> None:
    run = world.new_run("a/1")
    stores.journal.start(run)
    worker = world.worker()
    assert stores.tickets.claim(worker, [world.lane("other")], run.tickets[0].id) is None
    assert stores.tickets.claim(worker, [world.lane()], TicketId(world.number())) is None
    claim = stores.tickets.claim(worker, [world.lane()], run.tickets[0].id)
    assert claim is not None
    assert claim.activation == "a/1"


def test_times_are_those_of_the_database(stores: Stores, world: World, database: psycopg.Connection[Row]) -> None:
    set_clock(database, 1_000_000.0)
    row = world.row(world.start("a/1"))
    assert row.created_at.utcoffset() == timedelta(0)
    assert row.created_at - datetime.now(UTC) > timedelta(days=11)

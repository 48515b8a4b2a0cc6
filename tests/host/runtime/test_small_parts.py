"""The meter, the recent payloads, the agenda, and what is remembered of exceptions."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from codemation.core.definition import Definition, NodeKind, NodePlan, Policy, RetryPlan
from codemation.core.errors import ContractError, StoreUnavailable
from codemation.core.ids import START, ActivationId, Head, NodeId, RunId, TicketId, WorkerId, WorkflowId
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome
from codemation.core.ports import Claim, Holding, RunRow
from codemation.core.retry import Retry
from codemation.core.signature import NodeCode, Result, Shape, Signature
from codemation.core.snapshot import Snapshot
from codemation.core.states import RunStatus
from codemation.host.runtime.agenda import Agenda
from codemation.host.runtime.meter import Meter
from codemation.host.runtime.recent import MANY, Recent
from codemation.host.runtime.trouble import MESSAGE_LIMIT, TRACE_LIMIT, info_of, retry_delay
from codemation.host.runtime.watched import Watched
from codemation.host.runtime.workbench import RunCode

RUN = RunId("r1")
NODE = NodeId("n")


def test_the_meter_shows_only_nodes_at_work_and_keeps_a_total_that_was_said_once() -> None:
    meter = Meter()
    meter.move(NODE, 1)
    assert meter.readings() == {}
    meter.begin(NODE, None)
    meter.move(NODE, 1, 10)
    meter.move(NODE, 2)
    assert (meter.readings()[NODE].done, meter.readings()[NODE].total) == (2, 10)
    meter.end(NODE)
    meter.end(NODE)
    assert meter.readings() == {}


def test_the_parts_of_a_node_are_read_together() -> None:
    meter = Meter()
    for part, total in enumerate((10, 20)):
        meter.begin(NODE, total, part=part)
        meter.move(NODE, 3 + part, part=part)
    reading = meter.readings()[NODE]
    assert (reading.done, reading.total) == (7, 30)
    meter.end(NODE, part=0)
    assert meter.readings()[NODE].total == 20
    meter.begin(NODE, None, part=2)
    assert meter.readings()[NODE].total is None
    for part in (1, 2):
        meter.end(NODE, part=part)
    assert meter.readings() == {}


def test_few_small_payloads_are_kept_however_little_they_weigh() -> None:
    recent = Recent()
    for number in range(MANY + 1):
        recent.put(RUN, str(number), b"x")
    assert recent.get(RUN, "0") is None
    assert recent.get(RUN, "1") == b"x"


def test_recent_payloads_are_bounded_and_the_longest_unused_makes_room() -> None:
    recent = Recent(limit=80)
    for name in "abcdefgh":
        recent.put(RUN, name, name.encode() * 10)
    assert recent.get(RUN, "a") == b"a" * 10  # used again, so the next to go is b
    recent.put(RUN, "i", b"i" * 10)
    assert recent.get(RUN, "b") is None
    assert recent.get(RUN, "a") is not None
    assert recent.get(RunId("r2"), "a") is None


def test_what_is_large_nameless_or_known_is_not_kept_anew() -> None:
    recent = Recent(limit=80)
    recent.put(RUN, "large", b"x" * 11)
    recent.put(RUN, "", b"x")
    recent.put(RUN, "twice", b"1")
    recent.put(RUN, "twice", b"2")
    assert [recent.get(RUN, name) for name in ("large", "", "twice")] == [None, None, b"1"]


def watched(run: RunId, limit: int = 1) -> Watched:
    """A run that is worked on."""
    definition = Definition(workflow=WorkflowId("w"), nodes=(NodePlan(id=START, kind=NodeKind.START, inputs=()),))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    row = RunRow(
        id=run,
        workflow=definition.workflow,
        digest=definition.digest,
        status=RunStatus.RUNNING,
        reason="",
        revision=1,
        head=Head(1),
        stop=False,
        params="{}",
        priority=0,
        created_at=now,
        started_at=now,
        finished_at=None,
    )
    opened = OpenRun(row, definition, Snapshot(definition.plan), nullcontext())
    return Watched(opened, RunCode(nodes={}, params=None), definition.digest, limit)


def claim(ticket: int, priority: int = 0) -> Claim:
    holding = Holding(ticket=TicketId(ticket), worker=WorkerId(1), fence=1)
    return Claim(holding=holding, run=RUN, activation=ActivationId("a/1"), priority=priority)


def test_the_agenda_gives_the_most_urgent_first_and_nothing_beyond_a_runs_limit() -> None:
    agenda, one = Agenda(), watched(RUN)
    agenda.add(RUN, Outcome(ready=(TicketId(1), TicketId(2))))
    agenda.add(RUN, Outcome(next=claim(3, priority=5)))
    assert (len(agenda), agenda.knows(RUN), agenda.held(RUN)) == (3, True, [claim(3).holding])
    first = agenda.pop({RUN: one})
    assert first is not None
    assert first[1].claim == claim(3, priority=5)
    one.active = 1
    assert agenda.pop({RUN: one}) is None
    one.active = 0
    second = agenda.pop({RUN: one})
    assert second is not None
    assert second[1].ticket == 1


def test_the_agenda_keeps_what_is_held_of_a_run_that_pauses_and_drops_what_nobody_watches() -> None:
    agenda, one = Agenda(), watched(RUN)
    agenda.add(RUN, Outcome(next=claim(3)))
    agenda.add(RunId("gone"), Outcome(ready=(TicketId(9),)))
    one.pausing = True
    assert agenda.pop({RUN: one}) is None
    assert agenda.held(RUN) == [claim(3).holding]
    assert not agenda.knows(RunId("gone"))


def test_the_agenda_waits_for_what_is_later_and_forgets_a_run_altogether() -> None:
    agenda, one = Agenda(), watched(RUN, limit=9)
    assert agenda.until_next() == float("inf")
    agenda.add(RUN, Outcome(later=(TicketId(1), 3600.0)))
    assert 3500 < agenda.until_next() <= 3600
    assert agenda.pop({RUN: one}) is None
    agenda.add(RUN, Outcome(later=(TicketId(2), 0.0)))
    due = agenda.pop({RUN: one})
    assert due is not None
    assert due[1].ticket == 2
    agenda.forget(RUN)
    assert agenda.until_next() == float("inf")


def test_a_long_message_and_a_long_traceback_are_cut_and_ours_are_no_frames() -> None:
    def deep(n: int) -> None:
        if n:
            exec(f"def f{n}(g, n): g(n - 1)\nf{n}(deep, n)", {"deep": deep, "n": n})  # noqa: S102 - distinct frames
        raise ValueError("x" * 10_000)

    with pytest.raises(ValueError, match="x") as caught:
        deep(200)
    info = info_of(caught.value, item=3)
    assert (info.type, len(info.message), info.item) == ("ValueError", MESSAGE_LIMIT + 1, 3)
    assert len(info.traceback) <= TRACE_LIMIT + 3
    assert info_of(KeyError()).message == "KeyError"


def test_causes_are_remembered_without_our_frames() -> None:
    def wrong() -> None:
        try:
            Retry(attempts=0)
        except ValueError as error:
            raise RuntimeError("outer") from error

    with pytest.raises(RuntimeError) as caught:
        wrong()
    trace = info_of(caught.value).traceback
    assert "attempts=0" in trace
    assert "core/retry.py" not in trace


def test_only_what_may_go_better_is_tried_again() -> None:
    plan = NodePlan(id=NODE, kind=NodeKind.THEN, inputs=(), policy=Policy(retry=RetryPlan(attempts=2)))
    nothing = Signature(data=None, arguments=(), injections=(), result=Result(shape=Shape.ONE, item_type=int))
    code = NodeCode(function=int, signature=nothing, retry=Retry(attempts=2))
    assert retry_delay(plan, code, ValueError(), 1, "s") == 0.0
    assert retry_delay(plan, code, ValueError(), 2, "s") is None
    assert retry_delay(plan, None, ValueError(), 1, "s") is None
    assert retry_delay(plan, code, ContractError("no"), 1, "s") is None
    assert retry_delay(plan, code, StoreUnavailable("no"), 1, "s") is None

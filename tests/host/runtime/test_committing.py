"""The committer: a lone result is written at once, and what comes meanwhile is written together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from codemation.core.definition import Definition
from codemation.core.delivery import Delivery
from codemation.core.engine import Engine
from codemation.core.errors import StoreUnavailable
from codemation.core.ids import MAIN, RunId
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome
from codemation.core.ports import Claim
from codemation.core.signals import Succeeded
from codemation.host.runtime.committing import WRITERS, Committer
from tests.core.engine_world import Database, begun, start
from tests.core.simulation.faults import Fault
from tests.core.test_definition import defined, node

CHAIN = defined(node("a", "start"), node("b", "a"))
FORK = defined(node("a", "start"), node("b", "start"), node("c", "a", "b"))


class Inbasket:
    """Where the committer tells what followed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.told: list[tuple[str, Outcome | Exception]] = []

    def slot(self, name: str) -> Callable[[Outcome | Exception], None]:
        """Takes what followed from one delivery."""

        def take(told: Outcome | Exception) -> None:
            with self._changed:
                self.told.append((name, told))
                self._changed.notify_all()

        return take

    def wait(self, count: int) -> dict[str, Outcome | Exception]:
        """What was told, when so much was."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) >= count, timeout=30)
            assert len(self.told) == count
            return dict(self.told)


class Gate:
    """Holds up whoever writes alone, until it is opened."""

    def __init__(self, database: Database) -> None:
        self._reached, self._open = threading.Event(), threading.Event()
        database.faults["journal.step"] = [self._pass]

    def _pass(self) -> None:
        self._reached.set()
        assert self._open.wait(30)

    def hold(self, record: Callable[[], object]) -> threading.Thread:
        """Let a thread write alone, and return when it is held up."""
        thread = threading.Thread(target=record)
        thread.start()
        assert self._reached.wait(30)
        return thread

    def open(self, held: threading.Thread) -> None:
        """Let it go on, and return when it is done."""
        self._open.set()
        held.join(30)


@pytest.fixture
def database() -> Database:
    return Database()


def delivery(engine: Engine, run: OpenRun, claim: Claim) -> Delivery:
    """What a node gave, on its way."""
    batches, inline = engine.store_outputs(run.id, {MAIN: (b"x", 1, "items")})
    return engine.delivery(run, claim, Succeeded(activation=claim.activation, outputs=batches), inline)


def new(engine: Engine, name: str, definition: Definition = CHAIN) -> Delivery:
    """The delivery of a new run."""
    return delivery(engine, *begun(engine, definition, id=RunId(name)))


def test_a_lone_result_is_written_at_once_by_whoever_brings_it(database: Database) -> None:
    engine = database.engine()
    threads = threading.active_count()
    outcome = Committer(engine).record(new(engine, "r1"), Inbasket().slot("r1"))
    assert outcome is not None
    assert outcome.next is not None
    assert threading.active_count() == threads


def test_two_or_three_write_side_by_side_and_whoever_comes_then_leaves_it(database: Database) -> None:
    engine, basket, begun_by = database.engine(), Inbasket(), threading.Semaphore(0)
    committer, go_on = Committer(engine), threading.Event()

    def held_up() -> None:
        begun_by.release()
        assert go_on.wait(30)

    database.faults["journal.step"] = [held_up] * WRITERS
    several, last = [new(engine, f"r{number}") for number in range(WRITERS)], new(engine, "last")
    threads = [threading.Thread(target=committer.record, args=(one, basket.slot("-"))) for one in several]
    for thread in threads:
        thread.start()
    for _ in several:
        assert begun_by.acquire(timeout=30)  # each of them, while none has come to its end
    assert committer.record(last, basket.slot("last")) is None
    assert isinstance(basket.wait(1)["last"], Outcome)  # none of them is waited for long
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert all(database.stores.journal.load(one.run.id)[0].revision == 2 for one in (*several, last))
    assert committer.record(new(engine, "again"), basket.slot("-")) is not None


def test_what_comes_of_a_run_that_is_being_written_is_left_whoever_else_could_write(database: Database) -> None:
    engine, basket = database.engine(), Inbasket()
    committer, gate = Committer(engine), Gate(database)
    run, outcome = engine.start(FORK, start())
    other = engine.claim(run, outcome.ready[0])
    assert outcome.next is not None
    assert other is not None
    held = gate.hold(lambda: committer.record(delivery(engine, run, outcome.next), basket.slot("-")))  # type: ignore[arg-type]
    assert committer.record(delivery(engine, run, other), basket.slot("other")) is None
    gate.open(held)
    assert isinstance(basket.wait(1)["other"], Outcome)
    assert database.stores.journal.load(run.id)[0].revision == 3


def test_what_comes_while_somebody_writes_is_written_together(database: Database) -> None:
    engine, basket, groups = database.engine(), Inbasket(), list[int]()
    committer, gate = Committer(engine, writers=1), Gate(database)
    first, *others = (new(engine, f"r{number}") for number in range(5))
    database.faults["journal.steps"] = [lambda: groups.append(1)] * 5
    held = gate.hold(lambda: basket.slot("r0")(committer.record(first, basket.slot("-")) or StoreUnavailable("left")))
    for one in others:
        assert committer.record(one, basket.slot(one.run.id)) is None
    told = basket.wait(4)  # although the lone writer is held up still
    assert set(told) == {"r1", "r2", "r3", "r4"}
    gate.open(held)
    told = basket.wait(5)
    assert all(isinstance(outcome, Outcome) and outcome.next for outcome in told.values())
    assert len(groups) < 4, "what was left should be written in groups"
    assert all(database.stores.journal.load(one.run.id)[0].revision == 2 for one in (first, *others))


def test_two_results_of_one_run_are_written_one_after_the_other(database: Database) -> None:
    engine, basket = database.engine(), Inbasket()
    committer, gate = Committer(engine, writers=1), Gate(database)
    run, outcome = engine.start(FORK, start())
    other = engine.claim(run, outcome.ready[0])
    assert outcome.next is not None
    assert other is not None
    lone, both = new(engine, "r9"), [delivery(engine, run, claim) for claim in (outcome.next, other)]
    held = gate.hold(lambda: committer.record(lone, basket.slot("r9")))
    for number, one in enumerate(both):
        assert committer.record(one, basket.slot(str(number))) is None
    told = basket.wait(2)
    gate.open(held)
    following = [one.next.activation for one in told.values() if isinstance(one, Outcome) and one.next]
    assert following == ["c/1"]
    assert database.stores.journal.load(run.id)[0].revision == 3


def test_what_goes_wrong_with_one_is_told_of_that_one_alone(database: Database) -> None:
    engine, basket = database.engine(), Inbasket()
    committer, gate = Committer(engine, writers=1), Gate(database)
    lone, broken, good = (new(engine, f"r{number}") for number in range(3))
    broken.signal = Succeeded(activation=broken.claim.activation, outputs={MAIN: "no batch"})  # type: ignore[dict-item]
    held = gate.hold(lambda: committer.record(lone, basket.slot("r0")))
    for one in (broken, good):
        assert committer.record(one, basket.slot(one.run.id)) is None
    told = basket.wait(2)
    gate.open(held)
    assert isinstance(told["r1"], AttributeError)
    assert isinstance(told["r2"], Outcome)


def test_a_group_whose_answer_is_lost_is_recorded_once(database: Database) -> None:
    engine, basket = database.engine(), Inbasket()
    committer, gate = Committer(engine, writers=1), Gate(database)
    lone, *others = (new(engine, f"r{number}") for number in range(4))
    database.faults["journal.steps"] = [Fault.ANSWER_LOST]
    held = gate.hold(lambda: committer.record(lone, basket.slot("r0")))
    for one in others:
        assert committer.record(one, basket.slot(one.run.id)) is None
    told = basket.wait(3)
    gate.open(held)
    assert all(isinstance(outcome, Outcome) and outcome.next for outcome in told.values())
    assert [len(database.stores.journal.load(one.run.id)[1]) for one in others] == [2, 2, 2]


def test_a_committer_without_work_ends_and_another_one_begins(database: Database) -> None:
    engine, basket = database.engine(), Inbasket()
    committer = Committer(engine, idle=0.01, writers=1)
    for turn in range(2):
        gate = Gate(database)
        lone, left = new(engine, f"a{turn}"), new(engine, f"b{turn}")
        held = gate.hold(partial(committer.record, lone, basket.slot("lone")))
        assert committer.record(left, basket.slot(left.run.id)) is None
        basket.wait(turn + 1)
        gate.open(held)
        until = time.monotonic() + 30
        while committer._alive and time.monotonic() < until:
            time.sleep(0.005)
        assert not committer._alive
    assert set(basket.wait(2)) == {"b0", "b1"}


class Course:
    """What happens to groups, in its order; the first one is held up until it may go on."""

    def __init__(self, database: Database, *later: object) -> None:
        self.order: list[str] = []
        self.sizes: list[int] = []
        self._held, self._go_on = threading.Event(), threading.Event()
        database.faults["journal.steps"] = [self._first, *(later or [lambda: self.order.append("sent")])]
        self._basket = Inbasket()

    def _first(self) -> None:
        self._held.set()
        assert self._go_on.wait(30)

    def run(self, committer: Committer, first: Delivery, *others: Delivery) -> dict[str, Outcome | Exception]:
        """Leave one, and the others while it is being written; what was told of all."""
        self._leave(committer, first)
        assert self._held.wait(30)
        for one in others:
            self._leave(committer, one)
        self._go_on.set()
        return self._basket.wait(1 + len(others))

    def _leave(self, committer: Committer, one: Delivery) -> None:
        slot = self._basket.slot(one.run.id)

        def told(what: Outcome | Exception) -> None:
            self.order.append(one.run.id)
            slot(what)

        assert committer.record(one, told, busy=True) is None


def test_the_next_group_is_sent_before_the_last_one_is_taken_up(database: Database) -> None:
    engine, course = database.engine(), Course(database)
    told = course.run(Committer(engine), *(new(engine, f"r{number}") for number in range(3)))
    assert course.order == ["sent", "r0", "r1", "r2"]
    assert all(isinstance(outcome, Outcome) and outcome.next for outcome in told.values())


def test_what_others_are_folded_for_is_taken_up_before_the_next_group_is_held(database: Database) -> None:
    """The end of a child folds its parent, which may be in the next group, or whose lock others have."""
    engine, course = database.engine(), Course(database)
    child, *others = new(engine, "r0", defined(node("a", "start"))), new(engine, "r1"), new(engine, "r2")
    child.run.snapshot.parent = "parent/1"
    course.run(Committer(engine), child, *others)
    assert course.order == ["r0", "sent", "r1", "r2"]


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.ASK_LOST])
def test_a_group_is_taken_up_once_although_the_next_one_is_lost(database: Database, fault: Fault) -> None:
    engine, course = database.engine(), Course(database, fault)
    told = course.run(Committer(engine), *(new(engine, f"r{number}") for number in range(4)))
    assert sorted(course.order) == sorted(told) == ["r0", "r1", "r2", "r3"]
    assert all(isinstance(outcome, Outcome) and outcome.next for outcome in told.values())
    assert [database.stores.journal.load(RunId(run))[0].revision for run in told] == [2] * 4


def test_who_cannot_hear_what_followed_keeps_it_from_nobody_else(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    engine, course, basket = database.engine(), Course(database), Inbasket()
    committer, others = Committer(engine), [new(engine, f"r{number}") for number in range(1, 4)]

    def deaf(_what: Outcome | Exception) -> None:
        raise ZeroDivisionError

    first = new(engine, "r0")
    assert committer.record(first, deaf, busy=True) is None
    assert course._held.wait(30)
    for one in others:
        assert committer.record(one, deaf if one is others[0] else basket.slot(one.run.id), busy=True) is None
    course._go_on.set()
    assert set(basket.wait(2)) == {"r2", "r3"}
    assert [record.getMessage() for record in caplog.records] == [
        f"what followed in run {run} was not taken up" for run in ("r0", "r1")
    ]
    assert committer.record(new(engine, "r4"), deaf) is not None  # nobody is taken to be writing still


@pytest.mark.parametrize(("usual", "sizes"), [(0.0, [1, 7, 5]), (1.0, [1, 12])], ids=["quick", "slow"])
def test_where_commits_are_quick_half_of_what_is_under_way_is_written_at_a_time(
    database: Database, monkeypatch: pytest.MonkeyPatch, usual: float, sizes: list[int]
) -> None:
    """So the other half is worked on meanwhile; a commit that takes long is shared by all."""
    engine, found = database.engine(), list[int]()
    write = engine.write_together
    monkeypatch.setattr(engine, "write_together", lambda group, then: (found.append(len(group)), write(group, then))[1])
    committer = Committer(engine)
    committer._usual = usual
    Course(database).run(committer, *(new(engine, f"r{number}") for number in range(13)))
    assert found == sizes


def test_a_committer_looks_once_more_for_whoever_counts_on_it(database: Database) -> None:
    engine, looks, asked = database.engine(), list[bool](), list[bool]()

    def rouse() -> bool:
        looks.append(True)
        if len(looks) == 1:  # something comes right after the look, and is left to the next one
            asked.append(committer.looks_soon())
        return False

    committer, before = Committer(engine, rouse, idle=0.01), set(threading.enumerate())
    assert not committer.looks_soon()
    Course(database).run(committer, new(engine, "r0"))
    for thread in set(threading.enumerate()) - before:  # it ends when it has nothing to do, and nobody counts on it
        thread.join(30)
    assert asked == [True]
    assert len(looks) == 2
    assert not committer.looks_soon()

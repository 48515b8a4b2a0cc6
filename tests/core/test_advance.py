"""The fold, signal by signal, and what holds after any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codemation.core.advance import advance
from codemation.core.definition import Definition, Input, NodeKind, NodePlan, Policy, Source
from codemation.core.facts import Done, Reopened, decode_delta, encode_delta
from codemation.core.ids import AGAIN, MAIN, START, ActivationId, NodeId, activation_id, node_of
from codemation.core.items import EMPTY, Batch
from codemation.core.rounds import Rounds
from codemation.core.settling import Beginning, Step, settle, settle_ready
from codemation.core.signals import (
    CancelRequested,
    ChildEnded,
    Decided,
    ErrorInfo,
    EventArrived,
    Failed,
    ItemsLeft,
    Lost,
    Resumed,
    Signal,
    Started,
    Stopped,
    Succeeded,
    Suspended,
    TimerFired,
)
from codemation.core.snapshot import Snapshot
from codemation.core.states import FINISHED, TRANSITIONS, NodeStatus, RunStatus
from codemation.core.waits import Answer, Wait
from tests.core.checkpointing import from_checkpoint
from tests.core.simulation.strategies import Story, stories
from tests.core.test_definition import defined, node

ERROR = ErrorInfo(type="ValueError", message="no")
SOME = Batch(ref="b:1", count=2, size=9)


class Course:
    """A run that is told signals, one after the other."""

    def __init__(self, definition: Definition, **given: Batch) -> None:
        self.snapshot = Snapshot(definition.plan)
        self.deltas: list[bytes] = []
        self.tell(Started(input=given.get("given", SOME)))

    def tell(self, signal: Signal) -> Step | None:
        """Fold and apply."""
        step = advance(self.snapshot, signal)
        if step is not None:
            self.snapshot.apply(step.delta)
            self.deltas.append(encode_delta(step.delta))
        return step

    def succeed(self, name: str, batch: Batch = SOME, turn: int = 1) -> Step | None:
        """A node gives a batch."""
        activation = activation_id(NodeId(name), turn)
        outputs = {MAIN: batch} if batch.count else {}
        attempt = self.snapshot.live.get(activation, 1)
        return self.tell(Succeeded(activation=activation, outputs=outputs, attempt=attempt))

    def fail(self, name: str, retry_in: float | None = None, partial: Batch = EMPTY, turn: int = 1) -> Step | None:
        """A node fails."""
        activation = activation_id(NodeId(name), turn)
        attempt = self.snapshot.live.get(activation, 1)
        signal = Failed(activation=activation, attempt=attempt, error=ERROR, retry_in=retry_in, partial=partial)
        return self.tell(signal)

    def status(self, name: str) -> NodeStatus | None:
        """Where a node stands."""
        record = self.snapshot.nodes.get(NodeId(name))
        return record.status if record else None


CHAIN = defined(node("a", "start"), node("b", "a"))
FORK = defined(node("a", "start"), node("b", "start"), node("c", "a", "b"))


def test_a_chain_goes_on_with_each_success_and_ends() -> None:
    course = Course(CHAIN)
    step = course.succeed("a")
    assert step is not None
    assert (step.due, step.status) == (("b/1",), RunStatus.RUNNING)
    step = course.succeed("b")
    assert step is not None
    assert (step.status, [event.kind for event in step.events]) == ("succeeded", ["node_succeeded", "run_succeeded"])


def test_a_run_of_which_nothing_is_due_ends_with_its_start() -> None:
    course = Course(CHAIN, given=EMPTY)
    assert course.snapshot.status is RunStatus.SUCCEEDED
    assert (course.status("a"), course.status("b")) == (NodeStatus.SKIPPED, NodeStatus.SKIPPED)


def test_a_failure_keeps_what_stands_on_it_and_lets_the_rest_go_on() -> None:
    course = Course(FORK)
    step = course.fail("a")
    assert step is not None
    assert step.status is RunStatus.RUNNING
    step = course.succeed("b")
    assert step is not None
    assert (step.status, step.reason) == (RunStatus.FAILED, '"a" failed')
    assert course.status("c") is None


def test_the_reason_names_all_that_failed_once() -> None:
    course = Course(FORK)
    course.fail("b")
    step = course.fail("a")
    assert step is not None
    assert step.reason == '"b", "a" failed'


def test_a_run_waits_while_all_that_is_live_waits() -> None:
    course = Course(FORK)
    course.fail("a", retry_in=5.0)
    assert (course.snapshot.status, course.status("a")) == (RunStatus.RUNNING, NodeStatus.WAITING)
    course.fail("b", retry_in=5.0)
    assert course.snapshot.status is RunStatus.WAITING
    assert course.snapshot.live == {"a/1": 2, "b/1": 2}
    step = course.succeed("a")
    assert step is not None
    assert step.status is RunStatus.WAITING


def test_items_that_are_left_are_another_try() -> None:
    course = Course(CHAIN)
    left = ItemsLeft(activation=activation_id(NodeId("a")), attempt=1, done=3, left=1, retry_in=9.0, error=ERROR)
    step = course.tell(left)
    assert step is not None
    assert (step.retry_in, step.status) == (9.0, RunStatus.WAITING)
    assert course.tell(left) is None


def test_a_lost_activation_is_a_failure_of_the_current_try_and_keeps_what_it_had_finished() -> None:
    course = Course(CHAIN)
    course.fail("a", partial=SOME)
    course.tell(Resumed())
    course.fail("a", retry_in=1.0)
    course.tell(Lost(activation=activation_id(NodeId("a")), times=3))
    record = course.snapshot.nodes[NodeId("a")]
    assert (record.status, record.attempt, record.partial) == (NodeStatus.FAILED, 2, SOME)
    assert record.error is not None
    assert "died 3 times" in record.error.message
    course.tell(Resumed())
    assert course.snapshot.nodes[NodeId("a")].partial == SOME
    course.succeed("a")
    assert course.snapshot.nodes[NodeId("a")].partial == EMPTY


def test_a_cancel_refuses_results_until_nobody_works_any_more() -> None:
    course = Course(FORK)
    assert course.tell(Stopped()) is None
    step = course.tell(CancelRequested(who="me", reason="enough"))
    assert step is not None
    assert (step.status, course.snapshot.cancelling) == (RunStatus.RUNNING, True)
    assert course.tell(CancelRequested()) is None
    assert course.succeed("a") is None
    assert course.fail("a") is None
    assert course.tell(Lost(activation=activation_id(NodeId("a")), times=3)) is None
    step = course.tell(Stopped())
    assert step is not None
    assert (step.status, step.reason) == (RunStatus.CANCELLED, "enough")
    course.tell(Resumed(who="you"))
    assert course.snapshot.live == {"a/1": 1, "b/1": 1}


def test_a_cancel_without_a_reason_says_so_much() -> None:
    course = Course(CHAIN)
    course.tell(CancelRequested())
    step = course.tell(Stopped())
    assert step is not None
    assert step.reason == "cancelled"


def test_a_resume_makes_due_what_had_not_succeeded_and_no_more() -> None:
    course = Course(FORK)
    course.succeed("a")
    course.fail("b", partial=SOME)
    step = course.tell(Resumed(who="me"))
    assert step is not None
    assert step.due == ("b/1",)
    assert course.snapshot.nodes[NodeId("b")].partial == SOME


@pytest.mark.parametrize(
    "signal",
    [
        Started(input=SOME),
        Succeeded(activation=ActivationId("a/1"), outputs={}, attempt=2),
        Succeeded(activation=ActivationId("b/1"), outputs={}),
        Failed(activation=ActivationId("a/1"), attempt=2, error=ERROR),
        Lost(activation=ActivationId("b/1"), times=3),
        Stopped(),
        Resumed(),
    ],
    ids=lambda signal: type(signal).__name__,
)
def test_what_is_late_repeated_or_out_of_place_is_silence(signal: Signal) -> None:
    course = Course(CHAIN)
    before = course.snapshot.fork()
    assert advance(course.snapshot, signal) is None
    assert course.snapshot == before


def test_before_its_start_a_run_cannot_be_cancelled() -> None:
    assert advance(Snapshot(CHAIN.plan), CancelRequested()) is None


@pytest.mark.parametrize(
    ("policy", "upstream", "due"),
    [
        (Policy(), Policy(), ()),
        (Policy(run_on_empty=True), Policy(), ("b/1",)),
        (Policy(), Policy(continue_when_empty=True), ("b/1",)),
    ],
)
def test_what_an_empty_output_does(policy: Policy, upstream: Policy, due: tuple[str, ...]) -> None:
    a, b = CHAIN.nodes[1:]
    course = Course(defined(replace(a, policy=upstream), replace(b, policy=policy)))
    step = course.succeed("a", EMPTY)
    assert step is not None
    assert step.due == due


def test_only_a_node_that_ran_lets_others_continue_when_it_is_empty() -> None:
    a, b = CHAIN.nodes[1:]
    course = Course(defined(replace(a, policy=Policy(continue_when_empty=True)), b), given=EMPTY)
    assert course.status("b") is NodeStatus.SKIPPED


def test_a_join_on_a_skipped_branch_is_due_once_when_both_have_reported() -> None:
    course = Course(defined(node("a", "start"), node("b", "a"), node("c", "start"), node("d", "b", "c")))
    course.succeed("a", EMPTY)
    assert course.status("b") is NodeStatus.SKIPPED
    assert course.status("d") is None
    step = course.succeed("c")
    assert step is not None
    assert step.due == ("d/1",)


def moved(before: Definition, after: Definition) -> Callable[[str], Any]:
    """Finds plans by digest."""
    known = {one.digest: one.plan for one in (before, after)}
    return lambda digest: known[digest]


def test_a_resume_with_another_definition_goes_on_from_what_is_kept() -> None:
    after = defined(node("a", "start"), node("new", "a"), node("end", "new"))
    snapshot = Snapshot(CHAIN.plan, moved(CHAIN, after))
    course = Course.__new__(Course)
    course.snapshot, course.deltas = snapshot, []
    course.tell(Started(input=SOME))
    course.succeed("a")
    course.fail("b", partial=SOME)
    step = course.tell(Resumed(digest=after.digest, was=CHAIN.digest))
    assert step is not None
    assert step.due == ("new/1",)
    assert set(snapshot.nodes) == {START, "a", "new"}
    assert (snapshot.digest, snapshot.missing[NodeId("end")]) == (after.digest, 1)
    fact = decode_delta(course.deltas[-1])[0]
    assert fact == Reopened(digest=after.digest, was=CHAIN.digest)


def test_a_failure_that_the_new_definition_does_not_have_is_forgotten() -> None:
    a, b = CHAIN.nodes[1:]
    after = defined(
        replace(a, policy=Policy()), replace(b, inputs=(replace(b.inputs[0], sources=b.inputs[0].sources),))
    )
    nothing = defined(after.nodes[1])
    snapshot = Snapshot(CHAIN.plan, moved(CHAIN, nothing))
    course = Course.__new__(Course)
    course.snapshot, course.deltas = snapshot, []
    course.tell(Started(input=SOME))
    course.succeed("a")
    course.fail("b")
    step = course.tell(Resumed(digest=nothing.digest, was=CHAIN.digest))
    assert step is not None
    assert step.status is RunStatus.SUCCEEDED
    assert snapshot.failed() == []


def signals(snapshot: Snapshot) -> list[Signal]:
    """Everything that could be said next."""
    said: list[Signal] = [CancelRequested(), Stopped(), Resumed()]
    for activation, attempt in snapshot.live.items():
        for current in (attempt, attempt + 1):
            gate = node_of(activation) in snapshot.plan.loops
            rounds = [{AGAIN: SOME}, {AGAIN: SOME, MAIN: SOME}] if gate else []
            again = [Succeeded(activation=activation, outputs=given, attempt=current) for given in rounds]
            said += [
                Succeeded(activation=activation, outputs={MAIN: SOME}, attempt=current),
                Succeeded(activation=activation, outputs={}, attempt=current),
                *again,
                Failed(activation=activation, attempt=current, error=ERROR),
                Failed(activation=activation, attempt=current, error=ERROR, retry_in=1.0),
                ItemsLeft(activation=activation, attempt=current, done=1, left=1, retry_in=1.0, error=ERROR),
            ]
            said += [suspended(activation, "0", attempt=current), suspended(activation, "0", "1", attempt=current)]
        said.append(Lost(activation=activation, times=3))
        said += answers(activation, "0") + answers(activation, "1")
    return said


def suspended(activation: ActivationId, *keys: str, attempt: int = 1) -> Suspended:
    """The signal that a node waits for the world."""
    waits = tuple(Wait(key=key, kind="approval", delay=3.0) for key in keys)
    return Suspended(activation=activation, attempt=attempt, waits=waits)


def answers(activation: ActivationId, key: str) -> list[Signal]:
    """All that may answer a wait."""
    return [
        TimerFired(activation=activation, wait=key, at=5.0),
        Decided(activation=activation, wait=key, approved=True, decision={"note": "ok"}, who="me", at=5.0),
        EventArrived(activation=activation, wait=key, event="e", payload={"n": 1}, at=5.0),
        ChildEnded(activation=activation, wait=key, child="r2", status="succeeded", outputs={MAIN: SOME}, at=5.0),
    ]


def test_a_suspended_node_waits_for_every_answer_and_is_due_again_with_the_last() -> None:
    course, activation = Course(CHAIN), activation_id(NodeId("a"))
    step = course.tell(suspended(activation, "0", "1"))
    assert step is not None
    assert (step.status, [wait.key for wait in step.waits], step.due) == (RunStatus.WAITING, ["0", "1"], ())
    assert (course.status("a"), course.status("b")) == (NodeStatus.WAITING, None)
    step = course.tell(Decided(activation=activation, wait="1", approved=False, decision={"note": "no"}, who="me"))
    assert step is not None
    assert (step.status, step.due) == (RunStatus.WAITING, ())
    step = course.tell(TimerFired(activation=activation, wait="0", at=7.0))
    assert step is not None
    assert (step.status, step.due) == (RunStatus.RUNNING, ("a/1",))
    assert course.snapshot.answers == {
        "a/1": {
            "1": Answer(reply="rejected", body={"note": "no"}, who="me"),
            "0": Answer(reply="fired", at=7.0),
        }
    }
    course.succeed("a")
    assert (course.snapshot.answers, course.snapshot.waits, course.status("b")) == ({}, {}, NodeStatus.DUE)


def test_an_answer_that_comes_twice_or_too_late_is_silence() -> None:
    course, activation = Course(FORK), activation_id(NodeId("a"))
    assert all(course.tell(answer) is None for answer in answers(activation, "0"))
    course.tell(suspended(activation, "0", "1"))
    for answer in answers(activation, "0")[:1]:
        assert course.tell(answer) is not None
    before = course.snapshot.fork()
    assert all(course.tell(answer) is None for answer in [*answers(activation, "0"), *answers(activation, "7")])
    assert course.succeed("a") is None, "whoever was suspended has nothing more to say"
    assert course.tell(Lost(activation=activation, times=3)) is None
    course.tell(CancelRequested())
    assert all(course.tell(answer) is None for answer in answers(activation, "1"))
    assert course.snapshot.answers == before.answers


def test_what_was_decided_outlives_a_cancel_and_who_let_the_time_pass_is_asked_anew() -> None:
    course, activation = Course(CHAIN), activation_id(NodeId("a"))
    course.tell(suspended(activation, "0", "1", "2"))
    course.tell(Decided(activation=activation, wait="0", approved=True))
    course.tell(TimerFired(activation=activation, wait="1"))
    course.tell(CancelRequested())
    course.tell(Stopped())
    assert (course.snapshot.waits, set(course.snapshot.answers[activation])) == ({}, {"0", "1"})
    step = course.tell(Resumed())
    assert step is not None
    assert step.due == ("a/1",)
    assert set(course.snapshot.answers[activation]) == {"0"}


def test_a_plain_wait_that_is_over_is_not_waited_for_again() -> None:
    a, b = CHAIN.nodes[1:]
    course, activation = Course(defined(replace(a, kind=NodeKind.WAIT), b)), activation_id(NodeId("a"))
    course.tell(suspended(activation, ""))
    course.tell(TimerFired(activation=activation, wait=""))
    course.fail("a")
    course.tell(Resumed())
    assert set(course.snapshot.answers[activation]) == {""}


def test_what_was_answered_to_a_node_that_is_gone_is_forgotten() -> None:
    after = defined(node("a", "start"), node("new", "a"))
    course = Course.__new__(Course)
    course.snapshot, course.deltas = Snapshot(CHAIN.plan, moved(CHAIN, after)), []
    course.tell(Started(input=SOME))
    course.succeed("a")
    course.tell(suspended(activation_id(NodeId("b")), "0", "1"))
    course.tell(Decided(activation=activation_id(NodeId("b")), wait="0", approved=True))
    course.tell(CancelRequested())
    course.tell(Stopped())
    course.tell(Resumed(digest=after.digest, was=CHAIN.digest))
    assert course.snapshot.answers == {}


@settings(deadline=None, max_examples=60)
@given(stories(), st.data())
def test_any_course_keeps_to_the_table_and_its_journal_says_it_all(story: Story, data: st.DataObject) -> None:
    plan = story.definition.plan
    course = Course(story.definition)
    for _ in range(data.draw(st.integers(0, 25))):
        before, status = course.snapshot.fork(), course.snapshot.status
        signal = data.draw(st.sampled_from(signals(course.snapshot)))
        step = course.tell(signal)
        if step is None:
            assert course.snapshot == before
            continue
        assert course.snapshot.status is step.status
        assert step.status in TRANSITIONS[status][type(signal).__name__]
        assert (course.snapshot.status in FINISHED) == (not course.snapshot.live)
        assert Snapshot.of(plan, map(decode_delta, course.deltas)) == course.snapshot
        check_invariants(course.snapshot)
    deltas = [decode_delta(delta) for delta in course.deltas]
    for revision in range(1, len(deltas) + 1):
        assert Snapshot.of(plan, deltas[:revision]).revision == revision
        assert from_checkpoint(plan, deltas, revision) == course.snapshot


@settings(deadline=None, max_examples=60)
@given(stories(loops=False), st.data())
def test_what_has_one_follower_is_settled_as_everything_else_is(story: Story, data: st.DataObject) -> None:
    course = Course(story.definition)
    for _ in range(data.draw(st.integers(0, 25))):
        signal = data.draw(st.sampled_from(signals(course.snapshot)))
        snapshot = course.snapshot
        if isinstance(signal, Succeeded) and signal.activation in snapshot.live:
            done = Done(activation=signal.activation, outputs=signal.outputs)
            node = node_of(done.activation)
            beginning = Beginning(snapshot=snapshot, facts=(done,), events=(), reported={node: done.outputs})
            at_length = settle_ready(beginning, beginning.report(node))
            assert settle(snapshot, (done,), node, done.outputs, ()) == at_length
        course.tell(signal)


def waited_for(snapshot: Snapshot, name: NodeId) -> int:
    """How many others a node waits for: a gate in a round for its body, a body for each of its gates as well."""
    loops = snapshot.plan.loops
    if name in snapshot.rounds:
        return sum(not snapshot.reported(one) for one in loops[name].returns)
    outside = any(name in loop.body and gate not in snapshot.rounds for gate, loop in loops.items())
    return outside + sum(
        one not in snapshot.rounds if one in loops and name in loops[one].body else not snapshot.reported(one)
        for one in snapshot.plan.awaits[name]
    )


def check_invariants(snapshot: Snapshot) -> None:
    """What holds of every snapshot."""
    plan = snapshot.plan
    for name in plan.nodes:
        if not snapshot.reported(name):
            assert snapshot.missing[name] == waited_for(snapshot, name)
    if snapshot.status not in FINISHED:
        for name in plan.nodes:
            ready = not snapshot.missing[name] and not snapshot.reported(name)
            broken = snapshot.nodes.get(name) is not None and snapshot.nodes[name].status is NodeStatus.FAILED
            assert ready == (activation_id(name, snapshot.turn(name)) in snapshot.live or broken)
    assert snapshot.delayed <= snapshot.live.keys()


class Counting(dict[Any, Any]):
    """A dictionary that counts how often it is looked at or written to."""

    def __init__(self, other: dict[Any, Any]) -> None:
        super().__init__(other)
        self.touched = 0

    def __getitem__(self, key: Any) -> Any:
        self.touched += 1
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.touched += 1
        super().__setitem__(key, value)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value or the default."""
        self.touched += 1
        return super().get(key, default)

    def __iter__(self) -> Iterator[Any]:
        self.touched += len(self)
        return super().__iter__()


@pytest.mark.parametrize("length", [10, 1_000])
def test_a_step_costs_what_leaves_its_node_and_not_what_the_run_holds(length: int) -> None:
    names = [f"n{number}" for number in range(length)]
    course = Course(defined(*(node(name, before) for name, before in zip(names, ["start", *names], strict=False))))
    for name in names[: length // 2]:
        course.succeed(name)
    course.snapshot.nodes = nodes = Counting(course.snapshot.nodes)
    course.snapshot.missing = missing = Counting(course.snapshot.missing)
    course.succeed(names[length // 2])
    assert nodes.touched + missing.touched < 20


def test_a_snapshot_answers_for_what_it_does_not_know() -> None:
    snapshot = Snapshot(CHAIN.plan)
    assert snapshot.output(NodeId("a"), MAIN) == EMPTY
    assert snapshot.outputs(NodeId("a")) == {}
    assert not snapshot.reported(NodeId("a"))
    assert snapshot != 3
    with pytest.raises(TypeError):
        hash(snapshot)


def test_a_batch_in_the_journal_is_named_by_its_revision_and_port() -> None:
    course = Course(CHAIN, given=Batch(ref="", count=1, size=5))
    assert course.snapshot.output(START, MAIN).ref == "j:1:main"
    course.succeed("a", Batch(ref="", count=1, size=7, kind="table"))
    assert course.snapshot.output(NodeId("a"), MAIN) == Batch(ref="j:2:main", count=1, size=7, kind="table")


def gate(name: str, before: str, back: str) -> NodePlan:
    """A gate that lets in what comes from one node, and round what comes from another."""
    into = Input(name="main", sources=(Source(node=NodeId(before)),))
    round_ = Input(name="back", sources=(Source(node=NodeId(back)),), back=True)
    return NodePlan(id=NodeId(name), kind=NodeKind.LOOP, inputs=(into, round_), ports=(MAIN, AGAIN))


LOOP = defined(
    node("a", "start"),
    gate("g", "a", "y"),
    node("x", "g", port=AGAIN),
    node("y", "x"),
    node("beside", "x"),
    node("after", "g"),
)


@pytest.mark.parametrize("order", [["a", "outside"], ["outside", "a"]])
@pytest.mark.parametrize("nested", [False, True])
def test_a_loop_that_nothing_enters_is_skipped_whole_whatever_reaches_it_from_outside_and_when(
    order: list[str], nested: bool
) -> None:
    around = [gate("w", "start", "g"), node("a", "w", port=AGAIN)] if nested else [node("a", "start")]
    inside = [gate("g", "a", "y"), node("x", "g", port=AGAIN), node("y", "x", "outside")]
    course = Course(defined(*around, *inside, node("outside", "start")))
    if nested:
        course.tell(Succeeded(activation=activation_id(NodeId("w"), 1), outputs={AGAIN: SOME}))
    for name in order:
        course.succeed(name, SOME if name == "outside" else EMPTY)
    nodes = course.snapshot.nodes
    assert [nodes[NodeId(name)].status for name in "gxy"] == [NodeStatus.SKIPPED] * 3


def go_round(course: Course, turn: int, *, given: Batch = EMPTY) -> Step | None:
    """The gate lets something round."""
    outputs = {AGAIN: SOME, MAIN: given} if given.count else {AGAIN: SOME}
    return course.tell(Succeeded(activation=activation_id(NodeId("g"), turn), outputs=outputs))


def test_each_turn_of_a_loop_has_activations_of_its_own_and_what_is_behind_it_is_due_once() -> None:
    course = Course(LOOP)
    course.succeed("a")
    for turn in range(1, 4):
        step = go_round(course, turn)
        assert step is not None
        assert step.due == (f"x/{turn}",)
        step = course.succeed("x", turn=turn)
        assert step is not None
        assert step.due == (f"y/{turn}", f"beside/{turn}")
        assert course.succeed("x", turn=turn) is None, "a result that comes twice is silence"
        course.succeed("y", turn=turn)
        assert course.snapshot.live == {f"beside/{turn}": 1}, "the turn is not over before its side branch"
        step = course.succeed("beside", turn=turn)
        assert step is not None
        assert step.due == (f"g/{turn + 1}",)
    step = course.succeed("g", turn=4)
    assert step is not None
    assert step.due == ("after/1",)
    assert course.snapshot.rounds == {}


def test_a_dead_path_inside_of_a_turn_is_skipped_in_that_turn_alone() -> None:
    course = Course(LOOP)
    course.succeed("a")
    go_round(course, 1)
    step = course.succeed("x", EMPTY)
    assert step is not None
    assert (step.due, course.status("y"), course.status("beside")) == (("g/2",), NodeStatus.SKIPPED, NodeStatus.SKIPPED)
    go_round(course, 2)
    step = course.succeed("x", turn=2)
    assert step is not None
    assert step.due == ("y/2", "beside/2")


def test_a_loop_that_nothing_reaches_is_skipped_with_its_body() -> None:
    course = Course(LOOP)
    course.succeed("a", EMPTY)
    assert {name: course.status(name) for name in ("g", "x", "y", "beside", "after")} == dict.fromkeys(
        ("g", "x", "y", "beside", "after"), NodeStatus.SKIPPED
    )
    assert course.snapshot.status is RunStatus.SUCCEEDED


def test_a_run_that_moves_in_the_middle_of_a_turn_goes_on_in_that_turn() -> None:
    edited = defined(*(replace(one, code="edited") if one.id == "y" else one for one in LOOP.nodes[1:]))
    course = Course.__new__(Course)
    course.snapshot, course.deltas = Snapshot(LOOP.plan, moved(LOOP, edited)), []
    course.tell(Started(input=SOME))
    course.succeed("a")
    for turn in (1, 2):
        go_round(course, turn, given=SOME)
        course.succeed("x", turn=turn)
        course.succeed("beside", turn=turn)
        if turn == 1:
            course.succeed("y", turn=turn)
    course.fail("y", turn=2)
    step = course.tell(Resumed(digest=edited.digest, was=LOOP.digest))
    assert step is not None
    assert step.due == ("y/2",)
    step = course.succeed("y", turn=2)
    assert step is not None
    assert step.due == ("g/3",)
    assert len(course.snapshot.rounds[NodeId("g")].kept) == 2


def test_a_loop_of_many_rounds_keeps_a_snapshot_as_small_as_one_of_few() -> None:
    rounds, most = Rounds(), 0
    pieces: list[int] = []
    for _ in range(50_000):
        together = len(rounds.joined_next)
        pieces = [*pieces[: len(pieces) - together], sum(pieces[len(pieces) - together :]) + 1]
        rounds = rounds.begun(Batch(ref="b:1", count=1, size=9))
        most = max(most, len(rounds.kept))
        assert len(rounds.kept) == len(pieces)
    assert (sum(pieces), rounds.count, rounds.gave) == (50_000, 50_000, 50_000)
    assert most <= 3 * 63


def test_the_work_of_a_turn_does_not_grow_with_the_number_of_turns() -> None:
    course = Course(LOOP)
    course.succeed("a")

    def looks(turn: int) -> int:
        course.snapshot.missing = counting = Counting(course.snapshot.missing)
        go_round(course, turn, given=SOME)
        for name in ("x", "y", "beside"):
            course.succeed(name, turn=turn)
        return counting.touched

    first = [looks(turn) for turn in range(1, 4)]
    for turn in range(4, 200):
        looks(turn)
    assert looks(200) == first[-1]
    assert len(course.snapshot.nodes) == len(LOOP.nodes) - 1

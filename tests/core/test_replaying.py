"""Going back, beginning again and pinning: what stands, what is done again, and that a run ends as it would have."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codemation.core.advance import advance
from codemation.core.definition import Definition
from codemation.core.facts import Delta, decode_delta, encode_delta
from codemation.core.ids import AGAIN, MAIN, START, NodeId, activation_id, node_of
from codemation.core.items import Batch
from codemation.core.replaying import downstream, rearranged, taken, unwanted, what_stands, with_outputs
from codemation.core.signals import Rearranged, Signal, Started, Succeeded
from codemation.core.snapshot import Snapshot
from codemation.core.standing import PINNED, UNWANTED, Cleared, Pinned, Standing, Taken, Unpinned
from codemation.core.states import FINISHED, NodeStatus, RunStatus
from tests.core.checkpointing import from_checkpoint
from tests.core.simulation.strategies import Story, stories
from tests.core.test_definition import defined, node

GIVEN = Batch(ref="b:given", count=2, size=9)
QUICK = settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])


class Session:
    """A run that goes on step by step, and back; what a node gives depends only on what it was given."""

    def __init__(
        self, definition: Definition, counts: Mapping[NodeId, Mapping[str, int]], *, session: bool = True
    ) -> None:
        self.definition = definition
        self.counts = counts
        self.snapshot = Snapshot(definition.plan)
        self.deltas: list[Delta] = []
        self.seen: list[Snapshot] = []
        self.executed: list[NodeId] = []
        self.tell(Started(input=GIVEN, session=session))

    def tell(self, signal: Signal) -> None:
        """Fold and apply, and remember how the run stood."""
        step = advance(self.snapshot, signal)
        assert step is not None
        delta = decode_delta(encode_delta(step.delta))
        assert delta == step.delta
        self.snapshot.apply(delta)
        assert self.snapshot.status is step.status
        self.deltas.append(delta)
        self.seen.append(self.snapshot.fork())

    @property
    def due(self) -> list[NodeId]:
        """What may be executed now."""
        return sorted(map(node_of, self.snapshot.live), key=self.definition.plan.rank.__getitem__)

    def outputs(self, name: NodeId) -> dict[str, Batch]:
        """What a node gives for what it is given now; a gate lets its items round twice."""
        plan, rounds = self.definition.plan, self.snapshot.rounds.get(name)
        wanted = [one for one in plan.nodes[name].inputs if one.back is (rounds is not None)]
        inputs = [end for one in wanted for end in one.sources]
        refs = [f"{self.snapshot.output(end.node, end.port)}" for end in inputs]
        ref = hashlib.sha256("|".join([name, *refs]).encode()).hexdigest()[:12]
        counts = self.counts[name]
        if name in plan.loops:
            counts = {AGAIN: 1} if rounds is None or rounds.count < 2 else {MAIN: 1}
        return {port: Batch(ref=f"b:{ref}:{port}", count=count, size=1) for port, count in counts.items() if count}

    def step(self, name: NodeId) -> None:
        """Execute a node."""
        self.executed.append(name)
        self.tell(Succeeded(activation=activation_id(name, self.snapshot.turn(name)), outputs=self.outputs(name)))

    def finish(self) -> Session:
        """Execute all that is due, to the end."""
        while self.due:
            self.step(self.due[0])
        return self

    def stand(self, past: Snapshot, touched: set[NodeId], *facts: Standing, to: int = 0) -> None:
        """Let stand what may of a snapshot, after these facts about pins."""
        plan = self.definition.plan
        pins = dict(self.snapshot.pins)
        pins |= {fact.node: fact for fact in facts if isinstance(fact, Pinned)}
        gone = {name for fact in facts if isinstance(fact, Unpinned) for name in fact.nodes}
        pins = {name: pin for name, pin in pins.items() if name not in gone}
        given = {name: pin.outputs for name, pin in pins.items()}
        change = rearranged(self.snapshot, plan, what_stands(past, plan, given, touched), given, to=to)
        self.tell(Rearranged(standing=(*facts, *change.standing), skipped=change.skipped))

    def goto(self, revision: int) -> None:
        """Let stand what stood at a revision."""
        self.stand(self.seen[revision - 1], set(), to=revision)

    def clear(self, name: NodeId) -> None:
        """Begin again at a node."""
        self.stand(self.snapshot.fork(), downstream(self.definition.plan, {name}, self.snapshot.pins))

    def pin(self, name: NodeId, outputs: Mapping[str, Batch]) -> None:
        """Let a node give this without being executed."""
        self.stand(self.snapshot.fork(), set(), Pinned(node=name, outputs=outputs, by="me"))

    def unpin(self, name: NodeId) -> None:
        """Let a node be executed again."""
        self.stand(self.snapshot.fork(), {name}, Unpinned(nodes=(name,)))

    def result(self) -> dict[NodeId, tuple[NodeStatus, Mapping[str, Batch]]]:
        """What all nodes gave."""
        return {name: (record.status, record.outputs) for name, record in self.snapshot.nodes.items()}


def counts_of(story: Story) -> dict[NodeId, Mapping[str, int]]:
    """How many items each node gives."""
    return {name: behaviour.counts for name, behaviour in story.behaviours.items()}


def chain(*names: str) -> Session:
    """A session on nodes that stand on one another."""
    nodes = [node(name, before) for before, name in zip(("start", *names), names, strict=False)]
    return Session(defined(*nodes), {NodeId(name): {MAIN: 1} for name in names})


@QUICK
@given(stories(), st.integers(0, 2**32))
def test_whatever_is_taken_back_cleared_or_pinned_between_steps_the_run_ends_like_the_quiet_one(
    story: Story, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    quiet = Session(story.definition, counts_of(story)).finish()
    session = Session(story.definition, counts_of(story))
    names = list(story.behaviours)
    for _ in range(40):
        what = chance.choice(["step", "step", "step", "step", "goto", "clear", "pin", "unpin"])
        if what == "step" and session.due:
            session.step(chance.choice(session.due))
        elif what == "goto":
            session.goto(chance.randint(1, session.snapshot.revision))
        elif what == "clear":
            session.clear(chance.choice(names))
        elif what == "pin":
            name = chance.choice(names)
            session.pin(name, quiet.snapshot.outputs(name))
        elif what == "unpin" and session.snapshot.pins:
            session.unpin(chance.choice(list(session.snapshot.pins)))
    for name in list(session.snapshot.pins):
        session.unpin(name)
    session.finish()
    assert session.result() == quiet.result()
    assert session.snapshot.status is RunStatus.SUCCEEDED
    assert not session.snapshot.stale


@QUICK
@given(stories(), st.integers(0, 2**32))
def test_time_travel_shows_at_every_revision_what_was_known_then(story: Story, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    session = Session(story.definition, counts_of(story))
    for _ in range(20):
        if session.due and chance.random() < 0.7:
            session.step(chance.choice(session.due))
        else:
            session.goto(chance.randint(1, session.snapshot.revision))
    for revision, known in enumerate(session.seen, 1):
        assert Snapshot.of(story.definition.plan, session.deltas[:revision]) == known
        assert from_checkpoint(story.definition.plan, session.deltas, revision) == session.snapshot


@QUICK
@given(stories())
def test_going_back_and_forth_again_executes_nothing(story: Story) -> None:
    session = Session(story.definition, counts_of(story)).finish()
    last, executed, result = session.snapshot.revision, list(session.executed), session.result()
    session.goto(1)
    session.goto(last)
    assert session.executed == executed
    assert {name: found[1] for name, found in session.result().items()} == {n: found[1] for n, found in result.items()}
    assert session.snapshot.status is RunStatus.SUCCEEDED


def test_what_was_taken_back_is_stale_until_it_is_executed_again() -> None:
    session = chain("a", "b", "c").finish()
    session.goto(2)
    assert session.snapshot.stale == {"b", "c"}
    assert session.due == ["b"]
    assert session.snapshot.status is RunStatus.RUNNING
    session.step(NodeId("b"))
    assert session.snapshot.stale == {"c"}


def test_clear_from_a_node_does_this_node_again_and_all_that_stands_on_it() -> None:
    session = chain("a", "b", "c").finish()
    session.executed.clear()
    session.clear(NodeId("b"))
    session.finish()
    assert session.executed == ["b", "c"]


def test_a_pin_that_gives_the_same_leaves_what_stands_on_it() -> None:
    session = chain("a", "b", "c").finish()
    session.executed.clear()
    session.pin(NodeId("b"), session.snapshot.outputs(NodeId("b")))
    assert session.due == []
    assert session.snapshot.nodes[NodeId("b")].how == PINNED
    session.pin(NodeId("b"), {MAIN: Batch(ref="b:other", count=1, size=1)})
    session.finish()
    assert session.executed == ["c"]


def test_a_pinned_node_is_done_at_once_and_what_only_it_stands_on_is_not_wanted() -> None:
    session = chain("a", "b", "c")
    session.pin(NodeId("b"), {MAIN: Batch(ref="b:pin", count=1, size=1)})
    assert session.snapshot.nodes[NodeId("a")].how == UNWANTED
    assert session.due == ["c"]
    session.unpin(NodeId("b"))
    assert session.due == ["a"]
    session.finish()
    assert session.executed == ["a", "b", "c"]


def test_a_node_that_feeds_a_pinned_one_and_another_is_executed_and_the_pinned_one_is_not() -> None:
    session = Session(
        defined(node("a", "start"), node("b", "a"), node("c", "a")), {NodeId(n): {MAIN: 1} for n in "abc"}
    )
    session.pin(NodeId("b"), {MAIN: Batch(ref="b:pin", count=1, size=1)})
    session.finish()
    assert session.executed == ["a", "c"]


def test_only_a_session_goes_back_once_it_has_succeeded() -> None:
    run = Session(chain("a").definition, {NodeId("a"): {MAIN: 1}}, session=False).finish()
    assert run.snapshot.status in FINISHED
    assert advance(run.snapshot, Rearranged(standing=(Cleared(nodes=(NodeId("a"),)),))) is None


def test_a_run_may_begin_with_what_another_has_given_and_end_where_it_is_asked_to() -> None:
    source = chain("a", "b", "c", "d").finish()
    plan = source.definition.plan
    standing = what_stands(source.snapshot, plan, {}, downstream(plan, {NodeId("b")}))
    assert list(standing) == [START, "a"]
    renamed = with_outputs(standing, lambda batch: Batch(ref="b:copy", count=batch.count, size=batch.size))
    facts = [taken(record, how="run:r1") for name, record in renamed.items() if name != START]
    out = unwanted(plan, (), (NodeId("c"),))
    assert out == ("d",)
    snapshot = Snapshot(plan)
    step = advance(snapshot, Started(input=GIVEN, source="r1", standing=tuple(facts), unwanted=out))
    assert step is not None
    snapshot.apply(step.delta)
    assert step.due == (activation_id(NodeId("b")),)
    assert snapshot.source == "r1"
    assert snapshot.nodes[NodeId("a")].how == "run:r1"
    assert snapshot.output(NodeId("a"), MAIN).ref == "b:copy"


@pytest.mark.parametrize(
    "fact",
    [
        Cleared(nodes=(NodeId("a"), NodeId("b")), to=3),
        Taken(activation=activation_id(NodeId("a")), outputs={MAIN: GIVEN}, how="run:r", attempt=2, milliseconds=5),
        Pinned(node=NodeId("a"), outputs={"x": GIVEN}, by="me", at="now", origin="file f"),
        Unpinned(nodes=(NodeId("a"),)),
    ],
)
def test_facts_about_what_stands_survive_the_journal(fact: Standing) -> None:
    assert decode_delta(encode_delta((fact,))) == (fact,)

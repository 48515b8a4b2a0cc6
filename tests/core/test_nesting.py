"""Workflows in workflows: how the verb is read, what authors get wrong, and what becomes of answers and cancels."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field, model_validator

import codemation as cm
from codemation.core.engine import Engine
from codemation.core.facts import Answered, Began, Due, Ended, Reopened, Retrying, Waiting, decode_delta, encode_delta
from codemation.core.ids import ActivationId, NodeId, RunId
from codemation.core.items import Batch, Item
from codemation.core.limits import Limits
from codemation.core.nesting import below, nested
from codemation.core.nodeplan import NodeKind
from codemation.core.outputs import Outputs
from codemation.core.ports import Parent
from codemation.core.signals import ErrorInfo, Suspended
from codemation.core.snapshot import Snapshot
from codemation.core.states import RunStatus
from codemation.core.waits import Answer, Wait, address, noted
from codemation.host.tables import ArrowTables
from tests.core.engine_world import Database, begun, start
from tests.core.test_advance import CHAIN


class Order(BaseModel):
    """What is worked on."""

    id: str


class Rates(cm.Params):
    """What the inner workflow wants to know."""

    factor: int = Field(gt=0)
    most: int = 10

    @model_validator(mode="after")
    def _in_order(self) -> Rates:
        if self.most < self.factor:
            raise ValueError("most is less than factor")
        return self


class Outer(cm.Params):
    """What the outer workflow is given."""

    factor: int = 2
    name: str = ""


def orders(**options: Any) -> Any:
    return cm.workflow("orders", input=Order, **options)


def text_of(order: Order) -> str:
    return order.id


inner = cm.workflow("shop.inner", input=Order, params=Rates).map(text_of).build()
plain = cm.workflow("shop.plain", input=Order).map(text_of).build()
several = orders().also(lambda one: one.map(lambda order: 1, id="count")).map(text_of).build()


@cm.node
def archive(order: Order) -> None:
    """The end of a line."""


silent = orders().then(archive).build()


def told(flow: Any) -> str:
    with pytest.raises(cm.AuthorError) as caught:
        flow.build()
    return str(caught.value)


def test_a_subworkflow_is_a_node_that_names_the_workflow_and_is_another_one_when_that_changes() -> None:
    built = orders().subworkflow(inner, factor=2).build()
    plan = built.nodes[NodeId("inner")]
    assert (plan.kind, plan.grain, plan.ports) == (NodeKind.SUBWORKFLOW, "batch", ("main",))
    assert plan.config == {"workflow": "shop.inner", "per": "batch", "params": {"factor": 2}}
    assert plan.code == inner.digest
    assert plan.label == "subworkflow shop.inner"
    assert plan.types == {"in:main": "Order", "out:main": "str"}
    assert nested(built) == {"inner": inner}
    above = orders().subworkflow(built, id="middle").build()
    assert below(above) == [above, built, inner]
    changed = cm.workflow("shop.inner", input=Order, params=Rates).map(lambda order: order.id * 2, id="text_of").build()
    other = orders().subworkflow(changed, factor=2).build()
    assert other.definition.graph_digest == built.definition.graph_digest
    assert other.digest != built.digest


def test_what_the_workflow_gives_is_typed_and_each_output_has_a_port() -> None:
    assert set(several.gives) == {"main", "count"}
    ports = orders().subworkflow(several, id="inside", per="item", on_error="port").build().nodes[NodeId("inside")]
    assert (set(ports.ports), ports.grain) == ({"main", "count", "error"}, "item")
    assert ports.types["out:error"] == "Failure[Order]"
    wanted = cm.node(lambda order: order)
    wanted.function.__annotations__["order"] = Order
    assert 'takes Order, but "plain" gives str' in told(orders().subworkflow(plain).then(wanted, id="next"))


def test_a_workflow_that_gives_nothing_ends_the_line() -> None:
    assert 'returns None, so nothing would ever reach "more"' in told(
        orders().subworkflow(silent, id="quiet").map(lambda one: one, id="more")
    )
    assert not orders().subworkflow(silent, id="quiet").build().nodes[NodeId("quiet")].gives


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        (orders().subworkflow("shop.inner"), ".subworkflow() takes a workflow, and 'shop.inner' is none"),
        (orders().subworkflow(plain, per="itm"), "per='itm' of \"plain\" is unknown"),
        (orders().subworkflow(inner), '"inner" needs factor'),
        (orders().subworkflow(inner, factr=2, factor=2), "\"inner\" has no argument 'factr'"),
        (orders().subworkflow(inner, factor="many"), "factor='many' does not fit factor"),
        (orders().subworkflow(inner, factor=0), "factor=0 does not fit factor"),
        (orders().subworkflow(inner, factor=20), "most is less than factor"),
        (orders(params=Outer).subworkflow(inner, factor=Outer.name), "factor"),
        (orders().subworkflow(inner, factor=orders()), 'factor= of "inner" is a flow, and params are values'),
        (orders().subworkflow(plain, factor=2), "\"plain\" has no argument 'factor'"),
        (cm.workflow("numbers", input=int).subworkflow(plain), '"plain" takes Order, but "start" gives int'),
        (orders().subworkflow(plain, on_error="prt"), "on_error='prt' of \"plain\" is no on_error"),
    ],
)
def test_a_mistake_is_told_with_its_way_out(flow: Any, said: str) -> None:
    assert said in told(flow)


def test_an_output_that_is_called_error_leaves_no_room_for_failures() -> None:
    error = orders().also(lambda one: one.map(text_of, id="error")).map(text_of).build()
    assert 'has an output "error" of its own' in told(orders().subworkflow(error, on_error="port", id="inside"))


def test_a_nested_mistake_is_guessed_at() -> None:
    assert "did you mean 'factor'?" in told(orders().subworkflow(inner, factr=2))


def test_params_that_are_given_beforehand_need_not_be_given_again() -> None:
    ready = inner.options(params={"factor": 2})
    assert dict(ready.fixed) == {"factor": 2}
    assert orders().subworkflow(ready, most=3).build().nodes[NodeId("inner")].config["params"] == {"most": 3}
    assert ready.params_of({}) == Rates(factor=2)
    assert ready.params_of({"most": 5}) == Rates(factor=2, most=5)
    assert "most is less than factor" in told(orders().subworkflow(ready, most=1))


def test_what_is_computed_or_a_param_is_not_checked_before_there_is_a_value() -> None:
    flow = orders(params=Outer).subworkflow(inner, factor=Outer.factor, most=cm.expr(len))
    config = flow.build().nodes[NodeId("inner")].config["params"]
    assert config["factor"] == {"$param": "factor"}
    assert set(config) == {"factor", "most"}


def test_the_beginning_of_a_child_is_written_with_its_parent_and_read_as_before_without() -> None:
    given = Batch(ref="b:1", count=1, size=2)
    child = Began(input=given, limits=Limits(depth=3), parent="r/a/1/0", depth=2)
    assert decode_delta(encode_delta((child,))) == (child,)
    assert decode_delta(b'[["begin",[1,2,"items","b:1"]]]') == (Began(input=given),)


A1 = ActivationId("a/1")
GOOD = Answer(reply="ended", who="c1", body={"status": "succeeded", "reason": ""})
BAD = Answer(reply="ended", who="c2", body={"status": "failed", "reason": "no"})


def waiting() -> Snapshot:
    """A run whose first node has waited for two children, one of which has failed."""
    waits = (Wait(key="0", kind="child"), Wait(key="1", kind="child"))
    snapshot = Snapshot(CHAIN.plan)
    snapshot.apply((Began(input=Batch(ref="", count=1)), Due(activations=(A1,))))
    snapshot.apply((Waiting(activation=A1, attempt=1, waits=waits),))
    snapshot.apply((Answered(activation=A1, wait="0", answer=GOOD), Answered(activation=A1, wait="1", answer=BAD)))
    snapshot.apply((Due(activations=(A1,)),))
    return snapshot


def test_a_child_that_has_failed_is_left_to_go_on_with_when_its_node_is_tried_again() -> None:
    snapshot = waiting()
    error = ErrorInfo(type="ChildFailed", message="no")
    snapshot.apply((Retrying(activation=A1, attempt=2, delay=1.0, error=error),))
    assert {key: one.reply for key, one in snapshot.answers[A1].items()} == {"0": "ended", "1": "left"}
    assert snapshot.answers[A1]["1"].who == "c2"


def test_it_is_left_as_well_when_the_run_goes_on_anew() -> None:
    snapshot = waiting()
    snapshot.apply((Reopened(),))
    assert {key: one.reply for key, one in snapshot.answers[A1].items()} == {"0": "ended", "1": "left"}


def test_children_of_a_run_that_ends_before_them_are_left_to_go_on_with() -> None:
    waits = (
        Wait(key="0", kind="child", detail={"child": "c0", "params": "{}"}),
        Wait(key="1", kind="child"),
        Wait(key="2", kind="timer", delay=1.0),
    )
    assert [noted(wait).detail for wait in waits] == [{"child": "c0"}, {"child": ""}, {}]
    snapshot = Snapshot(CHAIN.plan)
    snapshot.apply((Began(input=Batch(ref="", count=1)), Due(activations=(A1,))))
    snapshot.apply((Waiting(activation=A1, attempt=1, waits=tuple(map(noted, waits))),))
    snapshot.apply((Ended(status=RunStatus.CANCELLED),))
    snapshot.apply((Reopened(),))
    assert {key: (one.reply, one.who) for key, one in snapshot.answers[A1].items()} == {
        "0": ("left", "c0"),
        "1": ("left", ""),
    }


def family(engine: Engine) -> tuple[RunId, list[RunId]]:
    """A run, its child and the child of that, all of them unfinished."""
    run, claim = begun(engine, CHAIN)
    runs = [run.id]
    for depth in (1, 2):
        child = RunId(f"c{depth}")
        wait = Wait(key="", kind="child", detail={"child": child})
        engine.deliver(run, claim, Suspended(activation=claim.activation, attempt=1, waits=(wait,)))
        (row,) = engine.stores.runs.tickets(runs[-1])
        parent = Parent(run=runs[-1], ticket=row.id)
        above = address(runs[-1], claim.activation, "")
        begin = start(id=child, parent=parent, address=above, depth=depth)
        run, outcome = engine.start(CHAIN, begin)
        assert outcome.next is not None
        claim = outcome.next
        assert (run.snapshot.parent, run.snapshot.depth) == (above, depth)
        runs.append(child)
    return runs[0], runs[1:]


def test_a_cancel_goes_down_and_the_runs_below_are_asked_once() -> None:
    database = Database()
    engine = database.engine()
    top, below = family(engine)
    assert engine.cancel(top, who="me", reason="enough") is RunStatus.WAITING
    assert [engine.open(run).snapshot.reason for run in (top, *below)] == ["enough"] * 3
    assert all(engine.open(run).row.stop for run in below)
    revisions = [engine.open(run).snapshot.revision for run in below]
    engine.cancel(top)
    assert [engine.open(run).snapshot.revision for run in below] == revisions


def test_a_cancel_that_was_cut_short_is_finished_by_the_next() -> None:
    database = Database()
    engine = database.engine()
    top, below = family(engine)
    engine.cancel(below[0])
    assert engine.open(below[1]).row.stop
    assert not engine.open(top).row.stop


def test_what_is_made_of_an_item_is_given_in_any_order_and_knows_its_parent() -> None:
    node = orders().subworkflow(plain).build().nodes[NodeId("plain")]
    outputs = Outputs(node, ArrowTables())
    outputs.emit_of(2, [("main", Item("late", origins=(2,)))])
    outputs.emit_of(0, [("main", Item("early", origins=(0,)))])
    assert outputs.parents == {"main": [2, 0]}

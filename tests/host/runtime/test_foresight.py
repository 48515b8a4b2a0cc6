"""What comes next is made ready while a result is being recorded, and nobody can tell but by the time it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import polars as pl
import pytest
from pydantic import BaseModel, model_validator

import codemation as cm
from codemation.core.ids import NodeId
from codemation.core.launch import Launch
from codemation.core.ports import Commit, Stores
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.memory.journal import MemoryJournal
from codemation.host.runtime.performing import Performance
from tests.host.runtime.conftest import Run


@cm.node
def plus(n: int) -> int:
    return n + 1


@cm.node
def total(ns: list[int]) -> int:
    return sum(ns)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Performance]:
    """What was made ready."""
    kept: list[Performance] = []

    following = Performance.following

    def keep(*given: Any) -> Performance | None:
        work = following(*given)
        if work is not None:
            kept.append(work)
        return work

    monkeypatch.setattr(Performance, "following", keep)
    return kept


@cm.node
def table(ns: list[int]) -> pl.DataFrame:
    return pl.DataFrame({"n": ns})


@cm.node
def added(frame: pl.DataFrame) -> int:
    return int(frame["n"].sum())


class Even(BaseModel):
    n: int

    @model_validator(mode="after")
    def _even(self) -> Even:
        if self.n % 2:
            raise ValueError("it is odd")
        return self


@cm.node
def gives(n: int) -> dict[str, int]:
    return {"n": n}


@cm.node
def wants(batch: list[Even]) -> int:
    return len(batch)


def chain(*nodes: Any) -> Workflow[Any, ...]:
    flow = cm.workflow("chain", input=int)
    for number, node in enumerate(nodes):
        flow = flow.then(node, id=f"n{number}")
    return flow.build()


def test_the_items_of_the_next_node_are_there_before_it_begins(run: Run, made: list[Performance]) -> None:
    assert run(chain(plus, plus, plus), [1, 2]).output == [4, 5]
    assert [work._items is not None for work in made] == [True, True]


def test_a_node_that_takes_the_whole_batch_has_it_read(run: Run, made: list[Performance]) -> None:
    assert run(chain(plus, total, plus), [1, 2]).output == [6]
    assert len(made) == 2


def test_what_comes_out_is_the_same_whatever_comes_after_what(run: Run) -> None:
    def double(flow: cm.Flow[int]) -> cm.Flow[int]:
        return flow.then(plus, id="double")

    def half(flow: cm.Flow[int]) -> cm.Flow[int]:
        return flow.filter(lambda n: n % 2 == 0, id="even")

    flow = cm.workflow("mixed", input=int).then(plus).parallel(double=double, half=half).then(total)
    flow = flow.loop(lambda body: body.then(plus, id="once"), until=lambda n: n >= 20, max=30)
    assert run(flow.then(plus, id="last").build(), [1, 2, 3]).output == [21]


def test_a_table_that_reached_the_next_node_is_the_table_that_was_given(run: Run) -> None:
    assert run(chain(plus, table, added), [1, 2]).output == 5


def test_what_one_node_changes_in_its_item_no_other_sees(run: Run) -> None:
    """What is read ahead is read from what was stored."""
    held: list[dict[str, int]] = []

    @cm.node
    def make() -> dict[str, int]:
        held.append({"n": 1})
        return held[0]

    @cm.node
    def late(row: dict[str, int]) -> int:
        held[0]["n"] = 7
        return row["n"]

    assert run(cm.workflow("w").then(make).then(late).build()).output == [1]


def test_what_cannot_be_made_ready_fails_where_it_is_performed(run: Run) -> None:
    """A value that fits no more is the failure of the node that is given it, and of no other."""
    with pytest.raises(cm.RunFailed, match="it is odd") as caught:
        run(chain(plus, gives, wants), [2])
    assert caught.value.run.snapshot.failed() == ["n2"]  # type: ignore[attr-defined]


def test_nothing_is_opened_for_a_node_before_it_may_begin(run: Run, app: App) -> None:
    order: list[str] = []

    class Recorded(MemoryJournal):
        def _step(self, commit: Commit) -> bool:
            order.append("recorded")
            return super()._step(commit)

    def opened() -> str:
        order.append("opened")
        return "it"

    def uses(n: int, it: str) -> int:
        order.append("called")
        return n

    uses.__annotations__["it"] = Annotated[str, cm.use(opened)]

    journal = app.stores.journal
    assert isinstance(journal, MemoryJournal)
    with_order(app, lambda stores: replace(stores, journal=Recorded(journal._tables)))
    run(chain(plus, cm.node(uses)), [1])
    assert order == ["recorded", "opened", "called", "recorded"]


def test_what_was_made_ready_for_a_step_that_was_refused_is_forgotten(app: App, made: list[Performance]) -> None:
    """Another process was faster by a revision: what was read under the first name is read again under the new one."""
    journal = app.stores.journal
    assert isinstance(journal, MemoryJournal)
    refused: list[Commit] = []

    class OvertakenOnce(MemoryJournal):
        def _step(self, commit: Commit) -> bool:
            if commit.activation == "n1/1" and not refused:
                refused.append(commit)
                return False
            return super()._step(commit)

    with_order(app, lambda stores: replace(stores, journal=OvertakenOnce(journal._tables)))
    handle = app.launch(Launch(workflow=chain(plus, plus, plus), items=[1])).go()
    assert handle.output == [4]
    assert [work.claim.activation for work in made] == ["n1/1", "n1/1", "n2/1"]


def with_order(app: App, changed: Callable[[Stores], Stores]) -> None:
    """Let the engine of an app have other stores."""
    app.engine.stores = changed(app.engine.stores)
    app.engine._courier._stores = app.engine.stores


def test_a_node_with_little_time_left_is_not_begun_ahead(run: Run, made: list[Performance]) -> None:
    """Its time is asked of the database, which cannot be asked twice at once."""
    assert run(chain(plus, plus.options(total_timeout="1m"), plus), [1]).output == [4]
    assert [work.claim.activation for work in made] == ["n2/1"]


def test_what_has_failed_before_with_some_items_done_is_not_read_ahead(app: App) -> None:
    tries: list[int] = []

    @cm.node
    def moody(n: int) -> int:
        tries.append(n)
        if n == 3 and len(tries) < 3:
            raise ValueError("not yet")
        return n

    flow = chain(plus, moody, plus)
    with pytest.raises(cm.RunFailed):
        app.launch(Launch(workflow=flow, items=[1, 2])).go()
    assert app.last is not None
    assert app.last.resume().output == [3, 4]
    assert tries == [2, 3, 3]
    assert app.last.snapshot.reported(NodeId("n2"))

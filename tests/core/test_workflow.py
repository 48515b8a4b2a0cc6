"""A built workflow: what it says about itself, and how it asks to be run."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core import launch
from codemation.core.definition import Definition
from codemation.core.errors import HostError
from codemation.core.ids import NodeId
from codemation.core.launch import Launch, set_launcher, set_renderer
from codemation.core.workflow import UnknownNode

ROOT = Path(__file__).parent.parent.parent


class Params(cm.Params):
    month: int = 1
    limit: float = 2


class Order(BaseModel):
    id: str


@cm.node
def price(order: Order) -> Order:
    return order


@cm.node
def book(order: Order) -> None: ...


@cm.node
def stranger(order: Order) -> None: ...


@cm.workflow("orders.intake", params=Params, input=Order, title="Intake", max_parallel=3, priority=2)
def intake(start: cm.Flow[Order]) -> cm.Flow[Order]:
    """Take orders in. Then rest."""
    priced = start.then(price)
    priced.then(book)
    return priced


class Told:
    """A launcher that tells what it was asked."""

    def __init__(self) -> None:
        self.launches: list[Launch] = []

    def run(self, wish: Launch) -> Any:
        self.launches.append(wish)
        return SimpleNamespace(id=f"run {len(self.launches)}")

    def start(self, wish: Launch) -> Any:
        return self.run(wish)

    async def arun(self, wish: Launch) -> Any:
        return self.run(wish)

    def last_run(self) -> Any:
        return SimpleNamespace(id=f"run {len(self.launches)}")


@pytest.fixture
def told() -> Iterator[Told]:
    before = launch._hooks.launcher
    launcher = Told()
    set_launcher(lambda: launcher)
    yield launcher
    launch._hooks.launcher = before


def test_a_workflow_says_what_it_is() -> None:
    definition = intake.definition
    assert (intake.id, intake.params, intake.digest) == ("orders.intake", Params, definition.digest)
    assert (definition.title, definition.summary) == ("Intake", "Take orders in.")
    assert (definition.max_parallel, definition.priority, definition.input_type) == (3, 2, "Order")
    assert definition.params_schema is not None
    assert set(definition.params_schema["properties"]) == {"month", "limit"}
    assert list(intake.nodes) == ["price", "book"]
    assert list(intake.code) == ["price", "book"]
    assert "test_workflow.py:" in definition.source
    assert intake.input is Order
    assert repr(intake) == '<Workflow "orders.intake": 2 nodes>'
    assert repr(cm.workflow("w", input=Order).then(price).build()) == '<Workflow "w": 1 node>'


def test_a_definition_survives_being_written_down() -> None:
    assert Definition.from_json(intake.definition.to_json()) == intake.definition
    assert intake.definition.plan.rank[NodeId("price")] == 1


def test_in_the_function_form_everything_belongs_that_was_written() -> None:
    assert intake.definition.outputs["main"][0].node == "price"
    assert intake.code[NodeId("book")].function is book.function


def test_a_function_that_returns_nothing_has_no_output() -> None:
    @cm.workflow("w", input=Order)
    def quiet(start: cm.Flow[Order]) -> None:
        start.then(book)

    assert quiet.definition.outputs == {}


def test_a_function_that_returns_something_else_is_told_so() -> None:
    def odd(start: Any) -> Any:
        start.then(book)
        return 42

    with pytest.raises(cm.AuthorError, match="odd returned 42, which is no flow of this workflow"):
        cm.workflow("w", input=Order)(odd)


def test_a_function_that_returns_a_flow_of_another_workflow_is_told_so() -> None:
    other = cm.workflow("other", input=Order).then(price)

    def odd(start: Any) -> Any:
        start.then(book)
        return other

    with pytest.raises(cm.AuthorError, match="at price>, which is no flow of this workflow"):
        cm.workflow("w", input=Order)(odd)


def test_a_workflow_without_params_has_none() -> None:
    workflow = cm.workflow("w", params=None, input=Order).then(price).build()  # type: ignore[arg-type]
    assert workflow.params is None
    assert workflow.definition.params_schema is None


def test_params_that_json_has_no_words_for_are_a_mistake() -> None:
    class Handle:
        pass

    class Odd(cm.Params, arbitrary_types_allowed=True):
        handle: Handle

    Odd.model_rebuild(_types_namespace={"Handle": Handle})
    with pytest.raises(cm.AuthorError, match="Odd has params that cannot be written as JSON"):
        cm.workflow("w", params=Odd, input=Order).then(price).build()


def test_a_node_is_found_by_name_and_by_itself() -> None:
    assert intake.find("price") == "price"
    assert intake.find(price) == "price"
    assert intake.find(price.options(timeout="1s")) == "price"


def test_a_node_is_found_after_its_cell_was_run_again() -> None:
    def anew(order: Order) -> Order:
        return order

    assert intake.find(cm.node(id="price")(anew)) == "price"


def test_a_node_that_is_not_there_is_named_with_a_suggestion() -> None:
    with pytest.raises(UnknownNode, match="has no node 'prise'\n→ did you mean 'price'"):
        intake.find("prise")
    with pytest.raises(LookupError, match='does not have the node "stranger"\n→ it has price, book'):
        intake.find(stranger)


def test_a_node_that_stands_there_twice_is_asked_for_by_id() -> None:
    workflow = cm.workflow("w", input=Order).then(price, id="a").then(price, id="b").build()
    with pytest.raises(UnknownNode, match='"price" stands in workflow "w" as a, b'):
        workflow.find(price)


def test_running_asks_the_launcher_with_validated_params(told: Told) -> None:
    assert intake.run([Order(id="1")], month=3).id == "run 1"
    assert intake.start().id == "run 2"
    first, second = told.launches
    assert (first.workflow, first.items, first.params) == (intake, [Order(id="1")], Params(month=3))
    assert (second.items, second.params, second.key, second.priority) == (None, Params(), None, None)
    last = cm.last_run()
    assert last is not None
    assert last.id == "run 2"


def test_awaiting_asks_the_launcher_too(told: Told) -> None:
    coroutine = intake.arun(month=4)
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert done.value.value.id == "run 1"
    assert told.launches[0].params == Params(month=4)


def test_options_stay_with_the_copy(told: Told) -> None:
    nightly = intake.options(key="2013-01", priority=7).options(params={"month": 5})
    nightly.run(limit=9)
    nightly.options(params=Params(limit=3)).run()
    intake.run()
    first, second, third = told.launches
    assert (first.key, first.priority, first.params) == ("2013-01", 7, Params(month=5, limit=9))
    assert (second.key, second.params) == ("2013-01", Params(limit=3))
    assert (third.key, third.priority, third.params) == (None, None, Params())


def test_params_that_do_not_fit_start_nothing(told: Told) -> None:
    anyhow: Any = intake
    with pytest.raises(cm.InputError, match="moth: there is no such param; did you mean 'month'"):
        intake.run(moth=2)  # type: ignore[call-arg]
    with pytest.raises(cm.InputError, match="has no params, and was given x"):
        cm.workflow("w", input=Order).then(price).build().run(x=1)
    with pytest.raises(cm.InputError, match="takes its items in one argument"):
        anyhow.run([], [])
    assert told.launches == []


def test_a_workflow_without_params_is_run_without(told: Told) -> None:
    cm.workflow("w", input=Order).then(price).build().run()
    assert told.launches[0].params is None


def test_a_workflow_draws_itself() -> None:
    assert "price" in intake.text()
    assert intake.svg().startswith("<svg")
    assert "price" in intake.mermaid()


def test_a_cell_echoes_the_plan() -> None:
    lines: list[str] = []
    intake._repr_pretty_(SimpleNamespace(text=lines.append), False)
    assert lines == [intake.text()]


def test_without_anything_set_up_nothing_is_run_or_drawn() -> None:
    before = (launch._hooks.launcher, launch._hooks.renderer)
    launch._hooks.launcher = launch._hooks.renderer = None
    try:
        with pytest.raises(HostError, match="nothing is set up to run workflows"):
            intake.run()
        with pytest.raises(HostError, match="nothing is set up to draw workflows"):
            intake.svg()
    finally:
        launcher, renderer = before
        assert launcher is not None
        assert renderer is not None
        set_launcher(launcher)
        set_renderer(renderer)


def test_the_public_names_are_these() -> None:
    assert cm.__all__ == sorted(cm.__all__)
    assert set(cm.__all__) - {"__version__"} == set(cm._HOMES)
    assert all(getattr(cm, name) is not None for name in cm.__all__)
    assert set(cm.__all__) <= set(dir(cm))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cm.nothing


def test_the_version_is_the_one_that_is_released() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cm.__version__ == project["version"]


def test_importing_codemation_loads_nothing_heavy() -> None:
    program = "import sys, codemation; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    heavy = {"pydantic", "sqlalchemy", "pyarrow", "pandas", "polars", "rich", "click", "asyncio", "psycopg"}
    assert heavy.isdisjoint(loaded.split())


def test_writing_a_workflow_loads_no_part_of_the_host() -> None:
    program = (
        "import sys, codemation as cm\n"
        "@cm.node\n"
        "def one(order: int) -> int: return order\n"
        "cm.workflow('w').then(one).build()\n"
        "print(*sorted(sys.modules))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    heavy = {"sqlalchemy", "pyarrow", "pandas", "polars", "rich", "click", "psycopg", "codemation.host"}
    assert heavy.isdisjoint(loaded.split())


def test_a_copy_with_other_code_is_the_same_workflow_otherwise() -> None:
    built = cm.workflow("copied").map(lambda value: value, id="same").build()
    other = built.with_code({})
    assert (other.digest, dict(other.code)) == (built.digest, {})
    assert list(built.code) == ["same"]


def test_a_wish_to_run_holds_checked_params() -> None:
    class Given(cm.Params):
        month: int = 1

    built = cm.workflow("wished", params=Given).map(lambda value: value, id="same").build()
    wish = built.launch([1], {"month": 2})
    assert (wish.items, wish.params) == ([1], Given(month=2))
    with pytest.raises(cm.InputError):
        built.launch([1], {"moth": 2})

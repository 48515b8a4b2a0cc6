"""A node is a function: it is called, imported, pickled and inspected as one."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import polars as pl
import pytest

import codemation as cm


@cm.node
def clean(t: pl.DataFrame, limit: int = 3, *, ctx: cm.Context | None = None) -> pl.DataFrame:
    """Clean a table."""
    return t.head(limit)


@cm.node(id="renamed", retry=cm.Retry(5))
async def fetch(url: str) -> str:
    return url


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("nodes_to_import", Path(__file__).parent / "nodes_to_import.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "nodes_to_import", found)
    spec.loader.exec_module(found)
    return found


def again(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - dumped in the same breath


def test_calling_a_node_calls_its_function() -> None:
    assert clean(pl.DataFrame({"a": [1, 2, 3]}), limit=2).height == 2


async def _fetched() -> str:
    return await fetch("x")


def test_calling_an_asynchronous_node_gives_what_its_function_gives() -> None:
    coroutine = _fetched()
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert done.value.value == "x"


def test_a_node_looks_like_its_function() -> None:
    assert (clean.__name__, clean.__doc__, clean.__module__) == ("clean", "Clean a table.", __name__)
    assert list(inspect.signature(clean).parameters) == ["t", "limit", "ctx"]
    assert "def clean" in inspect.getsource(clean)
    assert get_type_hints(clean)["return"] is pl.DataFrame
    assert clean.__wrapped__ is clean.function


def test_a_node_shows_what_it_takes() -> None:
    assert repr(clean) == "<node clean(t: pl.DataFrame, limit: int, ctx: cm.Context | None)>"
    assert repr(fetch) == "<node renamed(url: str)>"


def test_annotations_that_are_types_are_shown_without_modules() -> None:
    def function(t, n):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - annotated below
        return t, n

    function.__annotations__ = {"t": pl.DataFrame}
    assert repr(cm.node(function)) == "<node function(t: DataFrame, n)>"


def test_a_node_of_something_built_in_is_shown_by_its_name() -> None:
    assert repr(cm.node(str)) == "<node str>"


def test_options_make_a_copy() -> None:
    slow = clean.options(timeout="1h").options(id="slow")
    assert slow.settings == {"timeout": "1h", "id": "slow"}
    assert (slow.id, clean.id, clean.settings) == ("slow", "clean", {})
    assert slow.function is clean.function


def test_arguments_are_bound_on_a_copy() -> None:
    bound = clean.bind(limit=1).bind(more=2)
    assert dict(bound.bound) == {"limit": 1, "more": 2}
    assert dict(clean.bound) == {}


def test_the_decorator_takes_its_options_in_steps() -> None:
    patient = cm.node(retry=cm.Retry(5))(timeout="1m")
    made = patient(clean.function)
    assert made.settings == {"retry": cm.Retry(5), "timeout": "1m"}


def test_decorating_a_node_again_adds_options() -> None:
    assert cm.node(timeout="1m")(fetch).settings == {"id": "renamed", "retry": cm.Retry(5), "timeout": "1m"}


def test_something_in_a_workflow_must_say_its_id() -> None:
    with pytest.raises(NotImplementedError):
        _ = cm.Node[Any, Any]().id


def test_a_node_is_pickled_by_name(module: ModuleType) -> None:
    assert again(module.shout) is module.shout
    assert again(module.Shelf.kept) is module.Shelf.kept


def test_a_copy_of_a_node_is_pickled_with_its_options(module: ModuleType) -> None:
    later = again(module.later)
    assert later.id == "later"
    assert later.function is module.shout.function
    assert again(module.ready).bound == {"mark": "?"}


def test_a_node_that_was_made_of_a_plain_function_is_pickled_with_it(module: ModuleType) -> None:
    assert again(module.wrapped).function is module.plain


def test_a_node_of_a_partial_has_the_name_of_its_function(module: ModuleType) -> None:
    node = cm.node(functools.partial(module.plain))
    assert (node.__name__, node.id) == ("plain", "plain")
    assert again(node)("a") == "a"


def test_a_node_that_cannot_be_found_again_cannot_be_pickled() -> None:
    @cm.node
    def local(text: str) -> str:
        return text

    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(local)

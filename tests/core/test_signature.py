"""The calling rules: what annotations say about how a function is called and what it gives."""

from __future__ import annotations

import functools
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NoReturn, Protocol, TypedDict, TypeVar

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel
from typing_extensions import TypeAliasType

import codemation as cm
from codemation.core.annotations import can_be_an_item, choices, fits, readable, without_none
from codemation.core.reading import read_signature
from codemation.core.signature import Result, Shape


class Order(BaseModel):
    id: str


class Express(Order):
    pass


class Flight(BaseModel):
    carrier: str


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    held: T


class Colour(Enum):
    RED = "red"


class Point(NamedTuple):
    x: int


class Record(TypedDict):
    id: str


class Named(Protocol):
    id: str


class Params(cm.Params):
    month: int = 1


class Checked(cm.Ports):
    valid: Order = cm.port()
    many: list[Order] = cm.port()


Sku = NewType("Sku", str)
Orders = TypeAliasType("Orders", list[Order])
Many = TypeAliasType("Many", list[T], type_params=(T,))


def shaped(annotation: Any) -> tuple[Shape, Any, bool]:
    def function(data): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - annotated below

    function.__annotations__ = {"data": annotation}
    signature, problems = read_signature(function)
    assert signature.data is not None
    assert not problems
    return signature.data.shape, signature.data.item_type, signature.data.wrapped


def given(annotation: Any) -> Result:
    def function(): ...  # type: ignore[no-untyped-def]  # noqa: ANN202 - annotated below

    function.__annotations__ = {"return": annotation}
    signature, problems = read_signature(function)
    assert not problems
    return signature.result


@pytest.mark.parametrize(
    ("annotation", "shape", "item_type"),
    [
        (Order, Shape.ONE, Order),
        (dict[str, Any], Shape.ONE, dict[str, Any]),
        (Any, Shape.ONE, Any),
        (T, Shape.ONE, Any),
        (Point, Shape.ONE, Point),
        (Order | None, Shape.ONE, Order | None),
        (Order | Flight, Shape.ONE, Order | Flight),
        (Annotated[Order, "why"], Shape.ONE, Order),
        (list, Shape.LIST, Any),
        (list[Order], Shape.LIST, Order),
        (list[Order] | None, Shape.LIST, Order),
        (Sequence[Order], Shape.LIST, Order),
        (Orders, Shape.LIST, Order),
        (Many[Order], Shape.LIST, Order),
        (Iterator[Order], Shape.STREAM, Order),
        (Generator[Order, None, None], Shape.STREAM, Order),
        (pd.DataFrame, Shape.TABLE, pd.DataFrame),
        (pl.DataFrame, Shape.TABLE, pl.DataFrame),
        (pl.LazyFrame, Shape.TABLE, pl.LazyFrame),
        (pa.Table, Shape.TABLE, pa.Table),
        (pl.DataFrame | pd.DataFrame, Shape.TABLE, pl.DataFrame),
    ],
)
def test_the_first_parameter_says_how_it_takes_data(annotation: Any, shape: Shape, item_type: Any) -> None:
    assert shaped(annotation) == (shape, item_type, False)


@pytest.mark.parametrize(
    ("annotation", "shape", "item_type"),
    [
        (cm.Item, Shape.ONE, Any),
        (cm.Item[Order], Shape.ONE, Order),
        (list[cm.Item[Order]], Shape.LIST, Order),
        (Iterator[cm.Item[Order]], Shape.STREAM, Order),
    ],
)
def test_items_may_come_with_their_surroundings(annotation: Any, shape: Shape, item_type: Any) -> None:
    assert shaped(annotation) == (shape, item_type, True)


@pytest.mark.parametrize(
    ("annotation", "result"),
    [
        (Order, Result(shape=Shape.ONE, item_type=Order)),
        (Order | None, Result(shape=Shape.ONE, item_type=Order, optional=True)),
        (list[Order], Result(shape=Shape.LIST, item_type=Order)),
        (list[Order] | None, Result(shape=Shape.LIST, item_type=Order, optional=True)),
        (Iterator[Order], Result(shape=Shape.STREAM, item_type=Order)),
        (AsyncIterator[Order], Result(shape=Shape.STREAM, item_type=Order)),
        (AsyncIterator, Result(shape=Shape.STREAM, item_type=Any)),
        (Awaitable[Order], Result(shape=Shape.ONE, item_type=Order)),
        (Coroutine[Any, Any, list[Order]], Result(shape=Shape.LIST, item_type=Order)),
        (Coroutine, Result(shape=Shape.ONE, item_type=Any)),
        (pl.DataFrame, Result(shape=Shape.TABLE, item_type=pl.DataFrame)),
        (cm.Item[Order], Result(shape=Shape.ONE, item_type=Order, wrapped=True)),
        (Iterator[cm.Item[Order]], Result(shape=Shape.STREAM, item_type=Order, wrapped=True)),
        (None, Result(shape=Shape.NOTHING, item_type=typing.Never)),
        (NoReturn, Result(shape=Shape.NOTHING, item_type=typing.Never)),
    ],
)
def test_the_return_annotation_says_what_is_given(annotation: Any, result: Result) -> None:
    assert given(annotation) == result


def test_ports_give_what_their_fields_hold() -> None:
    result = given(Checked)
    assert (result.shape, result.item_type) == (Shape.PORTS, Checked)
    assert result.ports == {
        "valid": Result(shape=Shape.ONE, item_type=Order),
        "many": Result(shape=Shape.LIST, item_type=Order),
    }


def no_value(order: Order):  # type: ignore[no-untyped-def]  # noqa: ANN201 - its body tells
    if order.id:
        return
    print(order)  # noqa: T201


def explicit_none(order: Order):  # type: ignore[no-untyped-def]  # noqa: ANN201 - its body tells
    return None


def a_value(order: Order):  # type: ignore[no-untyped-def]  # noqa: ANN201 - its body tells
    return order


def either(order: Order):  # type: ignore[no-untyped-def]  # noqa: ANN201 - its body tells
    return order or None


def constant(order: Order):  # type: ignore[no-untyped-def]  # noqa: ANN201 - its body tells
    return 3


def stream(order: Order):  # type: ignore[no-untyped-def]  # noqa: ANN201 - its body tells
    yield order


async def async_stream(order: Order):  # type: ignore[no-untyped-def]  # noqa: ANN201 - its body tells
    yield order


class Quiet:
    def __call__(self, order: Order):  # type: ignore[no-untyped-def]  # noqa: ANN204 - its body tells
        del order


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (no_value, Shape.NOTHING),
        (explicit_none, Shape.NOTHING),
        (Quiet(), Shape.NOTHING),
        (a_value, Shape.ONE),
        (either, Shape.ONE),
        (constant, Shape.ONE),
        (stream, Shape.STREAM),
        (async_stream, Shape.STREAM),
        (lambda order: None, Shape.ONE),
        (len, Shape.ONE),
        (functools.partial(a_value), Shape.ONE),
    ],
)
def test_without_a_return_annotation_the_body_tells(function: Callable[..., Any], shape: Shape) -> None:
    assert read_signature(function)[0].result.shape is shape


def test_context_and_params_are_injected_wherever_they_stand() -> None:
    def function(ctx: cm.Context, order: Order, limit: int = 3, *, params: Params | None = None) -> None: ...

    signature, problems = read_signature(function)
    assert not problems
    assert signature.data is not None
    assert signature.data.name == "order"
    assert [(one.name, one.what, one.type) for one in signature.injections] == [
        ("ctx", "context", cm.Context),
        ("params", "params", Params),
    ]
    assert [(one.name, one.required) for one in signature.arguments] == [("limit", False)]


def test_a_function_with_named_arguments_alone_is_a_source() -> None:
    def function(params: Params, *, path: str, sep: str = ",", **more: Any) -> None: ...

    signature, _ = read_signature(function)
    assert signature.data is None
    assert [(one.name, one.required) for one in signature.arguments] == [("path", True), ("sep", False)]
    assert signature.open_ended


def test_a_parameter_that_cannot_be_named_takes_data_by_position() -> None:
    def function(order: Order, /, limit: int) -> None: ...

    signature, problems = read_signature(function)
    assert not problems
    assert signature.data is not None
    assert signature.data.positional
    assert not signature.arguments[0].positional


def test_any_number_of_parameters_takes_data_too() -> None:
    def function(*orders: Order) -> None: ...

    signature, _ = read_signature(function)
    assert signature.data is not None
    assert (signature.data.name, signature.data.positional, signature.data.required) == ("orders", True, False)


def test_named_parameters_come_before_any_number_of_them() -> None:
    def function(first: Order, *others: Order) -> None: ...

    signature, _ = read_signature(function)
    assert signature.data is not None
    assert (signature.data.name, signature.arguments) == ("first", ())


def test_a_built_in_callable_that_does_not_tell_takes_one_value() -> None:
    signature, problems = read_signature(str)
    assert not problems
    assert signature.data is not None
    assert signature.data.positional
    assert signature.result.item_type is str


def test_a_class_is_called_as_it_is_made() -> None:
    class Pair:
        def __init__(self, left: int, right: int = 0) -> None: ...

    signature, _ = read_signature(Pair)
    assert signature.data is not None
    assert signature.data.item_type is int
    assert signature.result.item_type is Pair
    assert not signature.asynchronous


class Waiting:
    async def __call__(self, order: Order) -> Order:
        return order

    async def method(self, order: Order) -> Order:
        return order

    def plain(self, order: Order) -> Order:
        return order


async def waited(order: Order) -> Order:
    return order


def promised(order: Order) -> Awaitable[Order]:
    return waited(order)


def streamed(order: Order) -> AsyncIterator[Order]:
    return async_stream(order)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("function", "asynchronous"),
    [
        (waited, True),
        (async_stream, True),
        (promised, True),
        (streamed, True),
        (Waiting(), True),
        (Waiting().method, True),
        (functools.partial(waited), True),
        (Waiting().plain, False),
        (functools.partial(a_value), False),
        (a_value, False),
        (str, False),
    ],
)
def test_a_function_may_be_asynchronous_in_any_spelling(function: Callable[..., Any], asynchronous: bool) -> None:
    assert read_signature(function)[0].asynchronous is asynchronous


def test_what_a_partial_gives_already_is_asked_for_no_more() -> None:
    def function(order: Order, limit: int, sep: str) -> Order:
        return order

    signature, _ = read_signature(functools.partial(function, sep=","))
    assert [(one.name, one.required) for one in signature.arguments] == [("limit", True), ("sep", False)]
    assert signature.arguments[0].annotation is int


def test_a_wrapped_function_is_read_as_what_it_wraps() -> None:
    @functools.wraps(a_value)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return a_value(*args, **kwargs)

    signature, _ = read_signature(wrapper)
    assert signature.data is not None
    assert signature.data.item_type is Order


def test_annotations_may_name_what_a_nested_function_can_see() -> None:
    class Local(BaseModel):
        id: str

    def function(local: Local) -> Local:
        return Local(id=local.id)

    signature, problems = read_signature(function)
    assert not problems
    assert signature.data is not None
    assert signature.data.item_type is Local


def test_every_name_that_does_not_exist_is_a_problem_and_the_rest_is_read() -> None:
    def function(order: Order, one: Missing, other: Absent) -> Missing: ...  # type: ignore[name-defined]  # noqa: F821

    signature, problems = read_signature(function)
    assert [problem.what for problem in problems] == [
        "has annotations that name Missing, which does not exist",
        "has annotations that name Absent, which does not exist",
    ]
    assert signature.data is not None
    assert signature.data.item_type is Order
    assert signature.result.item_type is Any


def test_ports_whose_annotations_cannot_be_read_are_a_problem() -> None:
    class Lost(cm.Ports):
        valid: Missing = cm.port()  # type: ignore[name-defined]  # noqa: F821

    def function(order: Order) -> Any: ...

    function.__annotations__["return"] = Lost
    signature, problems = read_signature(function)
    assert [problem.what for problem in problems] == ["returns Lost, whose annotations cannot be read"]
    assert signature.result.ports["valid"].item_type is Any


def test_annotations_that_fail_in_another_way_are_a_problem() -> None:
    def function(order: Order) -> None: ...

    function.__annotations__["order"] = "3 +"
    assert read_signature(function)[1][0].what == "has annotations that cannot be read"


def test_a_name_error_of_another_kind_is_told_once() -> None:
    def function(order: Order) -> None: ...

    function.__annotations__["order"] = "(lambda: (_ for _ in ()).throw(NameError('Order', name='Order')))()"
    assert len(read_signature(function)[1]) == 2


@pytest.mark.parametrize(
    ("gives", "takes"),
    [
        (Order, Order),
        (Express, Order),
        (Order, Order | Flight),
        (Literal["a"], Literal["a", "b"]),
        (Literal["a"], str),
        (int, float),
        (bool, int),
        (bool, complex),
        (Sku, str),
        (Sku, Sku),
        (pl.DataFrame, Order),
        (Order, pl.DataFrame),
        (Any, Order),
        (Order, object),
        (Order, dict[str, Any]),
        (Mapping[str, Any], Order),
        (Record, Order),
        (Order, Named),
        (Box[int], Box[int]),
        (Box[int], Box[float]),
        (Box[int], Box[Any]),
        (Box[Express], Box[Order]),
        (Box, Box[int]),
        (cm.Failure[Order], cm.Failure[dict[str, object]]),
        (Express | None, Order),
        (Callable[[int], str], Callable[[bytes], str]),
        (T, Order),
    ],
)
def test_what_is_given_fits_what_is_taken(gives: Any, takes: Any) -> None:
    assert fits(gives, takes)


@pytest.mark.parametrize(
    ("gives", "takes"),
    [
        (Order, Flight),
        (Order, Express),
        (Order | Flight, Order),
        (str, Literal["a"]),
        (Literal["a", "c"], Literal["a", "b"]),
        (Literal[1], str),
        (float, int),
        (str, Sku),
        (Box[int], Box[str]),
        (cm.Failure[Order], cm.Failure[Flight]),
        (Order, str),
    ],
)
def test_types_are_nominal(gives: Any, takes: Any) -> None:
    assert not fits(gives, takes)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (Any, "Any"),
        (None, "None"),
        (int, "int"),
        (list[Order], "list[Order]"),
        (Order | None, "Order | None"),
        (typing.Optional[Order], "Order | None"),  # noqa: UP045 - the old spelling is still written
        (Literal["a", 1], "'a' | 1"),
        (dict[str, list[int]], "dict[str, list[int]]"),
        (tuple[int, ...], "tuple[int, …]"),
        (Callable[[int], str], "Callable[[int], str]"),
        (Annotated[int, "why"], "int"),
        (Box[int], "Box[int]"),
        (Sku, "Sku"),
        (typing.ClassVar, "ClassVar"),
        (3, "3"),
        (Orders, "list[Order]"),
    ],
)
def test_types_are_told_as_they_are_written(annotation: Any, text: str) -> None:
    assert readable(annotation) == text


def test_only_what_can_be_listed_has_choices() -> None:
    assert choices(Literal["a", "b"] | None) == ("a", "b")
    assert choices(Colour) == (Colour.RED,)
    assert choices(str) is None


def test_a_union_without_none_stays_as_it_is() -> None:
    assert without_none(Order | Flight) == (Order | Flight, False)
    assert without_none(Order | Flight | None) == (Order | Flight, True)


def test_lists_tuples_sets_and_arrays_are_no_items() -> None:
    refused = (list[int], tuple[int, int], set[int], frozenset, np.ndarray)
    assert not any(can_be_an_item(annotation) for annotation in refused)
    assert all(can_be_an_item(annotation) for annotation in (Order, Point, str, np.float64, Any))


def test_an_annotation_that_is_no_type_says_nothing() -> None:
    def function(order, limit): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - annotated below

    function.__annotations__ = {"order": [1, 2], "limit": 3, "return": [3]}
    signature, problems = read_signature(function)
    assert not problems
    assert signature.data is not None
    assert (signature.data.shape, signature.result.shape) == (Shape.ONE, Shape.ONE)
    workflow = cm.workflow("w", input=Order).then(cm.node(function), limit=4).build()
    assert workflow.nodes["function"].config == {"limit": 4}

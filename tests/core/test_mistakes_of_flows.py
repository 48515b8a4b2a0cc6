"""Each mistake that an author can make is said once, with what is wrong and the way out; nothing follows from it."""

from __future__ import annotations

import array
from collections.abc import AsyncIterator, Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import polars as pl
import pytest
from pydantic import BaseModel

import codemation as cm

if TYPE_CHECKING:
    from decimal import Decimal


class Order(BaseModel):
    id: str
    total: float = 0.0


class Flight(BaseModel):
    carrier: str


class Params(cm.Params):
    month: int = 1
    name: str = "x"


class Checked(cm.Ports):
    valid: Order = cm.port()
    rejected: Order = cm.port()


class Failing(cm.Ports):
    error: Order = cm.port()


class Portless(cm.Ports):
    pass


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Incomplete(BaseModel):
    x: Nowhere  # type: ignore[name-defined]  # noqa: F821 - the name is what is missing


class Handle:
    """Cannot be stored."""


@cm.node
def clean(order: Order, limit: int = 1) -> Order:
    return order


@cm.node
def needy(order: Order, limit: int) -> Order:
    return order


@cm.node
def check(order: Order) -> Checked:
    return Checked(valid=order)


@cm.node
def by_flight(flight: Flight) -> Flight:
    return flight


@cm.node
def archive(order: Order) -> None: ...


@cm.node
def load(params: Params) -> pl.DataFrame:
    return pl.DataFrame()


@cm.node
def source() -> list[Order]:
    return []


@cm.node
def side(order: Order, data: list[Flight]) -> Order:
    return order


@cm.node
def odd(order: Order, data: tuple[int, ...] = ()) -> Order:
    return order


@cm.node
def keeping(order: Order, handle: Handle) -> Order:
    return order


@cm.node
def incomplete(order: Order, given: Incomplete) -> Order:
    return order


@cm.node
def open_ended(order: Order, **options: Any) -> Order:
    return order


@cm.node
def with_context(order: Order, ctx: cm.Context) -> Order:
    return order


def country(order: Order) -> Literal["DE", "US"]:
    return "DE"


def colour(order: Order) -> Colour:
    return Colour.RED


def no_item(*, limit: int = 1) -> bool:
    return True


def many(order: Order) -> list[Order]:
    return [order]


def one(order: Order) -> Order:
    return order


def batch(orders: list[Order]) -> Order:
    return orders[0]


def ports(order: Order) -> Checked:
    return Checked(valid=order)


def none(order: Order) -> None: ...


def silent(order):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - annotations are what is missing
    del order


def raising(flow: cm.Flow[Order]) -> cm.Flow[Order]:
    raise LookupError("no such thing")


@cm.node
def nested(order: Order) -> list[list[Order]]:
    return [[order]]


@cm.node
def tupled(order: Order) -> tuple[int, int]:
    return (1, 2)


@cm.node
def takes_tuple(order: tuple[int, int]) -> Order:
    return Order(id="")


@cm.node
def takes_tuples(orders: list[tuple[int, int]]) -> Order:
    return Order(id="")


@cm.node
def takes_set(orders: set[int]) -> Order:
    return Order(id="")


@cm.node
def takes_array(order: np.ndarray[Any, Any]) -> Order:
    return Order(id="")


@cm.node
def takes_c_array(order: array.array) -> Order:  # type: ignore[type-arg]
    return Order(id="")


@cm.node
def takes_lists(orders: list[list[Order]]) -> Order:
    return Order(id="")


@cm.node
async def takes_async(orders: AsyncIterator[Order]) -> Order:
    return Order(id="")


@cm.node
def takes_either(orders: Order | list[Order]) -> Order:
    return Order(id="")


@cm.node
def unknown_type(order: Order, amount: Decimal) -> Order:
    return order


@cm.node
def many_checked(order: Order) -> Iterator[Checked]:
    yield Checked(valid=order)


@cm.node
def portless(order: Order) -> Portless:
    return Portless()


@cm.node
def failing(order: Order) -> Failing:
    return Failing()


def opened(name: str = "x") -> str:
    return name


def opened_at(place: str) -> str:
    return place


def opened_in(ctx: cm.Context) -> str:
    return ctx.node_id


def with_resource(use: Any) -> Any:
    """A node whose resource is opened so."""

    def work(order: Order, tool: Any) -> Order:
        return order

    work.__annotations__["tool"] = Annotated[Any, use]
    return cm.node(work)


def with_more(order: Order, factor: int) -> int:
    return factor


def lambda_with_context(order: Order, ctx: cm.Context) -> int:
    return ctx.attempt


def flight_number(flight: Flight) -> int:
    return 1


def count(orders: list[Order]) -> int:
    return len(orders)


def number(order: Order) -> int:
    return 1


async def later(order: Order) -> int:
    return 1


def with_params(order: Order, params: Params) -> int:
    return params.month


def of_unknown(order: Decimal) -> int:
    return 1


@cm.node
def batch_with(orders: list[Order], limit: int) -> Order:
    return orders[limit]


@cm.node
def sourced(*, limit: int) -> Order:
    return Order(id=str(limit))


@cm.node
def by_position(order: Order, limit: int, /) -> Order:
    return order


@cm.node
def broken_annotation(order: Order.nothing.at.all) -> Order:  # type: ignore[name-defined]
    return Order(id="")


def start(**options: Any) -> Any:
    """Untyped, as what authors write often is."""
    return cm.workflow("w", input=Order, **options)


OTHER: Any = cm.workflow("other", input=Order).then(clean)

MISTAKES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "params missing": (
        lambda: start().then(load),
        '"load" wants params: Params, but the workflow has no params',
        "params=Params",
    ),
    "other params": (
        lambda: start(params=type("Mine", (cm.Params,), {})).then(load),
        '"load" wants params: Params, but the workflow has the params Mine',
        'cm.workflow("w", params=Params)',
    ),
    "missing argument": (lambda: start().then(needy), '"needy" needs limit: int', ".then(needy, limit=…)"),
    "ill-typed argument": (
        lambda: start().then(clean, limit="many"),
        "limit='many' does not fit limit: int of \"clean\"",
        "Input should be a valid integer",
    ),
    "misspelt argument": (
        lambda: start().then(needy, limt=3),
        "\"needy\" has no argument 'limt'",
        "did you mean 'limit'?",
    ),
    "unknown argument": (lambda: start().then(clean, x=3), "\"clean\" has no argument 'x'", "it takes limit"),
    "argument for no argument": (lambda: start().then(archive, x=3), "has no argument 'x'", "nothing but the item"),
    "data by name": (
        lambda: start().then(clean, order=1),
        '"clean" already gets order from the flow',
        "remove order=…",
    ),
    "injected by name": (
        lambda: start().then(with_context, ctx=1),
        'ctx of "with_context" is filled in',
        "remove ctx=…",
    ),
    "node as argument": (
        lambda: start().then(side, data=source),
        'data= of "side" is given the node source',
        "data=start.then(source)",
    ),
    "not storable": (
        lambda: start().then(keeping, handle=Handle()),
        'handle= of "keeping" cannot be stored with the workflow: value: a Handle object',
        "make it inside of keeping",
    ),
    "flow of another type": (
        lambda: (s := start()).then(side, data=s.then(clean)),
        'data= of "side" takes Flight, but "clean" gives Order',
        "change data: Flight in side",
    ),
    "flow that has ended": (
        lambda: (s := start()).then(side, data=s.then(clean).end()),
        'nothing reaches "side"',
        "leave out an .end()",
    ),
    "flow for a tuple": (
        lambda: (s := start()).then(odd, data=s),
        '"odd" takes a tuple, and an item is never one, so data cannot be given a flow',
        "annotate data as list[…]",
    ),
    "flow for **options": (
        lambda: (s := start()).then(open_ended, data=s),
        'data= of "open_ended" is a flow',
        "give open_ended a parameter of its own",
    ),
    "data by name though open-ended": (
        lambda: start().then(open_ended, order=1),
        '"open_ended" already gets order from the flow',
        "remove order",
    ),
    "param of another workflow": (
        lambda: start().then(clean, limit=Params.month),
        'limit=Params.month of "clean" is no param of the workflow',
        "params=Params",
    ),
    "param of another type": (
        lambda: start(params=Params).then(clean, limit=Params.name),
        'limit: int of "clean" is given Params.name, which is str',
        "change one of the two types",
    ),
    "resource with an unknown argument": (
        lambda: start().then(with_resource(cm.use(opened, nam="x"))),
        "has tool opened by opened, which has no argument 'nam'",
        "did you mean 'name'?",
    ),
    "resource without a needed argument": (
        lambda: start().then(with_resource(cm.use(opened_at))),
        "has tool opened by opened_at, which needs place",
        "cm.use(opened_at, place=…)",
    ),
    "resource that wants the context": (
        lambda: start().then(with_resource(cm.use(opened_in))),
        "has tool opened by opened_in, which wants Context",
        "an opener takes credentials and arguments",
    ),
    "resource without a function": (
        lambda: start().then(with_resource(cm.use(3))),  # type: ignore[arg-type]
        "has tool opened by 3, which is no function",
        "cm.use(open_it)",
    ),
    "resource with a param of another workflow": (
        lambda: start().then(with_resource(cm.use(opened, name=Params.name))),
        'name=Params.name for tool of "work" is no param of the workflow',
        "params=Params",
    ),
    "expression of what is missing": (
        lambda: start().then(clean, limit=cm.expr(with_more)),
        'cm.expr(with_more) for limit= of "clean" needs factor beside the item',
        "an expression takes the item",
    ),
    "expression with a context": (
        lambda: start().then(clean, limit=cm.expr(lambda_with_context)),
        "needs ctx beside the item",
        "an expression takes the item",
    ),
    "expression without an item": (
        lambda: start().then(clean, limit=cm.expr(no_item)),
        'cm.expr(no_item) for limit= of "clean" takes no item',
        "lambda item: …",
    ),
    "expression of another item": (
        lambda: start().then(clean, limit=cm.expr(flight_number)),
        'cm.expr(flight_number) for limit= of "clean" takes Flight, and is given Order',
        "change flight: Flight",
    ),
    "expression of all items for one": (
        lambda: start().then(clean, limit=cm.expr(count)),
        "takes list[Order], and the node is called once per item",
        "annotate orders as one item",
    ),
    "expression of one item for all": (
        lambda: start().then(batch_with, limit=cm.expr(number)),
        "takes Order, and the node is called once per batch",
        "annotate order as list[…] or a table",
    ),
    "expression of another type": (
        lambda: start().then(clean, limit=cm.expr(country)),
        "gives 'DE' | 'US', and int is wanted",
        "return int",
    ),
    "expression that is asynchronous": (
        lambda: start().then(clean, limit=cm.expr(later)),
        'cm.expr(later) for limit= of "clean" is asynchronous',
        "compute the value in a node before",
    ),
    "expression that is no function": (
        lambda: start().then(clean, limit=cm.expr(3)),  # type: ignore[arg-type]
        'limit= of "clean" is given cm.expr(3), which is no function',
        "cm.expr(lambda item: …)",
    ),
    "expression for a source": (
        lambda: start().then(sourced, limit=cm.expr(lambda order: 1)),
        "and there are no items to compute it from",
        "let the node take the items",
    ),
    "expression with params of another workflow": (
        lambda: start().then(clean, limit=cm.expr(with_params)),
        "wants Params, and the workflow has no such params",
        "cm.workflow(…, params=…)",
    ),
    "expression with an unknown annotation": (
        lambda: start().then(clean, limit=cm.expr(of_unknown)),
        'cm.expr(of_unknown) for limit= of "clean" has annotations that name Decimal',
        "import or define Decimal",
    ),
    "other type": (
        lambda: start().then(clean).then(by_flight),
        '"by_flight" takes Flight, but "clean" gives Order',
        "change flight: Flight in by_flight, or put a node in between that turns Order into Flight",
    ),
    "plain function in then": (
        lambda: start().then(one),
        ".then() takes a node, and one is none",
        "decorate one with @cm.node",
    ),
    "no function in then": (lambda: start().then(42), ".then() takes a node, and 42 is none", ".then(node)"),
    "plain function in tap": (lambda: start().tap(one), ".tap() takes a node, and one is none", "decorate one"),
    "no function in map": (lambda: start().map(42), ".map() takes a function, and 42 is none", ".map(function)"),
    "several ports": (
        lambda: start().then(check).then(clean),
        '"check" has the ports valid, rejected; "clean" does not say which it follows',
        '.route(valid=…, rejected=…) or ["valid"].then(clean)',
    ),
    "unknown port": (
        lambda: start().then(check).route(rejcted=clean),
        "has no port 'rejcted'",
        "did you mean 'rejected'?",
    ),
    "unknown port in brackets": (
        lambda: start().then(check)["x"].then(clean),
        "has no port 'x'",
        "it has valid, rejected",
    ),
    "no error port": (lambda: start().then(clean)["error"], "has no port 'error'", 'on_error="port"'),
    "port of several nodes": (
        lambda: start().parallel(a=clean, b=lambda f: f)["valid"].then(clean, id="c"),
        '["valid"] follows a port of one node, but 2 nodes lead here',
        "right after the node that has it",
    ),
    "no ports routed": (lambda: start().then(check).route(), ".route() names no port", ".route(valid=…"),
    "no branches": (
        lambda: start().then(clean).also(lambda f: f.parallel()),
        ".parallel() has no branches",
        ".parallel(orders=…",
    ),
    "after the end of a line": (
        lambda: start().then(archive).then(clean),
        '"archive" returns None, so nothing would ever reach "clean"',
        "return the item from archive, or use .tap(archive) to keep the items",
    ),
    "after an end": (lambda: start().then(clean).end().map(one), 'nothing reaches "one"', "leave out an .end()"),
    "after branches that end": (
        lambda: start().branch(lambda order: True, yes=archive, no=lambda f: f.end()).then(clean),
        'nothing reaches "clean": every branch before it ends',
        "leave out an .end()",
    ),
    "duplicate id": (
        lambda: start().then(clean).then(clean),
        'two nodes are called "clean" (the other:',
        'id="clean_…"',
    ),
    "ids alike": (
        lambda: start().then(clean).then(clean, id="Clean"),
        '"Clean" and "clean" (',
        'id="Clean_…"',
    ),
    "bad id": (lambda: start().then(clean, id="a/b"), "'a/b' cannot be the id of a node", "letters, digits, _ - and ."),
    "empty id": (lambda: start().then(clean, id=""), "'' cannot be the id of a node", "letters"),
    "id that is none": (lambda: start().then(clean, id=["x"]), "cannot be the id of a node", "letters"),
    "reserved id": (lambda: start().then(clean, id="Start"), 'no node can be called "Start"', 'id="Start_…"'),
    "bad workflow id": (lambda: cm.workflow("a b").then(source), "'a b' cannot be the id of a workflow", "letters"),
    "empty workflow": (start, "the workflow has no nodes", ".then(node) at least once"),
    "params that are none": (
        lambda: start(params=Order).then(clean),
        "is no model of parameters",
        "class Params(cm.Params)",
    ),
    "list as input": (
        lambda: cm.workflow("w", input=list[Order]).then(clean),  # type: ignore[type-var]
        "input=list[Order] is a list",
        "input=Order",
    ),
    "bare list as input": (lambda: cm.workflow("w", input=list).then(source), "input=list is a list", "input=Order"),
    "tuple as input": (lambda: cm.workflow("w", input=tuple).then(source), "input=tuple is a tuple", "input=Order"),
    "no parallelism": (lambda: start(max_parallel=0).then(clean), "max_parallel=0 is no number of nodes", "1 or more"),
    "priority above all else": (
        lambda: start(priority=100_001).then(clean),
        "priority=100001 is no priority",
        "between -100,000 and 100,000",
    ),
    "priority that is none": (
        lambda: start(priority="high").then(clean),
        "priority='high' is no priority",
        "whole number",
    ),
    "default that one node has": (
        lambda: start(defaults={"id": "x"}).then(clean),
        "defaults= has 'id', which only one node can have",
        "@cm.node(id=…)",
    ),
    "unknown option": (
        lambda: start().then(cm.node(retries=3)(one)),  # type: ignore[call-overload]
        "\"one\" has no option 'retries'",
        "did you mean 'retry'?",
    ),
    "bad timeout": (
        lambda: start().then(clean.options(timeout="soon")),
        "timeout='soon' of \"clean\"",
        "is not a duration",
    ),
    "bad concurrency": (lambda: start().then(clean.options(concurrency=0)), 'concurrency=0 of "clean"', "1 or more"),
    "bad retry": (lambda: start().then(clean.options(retry=3)), 'retry=3 of "clean"', "cm.Retry(5)"),  # type: ignore[typeddict-item]
    "bad queue": (lambda: start().then(clean.options(queue="")), "queue='' of \"clean\"", "name of a queue"),
    "bad title": (lambda: start().then(clean.options(title=3)), 'title=3 of "clean"', "give a text"),  # type: ignore[typeddict-item]
    "bad priority": (lambda: start().then(clean.options(priority=True)), 'priority=True of "clean"', "whole number"),
    "bad switch": (
        lambda: start().then(clean.options(run_on_empty="yes")),  # type: ignore[typeddict-item]
        "run_on_empty='yes' of \"clean\"",
        "True or False",
    ),
    "unknown on_error": (
        lambda: start().then(clean, on_error="prot"),
        "on_error='prot' of \"clean\"",
        '"fail", "drop", "port"',
    ),
    "on_error that is none": (
        lambda: start().then(clean, on_error=42),
        'on_error=42 of "clean"',
        '"fail", "drop", "port"',
    ),
    "error port twice": (
        lambda: start().then(failing, on_error="port"),
        '"failing" has a port "error" of its own',
        "else",
    ),
    "flow of another workflow": (
        lambda: start().then(side, data=OTHER),
        '"side" follows a flow of another workflow, "other"',
        "begin both flows from one cm.workflow",
    ),
    "merge with another workflow": (
        lambda: start().merge(OTHER),
        'follows a flow of another workflow, "other"',
        "begin both",
    ),
    "branch that raises": (
        lambda: start().branch(lambda order: True, yes=raising).then(clean),
        'branch "yes" raised LookupError: no such thing',
        "lambda f: f.then(…)",
    ),
    "branch that gives something else": (
        lambda: start().also(lambda f: 42).then(clean),
        'branch "also" returned 42, which is no flow',
        "lambda f: f.then(…)",
    ),
    "branch that is none": (
        lambda: start().parallel(a="x").then(clean),
        'branch "a" raised TypeError',
        "a branch is a node",
    ),
    "branch into another workflow": (
        lambda: start().parallel(a=lambda f: OTHER).then(clean),
        'branch "a" returned a flow of another workflow',
        "a branch is a node",
    ),
    "piece that returns nothing": (
        lambda: start().pipe(lambda f: None, title="tidy").then(clean),
        'the piece "tidy" returned None, which is no flow',
        "return the flow that the piece ends with",
    ),
    "error branch that raises": (
        lambda: start().then(clean, on_error=raising),
        'branch "error" raised LookupError',
        "lambda f: f.then(…)",
    ),
    "impossible case": (
        lambda: start().switch(country, {"DE": clean, "UK": archive}, default=lambda f: f),
        "\"country\" never gives 'UK'",
        "it gives 'DE', 'US'",
    ),
    "misspelt case": (
        lambda: start().switch(country, {"DE": clean, "USA": archive}, default=lambda f: f),
        "\"country\" never gives 'USA'",
        "did you mean 'US'?",
    ),
    "impossible enum": (
        lambda: start().switch(colour, {Colour.RED: clean, "blue": archive}, default=lambda f: f),
        "\"colour\" never gives 'blue'",
        "did you mean Colour.BLUE?",
    ),
    "missing case": (
        lambda: start().switch(country, {"DE": clean}),
        "\"country\" may give 'US', for which there is no case",
        "add the case, or default=…",
    ),
    "no cases": (lambda: start().switch(lambda o: o.id, {}), '"switch" has no cases', ".switch(key"),
    "cases alike": (
        lambda: start().switch(lambda o: o.id, {1: clean, "1": archive}),
        "\"switch\" has several ways that are called '1'",
        "into a tuple",
    ),
    "value in two cases": (
        lambda: start().switch(lambda o: o.id, {("DE", "AT"): clean, "AT": archive}),
        "\"switch\" has several ways for 'AT'",
        "leave it in one of the cases",
    ),
    "case called default": (
        lambda: start().switch(lambda o: o.id, {"default": clean}),
        "\"switch\" has several ways that are called 'default'",
        "default=…",
    ),
    "into without a fork": (
        lambda: start().then(clean).into(side),
        ".into(side) follows a fork, and here one flow comes without a name",
        ".parallel(order=…, data=…).into(side)",
    ),
    "into without the data": (
        lambda: start().parallel(data=lambda f: f.map(lambda o: o)).into(side.options(id="x")),
        "no branch is called 'order', the first argument of \"x\"",
        "the branches are data; it takes order, data",
    ),
    "into twice with a flow": (
        lambda: (s := start()).parallel(order=clean, data=lambda f: f.map(lambda o: o)).into(side, data=s.map(one)),
        'data of "side" is given twice',
        "remove data=…",
    ),
    "argument called like the input of a verb": (
        lambda: (s := start()).filter(lambda order, main: True, main=s),
        "\"filter\" has an argument 'main', as the input of .filter() is called",
        "call the argument of filter something else",
    ),
    "argument for a source": (lambda: start().then(source, x=3), "has no argument 'x'", "it takes nothing"),
    "into twice": (
        lambda: start().parallel(order=clean, data=lambda f: f.map(lambda o: o)).into(side, data=[]),
        'data of "side" is given twice',
        "remove data=…",
    ),
    "unknown merge": (
        lambda: (s := start()).then(clean).merge(s, by="key"),
        "by='key' of \"merge\"",
        "append, origin, position",
    ),
    "misspelt merge": (lambda: (s := start()).then(clean).merge(s, by="orign"), "by='orign'", "did you mean 'origin'?"),
    "unknown preference": (
        lambda: (s := start()).then(clean).merge(s, prefer=["3"]),
        "\"merge\" has no input '3' to prefer",
        "it has 1, 2",
    ),
    "preference that is none": (
        lambda: (s := start()).then(clean).merge(s, prefer="1"),
        "prefer='1' of",
        "name some of: 1, 2",
    ),
    "merge with no flow": (lambda: start().merge(42), ".merge() takes flows, and 42 is none", ".merge(other_flow)"),
    "unknown join": (
        lambda: (s := start()).then(clean).join(s, on="id", how="right"),
        "how='right' of \"join\"",
        "inner, left",
    ),
    "join on nothing": (
        lambda: (s := start()).then(clean).join(s, on=[]),
        'on=[] of "join" names no column',
        'on="id"',
    ),
    "join on something else": (
        lambda: (s := start()).then(clean).join(s, on=[1]),
        'on=[1] of "join" names no',
        'on="id"',
    ),
    "join with nothing": (
        lambda: start().join(on="id"),
        '"join" joins one flow with nothing',
        ".join(other_flow, on=…)",
    ),
    "function without an item": (
        lambda: start().filter(no_item),
        '"no_item" takes no item',
        "give it a first parameter",
    ),
    "batch for map": (
        lambda: start().map(batch),
        '"batch" takes list[Order], but .map() gives it one item',
        ".aggregate()",
    ),
    "item for aggregate": (
        lambda: start().aggregate(one),
        '"one" takes one Order, but .aggregate() gives',
        "list[Order]",
    ),
    "list from aggregate": (
        lambda: start().aggregate(lambda_returning_list),
        "gives many items, but .aggregate() makes one",
        "make it a node",
    ),
    "list from map": (lambda: start().map(many), '"many" gives many items, but .map() makes one', "use .split(many)"),
    "one from split": (lambda: start().split(one), '"one" gives one Order, but .split() makes many', "list[Order]"),
    "ports from map": (lambda: start().map(ports), '"ports" gives several ports, and .map() has one', "make it a node"),
    "nothing from map": (lambda: start().map(none), '"none" returns nothing, and .map() needs', ".tap(none)"),
    "nothing said from filter": (
        lambda: start().filter(silent),
        '"silent" returns nothing, and .filter() needs',
        "return a",
    ),
    "parse as a list": (lambda: start().parse(list[Order]), ".parse() reads one item at a time", ".parse(Order)"),
    "parse as bare list": (lambda: start().parse(list), ".parse() reads one item at a time", ".parse("),
    "parse as no type": (lambda: start().parse(Handle), ".parse() cannot read items as Handle", "Unable to generate"),
    "parse as a model that is not complete": (
        lambda: start().parse(Incomplete),
        ".parse() cannot read items as Incomplete",
        "'Nowhere' is not defined",
    ),
    "argument of a model that is not complete": (
        lambda: start().then(incomplete, given={}),
        'given: Incomplete of "incomplete" cannot be checked',
        "not fully defined",
    ),
    "list of lists": (lambda: start().then(nested), '"nested" returns a list of lists', "each becomes an item"),
    "tuple returned": (lambda: start().then(tupled), '"tupled" returns a tuple', "return a model"),
    "tuple taken": (lambda: start().then(takes_tuple), '"takes_tuple" takes a tuple', "annotate order as"),
    "tuples taken": (
        lambda: start().then(takes_tuples),
        '"takes_tuples" takes items that are a tuple',
        "annotate orders",
    ),
    "set taken": (lambda: start().then(takes_set), '"takes_set" takes a set', "annotate orders"),
    "array taken": (lambda: start().then(takes_array), '"takes_array" takes a bare array', "annotate order"),
    "C array taken": (lambda: start().then(takes_c_array), '"takes_c_array" takes a bare array', "annotate order"),
    "lists taken": (lambda: start().then(takes_lists), '"takes_lists" takes a list of lists', "annotate orders"),
    "async stream taken": (lambda: start().then(takes_async), "takes an asynchronous stream", "annotate orders"),
    "one or many taken": (
        lambda: start().then(takes_either),
        "takes Order | list[Order]: either one",
        "annotate orders",
    ),
    "unknown annotation": (
        lambda: start().then(unknown_type, amount=1),
        '"unknown_type" has annotations that name Decimal, which does not exist',
        "not under TYPE_CHECKING",
    ),
    "broken annotation": (
        lambda: start().then(broken_annotation),
        '"broken_annotation" has annotations that cannot be read',
        "AttributeError",
    ),
    "stream of ports": (
        lambda: start().then(many_checked),
        '"many_checked" returns many Checked',
        "return one Checked whose fields hold lists",
    ),
    "no ports": (
        lambda: start().then(portless),
        '"portless" returns Portless, which declares no port',
        "class Checked",
    ),
    "by position only": (
        lambda: start().then(by_position),
        '"by_position" takes limit by position only',
        "remove the /",
    ),
    "output called main": (
        lambda: start().also(lambda f: f.then(clean, id="main")).then(clean),
        '"main" is no output of the workflow, and would be taken for it',
        'id="main_…"',
    ),
}


def lambda_returning_list(orders: list[Order]) -> list[Order]:
    return orders


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_once_with_its_way_out(name: str) -> None:
    write, what, way_out = MISTAKES[name]
    with pytest.raises(cm.AuthorError) as caught:
        write().build()
    assert len(caught.value.mistakes) == 1, str(caught.value)
    mistake = caught.value.mistakes[0]
    assert what in mistake.what
    assert way_out in mistake.way_out
    assert mistake.place.file.endswith("test_mistakes_of_flows.py")

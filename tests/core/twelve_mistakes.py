"""A workflow with twelve mistakes; imported by the test that reads what is said about them."""

from typing import Any, Literal

import polars as pl
from pydantic import BaseModel

import codemation as cm


class Params(cm.Params):
    month: int = 1


class Order(BaseModel):
    id: str


class Flight(BaseModel):
    carrier: str


class Checked(cm.Ports):
    valid: Order = cm.port()
    rejected: Order = cm.port()


@cm.node
def clean(order: Order, limit: int) -> Order:
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
def nested(order: Order) -> list[list[Order]]:
    return [[order]]


def country(order: Order) -> Literal["DE", "US"]:
    return "DE"


def bad() -> Any:
    """The flow, without types, as a checker would not let it pass."""
    start: Any = cm.workflow("orders.bad", input=Order)
    return (
        start.then(load)
        .then(clean)
        .then(clean, limit="many")
        .then(clean, limt=3, limit=3, id="clean3")
        .then(by_flight)
        .parse(Order)
        .switch(country, {"DE": archive, "UK": archive}, default=lambda o: o.map(lambda x: x, id="kept"))
        .then(check)
        .then(clean, limit=1, id="clean4")
        .then(archive)
        .then(nested)
    )

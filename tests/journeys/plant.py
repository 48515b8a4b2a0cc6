"""The workflow that the journeys run: a source, items with progress, branches side by side, a retry, a report."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel

import codemation as cm
from tests.journeys.deaths import meet
from tests.journeys.ledger import note, place


class Work(cm.Params):
    """What a run of the plant is asked for."""

    ledger: Path
    """Where the effects go."""
    size: int = 4
    pace: float = 0.0
    """Seconds that each call takes."""
    brake: Path = Path("/nonexistent")
    """While this file is there, no call comes to its end, apart from the first `lift` ones."""
    lift: int = 0
    doom: Path = Path("/nonexistent")
    """While this file is there, `send` kills its process."""
    fate: Path = Path("/nonexistent")
    """How the process of the next call dies; whoever finds this file takes it away."""
    deaf: bool = False
    """Whether calls take no notice of a cancel."""
    nested: bool = False
    """Whether each piece is pressed by a run of its own."""
    sharded: bool = False
    """Whether the pieces are pressed in shards."""


class Piece(BaseModel):
    """What goes through the plant."""

    number: int
    pressed: bool = False


class Tally(BaseModel):
    """What a branch says of all pieces."""

    value: int


class Report(BaseModel):
    """What comes out."""

    weight: int
    number: int
    sent: bool = False


class Hiccup(Exception):
    """What a first try of `send` meets."""


def labour(params: Work, context: cm.Context) -> None:
    """Leave a trace, then take the time that the work takes, unless the run stops."""
    effect = note(params.ledger, context)
    over = time.monotonic() + params.pace
    lifted = bool(params.lift) and place(params.ledger, effect) <= params.lift
    while time.monotonic() < over or (not lifted and params.brake.exists()):
        if context.cancelled and not params.deaf:
            return
        meet(params.fate)
        time.sleep(0.01)


@cm.node
def gather(params: Work, ctx: cm.Context) -> list[Piece]:
    labour(params, ctx)
    return [Piece(number=number) for number in range(params.size)]


@cm.node(concurrency=2)
def press(piece: Piece, params: Work, ctx: cm.Context) -> Piece:
    labour(params, ctx)
    return Piece(number=piece.number, pressed=True)


@cm.node
def weigh(pieces: list[Piece], params: Work, ctx: cm.Context) -> Tally:
    labour(params, ctx)
    return Tally(value=sum(piece.number for piece in pieces if piece.pressed))


@cm.node
def count(pieces: list[Piece], params: Work, ctx: cm.Context) -> Tally:
    labour(params, ctx)
    return Tally(value=len(pieces))


@cm.node
def combine(weight: Tally, number: Tally, params: Work, ctx: cm.Context) -> Report:
    labour(params, ctx)
    return Report(weight=weight.value, number=number.value)


@cm.node(retry=cm.Retry(3, backoff="fixed", delay="20ms"))
def send(report: list[Report], params: Work, ctx: cm.Context) -> Report:
    labour(params, ctx)
    if params.doom.exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if ctx.attempt == 1:
        raise Hiccup("the line was busy")
    return report[0].model_copy(update={"sent": True})


def built(name: str, press: cm.Node[Piece, Piece]) -> cm.Workflow:
    """The plant, with this press."""
    flow = cm.workflow(name, params=Work).then(gather).then(press)
    return flow.parallel(weight=weigh, number=count).into(combine).then(send).build()


plant = built("journeys.plant", press)
plant_in_shards = built("journeys.plant_in_shards", press.options(shards=4))


pressing = cm.workflow("journeys.pressing", input=Piece, params=Work).then(press).build()

nested = (
    cm.workflow("journeys.nested", params=Work)
    .then(gather)
    .subworkflow(pressing, per="item", **{name: getattr(Work, name) for name in Work.model_fields})
    .parallel(weight=weigh, number=count)
    .into(combine)
    .then(send)
    .build()
)


def flow_of(work: Work) -> cm.Workflow[Report, ...]:
    """The workflow that does this work."""
    return nested if work.nested else plant_in_shards if work.sharded else plant


@cm.node(retry=cm.Retry(2, backoff="fixed", delay="1h"))
def never(params: Work, ctx: cm.Context) -> None:
    labour(params, ctx)
    raise Hiccup("not today")


patient = cm.workflow("journeys.patient", params=Work).then(never).build()


def expected(size: int) -> Report:
    """The right answer."""
    return Report(weight=sum(range(size)), number=size, sent=True)

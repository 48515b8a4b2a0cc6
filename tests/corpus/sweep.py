"""5. Parameter sweep on a GPU queue: fan-out, broadcast, resource, best-of."""

# pyright: strict

from collections.abc import Iterator
from typing import Annotated, Any

import polars as pl
from pydantic import BaseModel

import codemation as cm
from tests.corpus.deeds import Deeds


class Params(cm.Params):
    depths: list[int] = [4, 6, 8]


class Trial(BaseModel):
    depth: int
    rate: float


class Score(BaseModel):
    trial: Trial
    auc: float


OPENED = Deeds("sweep-opened")
PUBLISHED = Deeds("sweep-published")


def open_gpu(memory: str = "8GB") -> Iterator[Any]:
    OPENED.append(memory)
    yield object()


@cm.node
def features(params: Params) -> pl.DataFrame:
    return pl.DataFrame({"x": [1.0, 2.0, 3.0]})


@cm.node
def trials(params: Params) -> Iterator[Trial]:
    for depth in params.depths:
        yield Trial(depth=depth, rate=0.1)


@cm.node(queue="gpu", pool="gpu", shard_size=1, timeout="2h", retry=cm.Retry(2))
def train(
    trial: Trial, data: pl.DataFrame, gpu: Annotated[Any, cm.use(open_gpu, memory="16GB")], ctx: cm.Context
) -> Score:
    ctx.log.info("trained on %s", gpu)
    return Score(trial=trial, auc=1 / (1 + abs(trial.depth - data.height * 2)))


def best(scores: list[Score]) -> Score:
    return max(scores, key=lambda s: s.auc)


@cm.node
def publish(score: Score) -> None:
    PUBLISHED.append(str(score.trial.depth))


@cm.workflow("models.sweep", params=Params, max_parallel=16)
def sweep(start: cm.Flow) -> cm.Flow:
    data = start.then(features)
    return start.then(trials).then(train, data=data).aggregate(best).tap(publish)

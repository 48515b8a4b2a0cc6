"""Fan-out, broadcast and the best of all: the parameter sweep, with documents that carry attachments beside it."""

# pyright: strict

from collections.abc import Iterator

import codemation as cm
import polars as pl
from pydantic import BaseModel
from typing_extensions import assert_type


class Params(cm.Params):
    depths: list[int] = [4, 6, 8]


class Trial(BaseModel):
    depth: int
    rate: float


class Score(BaseModel):
    trial: Trial
    auc: float


@cm.node
def features(params: Params) -> pl.DataFrame: ...


@cm.node
def trials(params: Params) -> Iterator[Trial]: ...


@cm.node(queue="gpu", pool="gpu", shard_size=1, timeout="2h", retry=cm.Retry(2))
def train(trial: Trial, data: pl.DataFrame, ctx: cm.Context) -> Score: ...


def best(scores: list[Score]) -> Score:
    return max(scores, key=lambda score: score.auc)


@cm.node
def publish(score: Score) -> None: ...


@cm.workflow("models.sweep", params=Params, max_parallel=16)
def sweep(start: cm.Flow) -> cm.Flow[Score]:
    data = start.then(features)
    return start.then(trials).then(train, data=data).aggregate(best).tap(publish)


def results() -> None:
    assert_type(sweep.run(depths=[3])[train].items, list[Score])


class Mail(BaseModel):
    subject: str


class Doc(BaseModel):
    name: str


class Text(BaseModel):
    name: str
    confidence: float


@cm.node(keep_attachments=True)
def each_attachment(mail: cm.Item[Mail]) -> Iterator[cm.Item[Doc]]:
    for name, file in mail.attachments.items():
        yield cm.Item(Doc(name=name), {"file": file})


@cm.node(queue="cpu", shards=8)
def read_text(doc: cm.Item[Doc]) -> Text: ...


def is_clear(text: Text) -> bool:
    return text.confidence > 0.9


@cm.node
def corrected(text: Text) -> Text | None: ...


@cm.node
def index(texts: list[Text]) -> None: ...


documents = (
    cm.workflow("mail.documents", input=Mail)
    .then(each_attachment)
    .then(read_text, on_error="port")
    .branch(is_clear, no=corrected)
    .then(index)
    .build()
)

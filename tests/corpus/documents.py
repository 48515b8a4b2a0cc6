"""8. Documents with attachments, OCR on workers, human correction."""

# pyright: strict

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel

import codemation as cm
from tests.corpus.deeds import Deeds


class Mail(BaseModel):
    subject: str


class Doc(BaseModel):
    name: str


class Text(BaseModel):
    name: str
    text: str
    confidence: float


INDEXED = Deeds("documents")
"""What the workflow has done to the world."""


def ocr_engine() -> Iterator[Any]:
    yield object()


@cm.node(keep_attachments=True)
def each_attachment(mail: cm.Item[Mail]) -> Iterator[cm.Item[Doc]]:
    for name, file in mail.attachments.items():
        yield cm.Item(Doc(name=name), {"file": file})


@cm.node(queue="cpu", shards=8)
def read_text(doc: cm.Item[Doc], ocr: Annotated[Any, cm.use(ocr_engine)]) -> Text:
    text = doc.attachments["file"].read().decode()
    return Text(name=doc.value.name, text=text, confidence=1.0 if text.isalpha() else 0.1)


def is_clear(text: Text) -> bool:
    return text.confidence > 0.9


class Correction(BaseModel):
    text: str


@cm.node
def corrected(d: cm.Decided[Text, Correction]) -> Text:
    return d.item.model_copy(update={"text": d.decision.text, "confidence": 1.0})


@cm.node
def index(texts: list[Text]) -> None:
    INDEXED.extend(text.text for text in texts)


documents = (
    cm.workflow("mail.documents", input=Mail)
    .on(cm.webhook("/mail", max_size="25MB"))
    .then(each_attachment)
    .then(read_text, on_error="port")
    .branch(
        is_clear,
        no=lambda unclear: unclear.approve(Correction, title="Correct the text", per="item").then(corrected),
    )
    .then(index)
    .build()
)

"""Items, attachments and the context that a node is given."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

import codemation as cm
from codemation.core.items import Attachment, Item


class Shelf:
    """Streams by name."""

    def open(self, blob: str) -> io.BytesIO:
        """A stream that holds its own name."""
        return io.BytesIO(blob.encode())


FILE = Attachment(blob="b1", size=2, sha256="00")


def test_an_attachment_of_a_run_can_be_read_and_one_made_by_hand_says_why_not() -> None:
    assert Attachment(blob="b1", size=2, sha256="00", source=Shelf()).read() == b"b1"
    with pytest.raises(RuntimeError, match="this attachment belongs to no run"):
        FILE.open()


def test_items_are_equal_by_what_they_hold_and_not_by_their_place() -> None:
    assert Item(1, {"f": FILE}, key="a:0", origins=(3,)) == Item(1, {"f": FILE})
    assert Item(1) != Item(2)


def test_a_context_made_by_hand_serves_a_direct_call() -> None:
    context = cm.Context(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC), attempt=2)
    context.progress(1, 2)
    assert not context.cancelled
    assert (context.now().year, context.attempt) == (2026, 2)
    with pytest.raises(RuntimeError, match="this context belongs to no run"):
        context.attach("f", io.BytesIO(b"x"))
    with pytest.raises(RuntimeError, match="this context belongs to no run"):
        context.respond("thanks")
    answers: list[object] = []
    cm.Context(answer=answers.append).respond("thanks")
    assert answers == ["thanks"]


def test_a_context_passes_on_what_it_is_told() -> None:
    told: list[tuple[int, int | None]] = []
    context = cm.Context(
        store=lambda stream, mime: Attachment(blob=stream.read().decode(), size=1, sha256="", mime=mime),
        stopping=lambda: True,
        report=lambda done, total: told.append((done, total)),
    )
    context.progress(1)
    attachment = context.attach("f", io.BytesIO(b"x"), "text/plain")
    assert context.attachments == {"f": attachment}
    assert (told, context.cancelled, cm.Context().now().tzinfo is not None) == ([(1, None)], True, True)

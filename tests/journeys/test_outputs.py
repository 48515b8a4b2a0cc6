"""Fault 19: whatever a node gives is stored exactly, or refused at the node with a clear error; never half a record."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pytest

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.core.launch import Launch
from codemation.core.workflow import Workflow
from codemation.host.app import App
from tests.journeys.world import World

MEGABYTES = 64


def looped() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = [value]
    return value


def deep() -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(100_000):
        value = {"in": value}
    return value


STORED: dict[str, Callable[[], list[Any]]] = {
    "ten megabytes": lambda: ["ä" * 5_000_000, b"\xff" * 10_000_000],
    "infinities and zeros": lambda: [math.inf, -math.inf, 0.0, -0.0, 5e-324],
    "bytes": lambda: [b"", bytes(range(256)), {"in": b"\x00"}],
    "halves of surrogates and nulls": lambda: ["\ud800", "a\udfffb", "\0", {"\ud800": "\0"}],
    "nothing": lambda: [None, {"of": [None, []]}, "", {}],
    "huge numbers": lambda: [2**64, -(2**63), 10**6000, {"in": -(10**5000)}],
    "keys of any kind": lambda: [{1: "a", None: "b", False: "c", "1": "d"}],
}
REFUSED: dict[str, tuple[Callable[[], list[Any]], str]] = {
    "a lock": (lambda: [1, threading.Lock()], r"item 1: value: a lock object cannot be stored"),
    "a function": (lambda: [{"call": [print]}], r"item 0: value\['call'\]\[0\]: .* cannot be stored"),
    "itself": (lambda: [looped()], r"item 0: .*cycle cannot be stored"),
    "an endless depth": (lambda: [deep()], r"item 0: .*(deep|nest|levels)"),
    "a list in a list": (lambda: [[1, 2]], r"an item is never a list"),
}


def giving(made: Callable[[], list[Any]]) -> Workflow[Any, ...]:
    """A workflow whose node gives this, and whose next one gives it back."""

    @cm.node
    def give() -> list[object]:
        return made()

    @cm.node
    def take(items: list[object]) -> list[object]:
        return items

    return cm.workflow("journeys.outputs").then(give).then(take).build()


def elsewhere(town: World, run: Any) -> list[Any]:
    """What a process that has seen nothing of a run reads of its last node."""
    with town.open() as other:
        return list(other.attach(run)["take"].items)


@pytest.mark.parametrize("name", STORED)
def test_what_can_be_stored_comes_back_exactly(town: World, app: App, name: str) -> None:
    handle = app.launch(Launch(workflow=giving(STORED[name])))
    handle.wait()
    given, back = STORED[name](), elsewhere(town, handle.id)
    assert given == back
    assert [type(one) for one in given] == [type(one) for one in back]


def test_what_is_no_number_comes_back_as_no_number(town: World, app: App) -> None:
    handle = app.launch(Launch(workflow=giving(lambda: [math.nan, {"in": [math.nan, -0.0]}])))
    handle.wait()
    first, second = elsewhere(town, handle.id)
    assert math.isnan(first)
    assert math.isnan(second["in"][0])
    assert math.copysign(1, second["in"][1]) == -1


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_stored_fails_its_node_and_says_where_it_is(app: App, name: str) -> None:
    made, said = REFUSED[name]
    handle = app.launch(Launch(workflow=giving(made)))
    with pytest.raises(RunFailed, match=said) as failed:
        handle.wait()
    assert f'run {handle.id} of "journeys.outputs" failed at "give"' in str(failed.value)
    assert "→" in failed.value.message, "the way out"
    assert (handle["give"].status, handle["take"].status) == ("failed", "pending")
    assert app.stores.runs.unattended() == ()
    with pytest.raises(RunFailed, match=said):  # it can be tried again, and nothing of the first try is in the way
        app.resume(handle.id, giving(made)).wait()


@cm.node
def wide() -> pa.Table:
    rows = MEGABYTES * 1024 * 1024 // 8
    return pa.table({"number": pa.array(range(rows), pa.int64())})


@cm.node
def narrow(table: pa.Table) -> pa.Table:
    return table.slice(table.num_rows - 3)


def test_a_large_table_goes_from_node_to_node_and_back(town: World, app: App) -> None:
    handle = app.launch(Launch(workflow=cm.workflow("journeys.table").then(wide).then(narrow).build()))
    handle.wait()
    with town.open() as other:
        reread = other.attach(handle.id)
        assert reread["wide"].count == MEGABYTES * 1024 * 1024 // 8
        assert pa.table(reread["narrow"].frame).column("number").to_pylist()[-1] == reread["wide"].count - 1


class Endless(io.RawIOBase):
    """A stream of so many megabytes that is never held in memory."""

    def __init__(self, megabytes: int) -> None:
        self._left = megabytes * 1024 * 1024
        self.digest = sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._left)
        piece = (b"0123456789abcdef" * (size // 16 + 1))[:size]
        buffer[:size] = piece
        self.digest.update(piece)
        self._left -= size
        return size


@cm.node
def film(ctx: cm.Context) -> list[str]:
    stream = Endless(MEGABYTES)
    ctx.attach("film", stream)  # type: ignore[arg-type]  # a raw stream reads like any other
    return [stream.digest.hexdigest()]


@cm.node
def seen(reel: cm.Item[str]) -> bool:
    digest, file = sha256(), reel.attachments["film"]
    with file.open() as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest() == reel.value and file.size == MEGABYTES * 1024 * 1024


@pytest.mark.parametrize("payloads", ["postgres", "directory"])
def test_a_large_attachment_goes_from_node_to_node_as_a_stream(town: World, payloads: str) -> None:
    with town.open(payloads=payloads, payload_directory=town.root / "files") as app:
        handle = app.launch(Launch(workflow=cm.workflow("journeys.film").then(film).then(seen).build()))
        handle.wait()
        assert handle["seen"].items == [True]


def test_content_that_was_stored_elsewhere_before_is_stored_where_it_is_looked_for_now(world: World) -> None:
    wanted = giving(lambda: [b"7" * 3_000_000])
    places: list[dict[str, Any]] = [
        {"payloads": "directory", "payload_directory": world.root / "first"},
        {"payloads": "directory", "payload_directory": world.root / "second"},
        {"payloads": "postgres"},
        {"payloads": "directory", "payload_directory": world.root / "third"},
    ]
    for place in places:
        with world.open(**place) as app:
            handle = app.launch(Launch(workflow=wanted))
            handle.wait()
        with world.open(**place) as app:
            assert app.attach(handle.id)["take"].items == [b"7" * 3_000_000]

"""What a per-item node has finished while it is still under way, as the content of a `Chunk`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from codemation.core.items import Attachment, Item
from codemation.core.outputs import Emitted
from codemation.core.sealed import sealed
from codemation.core.values import pack, unpack


@sealed
class Finished:
    """One item that is done: what it gave, and whether it failed (and was dropped or sent to the `error` port)."""

    position: int
    emitted: tuple[Emitted, ...]
    failed: bool = False


def encode_finished(finished: Iterable[Finished]) -> bytes:
    """The bytes of finished items.

    Raises:
        Unstorable: a value cannot be stored.
    """
    rows: list[list[Any]] = []
    values: list[Any] = []
    for one in finished:
        given = []
        for port, item in one.emitted:
            values.append(item.value)
            given.append(
                [port, item.key, item.origins, _files(item)] if item.attachments else [port, item.key, item.origins]
            )
        rows.append([one.position, int(one.failed), *given])
    return json.dumps(rows, separators=(",", ":")).encode() + b"\n" + pack(values)


def _files(item: Item[Any]) -> dict[str, list[Any]]:
    return {name: [file.blob, file.size, file.sha256, file.mime] for name, file in item.attachments.items()}


def decode_finished(data: bytes) -> list[Finished]:
    """The items that `encode_finished` wrote."""
    line, _, body = bytes(data).partition(b"\n")
    values = iter(unpack(body))
    return [
        Finished(
            position=position,
            failed=bool(failed),
            emitted=tuple((port, _item(next(values), key, origins, files)) for port, key, origins, *files in given),
        )
        for position, failed, *given in json.loads(line)
    ]


def _item(value: object, key: str, origins: list[int], files: list[Mapping[str, list[Any]]]) -> Item[Any]:
    named = files[0] if files else {}
    attachments = {
        name: Attachment(blob=blob, size=size, sha256=sha256, mime=mime)
        for name, (blob, size, sha256, mime) in named.items()
    }
    return Item(value, attachments, key=key, origins=tuple(origins))

"""A folder of pins: one file of typed JSON lines or Arrow for each node and port, and where each comes from.

`<node>.jsonl` holds an item a line, `<node>.arrow` a table, `<node>@<port>` what another port than the main one gives.
People may write JSON lines by hand; `provenance.json` says of the others who made them, when, and from what.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codemation.core.errors import ContractError, HostError, InputError, PayloadLost
from codemation.core.payload import decode_items
from codemation.core.pins import Pin, Provenance, pin_key
from codemation.core.values import decode, encode

PROVENANCE = "provenance.json"
_KINDS = {".jsonl": "items", ".arrow": "table"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PinFile:
    """One file of a folder."""

    key: str
    provenance: Provenance
    values: tuple[Any, ...] = ()
    table: bytes | None = field(default=None, repr=False)
    count: int

    @property
    def kind(self) -> str:
        """Whether it holds items or a table."""
        return "items" if self.table is None else "table"


def write(folder: Path, pins: Iterable[Pin]) -> Path:
    """Write pins into a folder, which is made if need be; those of the same names are replaced, all others stay.

    Raises:
        InputError: an item has attachments, which are no part of a file.
        HostError: the folder cannot be written.
    """
    contents: dict[str, bytes] = {}
    known = {} if not (folder / PROVENANCE).exists() else _provenances(folder)
    for pin in pins:
        for port, held in pin.ports.items():
            key = pin_key(pin.node, port)
            suffix = ".arrow" if held.kind == "table" else ".jsonl"
            contents[key + suffix] = held.data if held.kind == "table" else _lines(key, held.data)
            known[key] = {**asdict(pin.provenance), "kind": held.kind, "count": held.count}
    contents[PROVENANCE] = _written(known)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            _replace(folder / name, data)
        for name in contents:  # a node that gave items before may give a table now
            other = (Path(name).suffix == ".arrow" and ".jsonl") or ".arrow"
            if Path(name).suffix in _KINDS:
                (folder / name).with_suffix(other).unlink(missing_ok=True)
    except OSError as error:
        raise HostError(f"the pins cannot be written to {folder}: {error.strerror or error}") from error
    return folder


def read(folder: Path) -> Iterator[PinFile]:
    """Every pin of a folder.

    Raises:
        InputError: the folder is not there, or a file cannot be read as what it is called.
    """
    if not folder.is_dir():
        raise InputError(
            f"there is no folder of pins at {folder}",
            way_out="codemation pins save RUN FOLDER, or session.save_pins(folder), writes one",
        )
    known = _provenances(folder) if (folder / PROVENANCE).exists() else {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in _KINDS:
            continue
        key = path.name.removesuffix(path.suffix)
        said = known.get(key, {})
        origin = Provenance(
            by=said.get("by", ""), at=said.get("at", ""), origin=said.get("origin") or f"file {path.name}"
        )
        data = path.read_bytes()
        if path.suffix == ".arrow":
            yield PinFile(key=key, provenance=origin, table=data, count=_rows_of(path, data))
        else:
            values = tuple(_values(path, data))
            yield PinFile(key=key, provenance=origin, values=values, count=len(values))


def holds_pins(folder: Path) -> bool:
    """Whether any file of a folder is a pin."""
    return any(path.suffix in _KINDS for path in folder.iterdir())


def remove(folder: Path, keys: Iterable[str]) -> None:
    """Remove pins by their names, and the folder when nothing is left in it.

    Raises:
        HostError: the folder cannot be written.
    """
    known = _provenances(folder) if (folder / PROVENANCE).exists() else {}
    try:
        for key in keys:
            known.pop(key, None)
            for suffix in _KINDS:
                (folder / f"{key}{suffix}").unlink(missing_ok=True)
        if known:
            _replace(folder / PROVENANCE, _written(known))
        else:
            (folder / PROVENANCE).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise HostError(f"the pins in {folder} cannot be removed: {error.strerror or error}") from error


def _lines(key: str, data: bytes) -> bytes:
    items = decode_items(data)
    if items.attachments:
        raise InputError(
            f'items of the pin "{key}" have attachments, which cannot be saved', way_out="pin a node before"
        )
    return b"".join(json.dumps(encode(value), separators=(",", ":")).encode() + b"\n" for value in items.values)


def _values(path: Path, data: bytes) -> Iterator[Any]:
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield decode(json.loads(line))
        except (ValueError, ContractError, PayloadLost) as error:
            raise InputError(f"{path}, line {number} is no item: {error}") from error


def _rows_of(path: Path, data: bytes) -> int:
    from codemation.host.tables import ArrowTables  # noqa: PLC0415 - pyarrow comes with the first table

    try:
        return ArrowTables().concat([data]).count
    except PayloadLost as error:
        raise InputError(f"{path.name} is no Arrow stream: {error.message}") from error


def _provenances(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        said = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / PROVENANCE} cannot be read: {error}", way_out="remove it") from error
    return said if isinstance(said, dict) else {}


def _written(provenances: dict[str, dict[str, Any]]) -> bytes:
    return json.dumps(provenances, indent=2, sort_keys=True).encode() + b"\n"


def _replace(path: Path, data: bytes) -> None:
    """Nobody sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)

"""Pins: from values, runs and folders to what a run stores, checked against what each node may give."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from codemation.core.definition import NodeKind
from codemation.core.errors import ContractError, InputError
from codemation.core.ids import ERROR, MAIN, NodeId, RunId
from codemation.core.inputs import adapter
from codemation.core.items import EMPTY, Batch
from codemation.core.mistakes import listed, meant
from codemation.core.payload import StoredItems, encode_items
from codemation.core.pins import Pin, PinnedData, Provenance, pin_key, split_key
from codemation.core.signature import Result, Shape
from codemation.core.standing import Pinned
from codemation.core.tables import Tables, is_table
from codemation.core.values import Unstorable
from codemation.core.workflow import Workflow
from codemation.host import pin_files
from codemation.host.config import Config

if TYPE_CHECKING:
    from codemation.core.engine import Engine

_PASSES_ON = (NodeKind.FILTER, NodeKind.TAP, NodeKind.BRANCH, NodeKind.SWITCH)
BY_HAND = "by hand"


def pins_of(given: Any, workflow: Workflow[Any, ...], tables: Tables) -> dict[NodeId, Pin]:
    """The pins that were given: by node, as values, tables or pins, or in a folder.

    Raises:
        InputError: a node or port is not there, or a value is none that the node may give.
    """
    if given is None:
        return {}
    if isinstance(given, str | Path):
        return _from_folder(Path(given), workflow, tables)
    found: dict[NodeId, Pin] = {}
    for key, value in given.items():
        _add(found, made(workflow, key, value, tables, provenance()))
    return found


def pins_within(folder: Path, workflow: Workflow[Any, ...], tables: Tables) -> dict[NodeId, Pin]:
    """The pins of a folder for nodes that the workflow has; others are of other workflows.

    Raises:
        InputError: the folder is not there, or a value is none that the node may give.
    """
    return _from_folder(folder, workflow, tables, strict=False)


def made(workflow: Workflow[Any, ...], key: str, value: Any, tables: Tables, source: Provenance) -> Pin:
    """A pin of one value, table, or other pin.

    Raises:
        InputError: the workflow has no such node or port.
        ContractError: the node could not give this.
    """
    node, port = _place(workflow, key)
    if isinstance(value, Pin):
        for name in value.ports:
            _place(workflow, pin_key(node, name))
        return replace(value, node=node)
    data = _data(workflow, node, port, value, tables)
    return Pin(node=node, ports={port: data}, provenance=source)


def provenance(origin: str = BY_HAND) -> Provenance:
    """That of a pin which is made now."""
    return Provenance(by=_user(), at=datetime.now(UTC).isoformat(timespec="seconds"), origin=origin)


def stored(engine: Engine, run: RunId, pins: Iterable[Pin]) -> tuple[Pinned, ...]:
    """The pins as a run has them, each with what it holds stored."""

    def put(data: PinnedData) -> Batch:
        if not data.count and data.kind == "items":
            return EMPTY
        return engine.persist(engine.stores.payloads.put, run, data.data, data.count, data.kind)

    return tuple(
        Pinned(
            node=pin.node,
            outputs={port: put(data) for port, data in pin.ports.items()},
            by=pin.provenance.by,
            at=pin.provenance.at,
            origin=pin.provenance.origin,
        )
        for pin in pins
    )


def read(pin: Pinned, fetch: Callable[[Batch], bytes]) -> Pin:
    """The pin of a run as a value."""
    ports = {
        port: PinnedData(data=fetch(batch) if batch.size else NO_ITEMS, count=batch.count, kind=batch.kind)
        for port, batch in pin.outputs.items()
    }
    return Pin(node=pin.node, ports=ports, provenance=Provenance(by=pin.by, at=pin.at, origin=pin.origin))


def check_allowed(config: Config, workflow: str, nodes: Iterable[NodeId]) -> None:
    """Refuse pins where things count, unless they are allowed by name.

    Raises:
        InputError: some are not.
    """
    if not config.production:
        return
    refused = [f"{workflow}/{node}" for node in nodes if f"{workflow}/{node}" not in config.allow_pins]
    if refused:
        raise InputError(
            f"this is production, where nothing is pinned: {', '.join(refused)}",
            way_out=f"leave the pins out, or allow them by name: allow_pins = {refused}",
        )


def _add(found: dict[NodeId, Pin], pin: Pin) -> None:
    known = found.get(pin.node)
    found[pin.node] = pin if known is None else replace(known, ports={**known.ports, **pin.ports})


def _from_folder(
    folder: Path, workflow: Workflow[Any, ...], tables: Tables, *, strict: bool = True
) -> dict[NodeId, Pin]:
    found: dict[NodeId, Pin] = {}
    for file in pin_files.read(folder):
        if not strict and split_key(file.key)[0] not in workflow.nodes:
            continue
        if file.table is not None:
            node, port = _place(workflow, file.key)
            data = PinnedData(data=file.table, count=file.count, kind="table")
            rows = _wants_rows(workflow, node, port)
            if rows:  # a table stands where the node gives items: each row is checked
                data = _data(workflow, node, port, tables.rows(file.table), tables)
            pin = Pin(node=node, ports={port: data}, provenance=file.provenance)
        else:
            pin = made(workflow, file.key, list(file.values), tables, file.provenance)
        _add(found, pin)
    return found


def _place(workflow: Workflow[Any, ...], key: str) -> tuple[NodeId, str]:
    node, port = split_key(key)
    if node not in workflow.nodes:
        known = list(workflow.nodes)
        raise InputError(
            f'"{workflow.id}" has no node {node!r} that could be pinned',
            way_out=meant(node, known, f"it has {listed(known)}"),
        )
    ports = workflow.nodes[node].ports
    leading = [one for one in ports if one != ERROR]
    if port is None and len(leading) != 1:
        ways = " or ".join(f'"{node}@{one}"' for one in leading)
        raise InputError(f'"{node}" gives to {len(leading)} ports, and none was named', way_out=ways)
    port = leading[0] if port is None else port
    if port not in ports:
        raise InputError(f'"{node}" has no port {port!r}', way_out=meant(port, ports, f"it has {listed(ports)}"))
    return node, port


def _data(workflow: Workflow[Any, ...], node: NodeId, port: str, value: Any, tables: Tables) -> PinnedData:
    """The value as it is stored.

    Raises:
        ContractError: it does not fit what the node gives, or cannot be stored.
    """
    result = _result(workflow, node, port)
    gives_items = result is not None and result.shape is not Shape.TABLE
    try:
        if is_table(value):
            packed = tables.pack(value)
            if not gives_items or result is None or result.item_type in (Any, dict):
                return PinnedData(data=bytes(packed.data), count=packed.count, kind="table")
            value = tables.rows(packed.data)
        values = list(value) if isinstance(value, list | tuple) else [value]
        if result is not None and result.shape is Shape.TABLE:
            packed = tables.from_rows(values)
            return PinnedData(data=bytes(packed.data), count=packed.count, kind="table")
        checked = _checked(node, port, values, result)
        data = encode_items(StoredItems(values=checked, scope=node))
    except Unstorable as error:
        raise ContractError(f'the pin of "{node}" cannot be stored: {error.message}', way_out=error.way_out) from None
    return PinnedData(data=data, count=len(checked), kind="items")


def _checked(node: NodeId, port: str, values: list[Any], result: Result | None) -> list[Any]:
    if result is None:
        return values
    check = adapter(result.item_type).validator.validate_python
    checked = []
    for at, value in enumerate(values):
        try:
            checked.append(check(value))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = "".join(f".{part}" if isinstance(part, str) else f"[{part}]" for part in first["loc"])
            where = f'item {at}{place} of the pin "{pin_key(node, port)}"'
            way_out = f'pin what "{node}" could give'
            raise ContractError(f"{where} does not fit: {first['msg']}", way_out=way_out) from None
    return checked


def _result(workflow: Workflow[Any, ...], node: NodeId, port: str) -> Result | None:
    """What the code of the node says that it gives to the port; `None` where it says nothing."""
    code = workflow.code.get(node)
    if code is None or port == ERROR or workflow.nodes[node].kind in _PASSES_ON:
        return None
    result = code.signature.result
    if result.shape is Shape.NOTHING:
        raise InputError(f'"{node}" gives nothing, so there is nothing to pin', way_out="pin a node before it")
    return result.ports.get(port) if result.shape is Shape.PORTS else result


def _wants_rows(workflow: Workflow[Any, ...], node: NodeId, port: str) -> bool:
    result = _result(workflow, node, port)
    return result is not None and result.shape is not Shape.TABLE and result.item_type not in (Any, dict)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a process without a user of its own
        return ""


NO_ITEMS = encode_items(StoredItems(values=[], scope=NodeId(MAIN)))

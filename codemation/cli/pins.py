"""`codemation pins`: folders of outputs that nodes give instead of being run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from codemation.cli.commands import Group
from codemation.cli.history import moment
from codemation.cli.opening import opened
from codemation.cli.outcome import ROWS, value_lines
from codemation.cli.questions import as_json
from codemation.cli.screen import Screen, columns
from codemation.cli.troubles import Refused
from codemation.core.ids import START
from codemation.core.mistakes import listed, meant
from codemation.core.pins import split_key
from codemation.host import pin_files
from codemation.host.naming import find_run, known_node
from codemation.host.overview import json_of
from codemation.host.pin_files import PinFile
from codemation.host.settings import Settings
from codemation.host.tables import ArrowTables

_FOLDER = click.Path(path_type=Path, file_okay=False)
folder_argument = click.argument("folder", type=_FOLDER)


_HELP = """\
Keep what nodes gave in files, and give it to other runs.

\b
  codemation pins save last pins/delays       what each node of a run gave
  codemation pins save last pins/delays load  what one node gave
  codemation run delays --pins pins/delays    run without running these nodes

A FOLDER of pins holds a file for each node: JSON lines for items, Arrow for tables. JSON lines may be written by
hand.
"""


@click.group(cls=Group, help=_HELP)
def pins() -> None:
    """Keep what nodes gave in files, and give it to other runs."""


@pins.command("list")
@click.argument("folder", type=_FOLDER, required=False)
@as_json
@click.pass_obj
def list_(screen: Screen, /, folder: Path | None, as_json: bool) -> None:
    """List the pins of FOLDER, or of all folders in pins/."""
    folders = [folder] if folder is not None else list(_folders(Settings.load().root / "pins"))
    found = [(one, file) for one in folders for file in pin_files.read(one)]
    if as_json:
        screen.show_json([_json(one, file) for one, file in found])
        return
    rows = [
        (str(one), file.key, file.kind, f"{file.count:,}", file.provenance.by, _at(file), _origin(file))
        for one, file in ((_near(one), file) for one, file in found)
    ]
    for line in columns(rows, _HEADS, screen.width, right=(3,), firm=(1, 3)) if rows else []:
        screen.show(line)
    if not rows:
        screen.say("there are no pins; keep what a run gave: codemation pins save RUN pins/NAME")


_HEADS = ("folder", "node", "kind", "count", "by", "at", "from")


@pins.command()
@folder_argument
@click.argument("node", required=False)
@as_json
@click.pass_obj
def show(screen: Screen, /, folder: Path, node: str | None, as_json: bool) -> None:
    """Show what the pins of FOLDER hold, and where it is from.

    NODE shows those of one node alone; node@port names a port.
    """
    found = [file for file in pin_files.read(folder) if node in (None, file.key, split_key(file.key)[0])]
    if not found and node is not None:
        raise _unknown(folder, node)
    if as_json:
        screen.show_json([_json(folder, file, items=True) for file in found])
        return
    for at, file in enumerate(found):
        title, *lines = value_lines(file.key, _head(file), file.count, screen.width, table=file.kind == "table")
        for line in (*([""] if at else []), title, f"  {click.style(str(file.provenance), dim=True)}", *lines):
            screen.show(line)
    if not found:
        screen.say(f"{folder} holds no pins")


@pins.command()
@click.argument("run")
@folder_argument
@click.argument("nodes", nargs=-1)
@click.pass_obj
def save(screen: Screen, /, run: str, folder: Path, nodes: tuple[str, ...]) -> None:
    """Write what nodes of RUN gave into FOLDER.

    NODES are ids, or node@port; without any, all that have given something. Pins of the same names are replaced, others
    stay.
    """
    with opened() as app:
        handle = app.attach(find_run(app, run))
        if nodes:
            places = [(known_node(handle, split_key(one)[0]), split_key(one)[1]) for one in nodes]
        else:
            done = [node for node in handle.definition.plan.nodes if node in handle.snapshot.nodes]
            gave = handle.snapshot.outputs
            places = [(node, None) for node in done if node != START and any(gave(node).values())]
        results = [handle[node] if port is None else handle[node][port] for node, port in places]
        if not results:
            raise Refused(f"no node of run {handle.id} has given anything", way_out=f"codemation runs why {run}")
        pin_files.write(folder, [result.pin() for result in results])
    screen.say(f"written to {_near(folder)}: {listed([node for node, _ in places])}")


@pins.command()
@folder_argument
@click.argument("nodes", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Remove every pin, and the folder if nothing else is in it.")
@click.pass_obj
def remove(screen: Screen, /, folder: Path, nodes: tuple[str, ...], everything: bool) -> None:
    """Remove pins of NODES from FOLDER.

    NODES are ids, with all of their ports, or node@port.
    """
    if bool(nodes) == everything:
        raise click.UsageError("name the nodes, or give --all", click.get_current_context())
    known = [file.key for file in pin_files.read(folder)]
    chosen = [key for key in known if everything or key in nodes or split_key(key)[0] in nodes]
    for node in nodes:
        if not any(node in (key, split_key(key)[0]) for key in chosen):
            raise _unknown(folder, node)
    pin_files.remove(folder, chosen)
    screen.say(f"removed from {_near(folder)}: {listed(chosen, 'nothing')}")


def _unknown(folder: Path, node: str) -> Refused:
    known = [file.key for file in pin_files.read(folder)]
    return Refused(f"{folder} has no pin {node!r}", way_out=meant(node, known, f"it has {listed(known, 'none')}"))


def _folders(root: Path) -> Iterator[Path]:
    """The folders of pins below one, itself included."""
    if root.is_dir():
        yield from (one for one in sorted((root, *root.rglob("*"))) if one.is_dir() and pin_files.holds_pins(one))


def _near(folder: Path) -> Path:
    """The folder as it would be typed here."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _origin(file: PinFile) -> str:
    """Where it comes from, with a run as it may be typed."""
    what, _, name = file.provenance.origin.partition(" ")
    return f"run {name[-8:]}" if what == "run" else file.provenance.origin


def _at(file: PinFile) -> str:
    """When it was made, on the reader's own clock."""
    try:
        return moment(datetime.fromisoformat(file.provenance.at))
    except ValueError:  # written by hand
        return file.provenance.at


def _head(file: PinFile) -> list[object]:
    if file.table is None:
        return list(file.values[:ROWS])
    return list(ArrowTables().rows(file.table, 0, ROWS))


def _json(folder: Path, file: PinFile, *, items: bool = False) -> dict[str, object]:
    said = {"folder": str(folder), "key": file.key, "kind": file.kind, "count": file.count}
    said |= json_of(file.provenance)
    if not items:
        return said
    held = file.values if file.table is None else ArrowTables().rows(file.table)
    return {**said, "items": [json_of(one) for one in held]}

"""`codemation runs export`: a run as one file, for people or for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codemation.cli.opening import opened
from codemation.cli.screen import Screen
from codemation.cli.troubles import Refused
from codemation.core.errors import PayloadLost
from codemation.core.ids import START
from codemation.core.opening import decoded
from codemation.host.naming import find_run
from codemation.host.overview import json_of, run_view
from codemation.views.records import plain

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle

LARGEST = 4_000_000
"""Bytes of what a port held up to which it is exported; of more, only the count is."""
_FORMS = (".html", ".json")


@click.command()
@click.argument("run")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page (FILE.html) that needs nothing else, or everything as JSON (FILE.json).",
)
@click.option("--json", "as_json", is_flag=True, help="Write what FILE.json would hold to standard output.")
@click.pass_obj
def export(screen: Screen, run: str, target: Path | None, as_json: bool) -> None:
    """Write a run as one file, to be kept or handed on.

    The page shows the graph, the nodes and the beginning of what came out. The JSON holds the run, its definition, its
    journal, and what each node gave, up to 4 MB a port.
    """
    if (target is None) == (not as_json):
        raise click.UsageError("say where to: --to FILE.html, --to FILE.json, or --json", click.get_current_context())
    if target is not None and target.suffix.lower() not in _FORMS:
        raise Refused(f"{target} names no form", way_out=f"--to {target.with_suffix('.html')}, or .json")
    with opened() as app:
        handle = app.attach(find_run(app, run))
        if target is None:
            screen.show_json(exported(handle))
            return
        try:
            if target.suffix.lower() == ".html":
                handle.to_html(target)
            else:
                target.write_text(json.dumps(exported(handle), indent=1, default=str) + "\n", encoding="utf-8")
        except OSError as error:
            way_out = "" if target.parent.is_dir() else f"make the folder first: mkdir -p {target.parent}"
            raise Refused(f"{target} cannot be written: {error.strerror}", way_out=way_out) from None
    screen.say(f"written: {target}")


def exported(handle: RunHandle) -> dict[str, Any]:
    """A run with all that is known of it."""
    app = handle.app
    _, entries = app.engine.persist(app.stores.journal.load, handle.id)
    return {
        **run_view(handle).to_json(),
        "outputs": {name: [f"{one.node}@{one.port}" for one in sources] for name, sources in _outputs(handle)},
        "gave": [_gave(handle, node, port) for node, port in _ports(handle)],
        "definition": {"digest": handle.definition.digest, **handle.definition.to_json()},
        "journal": [
            {
                "revision": entry.revision,
                "at": plain(entry.at),
                "facts": [{"fact": type(fact).__name__.lower(), **json_of(fact)} for fact in decoded(handle.id, entry)],
            }
            for entry in entries
        ],
    }


def _outputs(handle: RunHandle) -> list[tuple[str, Any]]:
    return list(handle.definition.outputs.items())


def _ports(handle: RunHandle) -> list[tuple[Any, str]]:
    """The ports at which something came out."""
    plan, known = handle.definition.plan, handle.snapshot
    nodes = sorted((node for node in plan.nodes if node != START), key=plan.rank.__getitem__)
    return [(node, port) for node in nodes for port in plan.nodes[node].ports if known.output(node, port).size]


def _gave(handle: RunHandle, node: Any, port: str) -> dict[str, Any]:
    """What a port held; without the items if they are many, or not there any more."""
    result = handle[node][port]
    said = {"node": node, "port": port, "kind": result.batch.kind, "count": result.count}
    if result.batch.size > LARGEST:
        return {**said, "items": None, "left_out": f"{result.batch.size:,} bytes are more than {LARGEST:,}"}
    try:
        return {**said, "items": [json_of(item) for item in result.items]}
    except PayloadLost as error:
        return {**said, "items": None, "left_out": error.message}

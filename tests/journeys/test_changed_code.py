"""Fault 15: the code changes while a run is under way; it never gets a wrong value into a wrong node."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import DefinitionDrift, RunFailed
from codemation.core.launch import Launch
from codemation.core.states import RunStatus
from codemation.core.workflow import Workflow
from codemation.host.app import App
from tests.journeys.ledger import effects, note
from tests.journeys.world import World, seeded

MOMENTS = 10


class Travel(cm.Params):
    """What a run is asked for."""

    ledger: Path
    doom: Path
    """While this file is there, the node that it names fails."""


class Trail(BaseModel):
    """Where a value has been."""

    stamps: list[str] = []


def stamped(trail: Trail, mark: str, params: Travel, ctx: cm.Context) -> Trail:
    note(params.ledger, ctx)
    if params.doom.exists() and params.doom.read_text(encoding="utf-8") == ctx.node_id:
        raise RuntimeError("not yet")
    return Trail(stamps=[*trail.stamps, f"{ctx.node_id}:{mark}"])


@cm.node
def pack(params: Travel, ctx: cm.Context) -> Trail:
    return stamped(Trail(), "", params, ctx)


@cm.node
def stamp(trail: Trail, mark: str, params: Travel, ctx: cm.Context) -> Trail:
    return stamped(trail, mark, params, ctx)


@cm.node
def restamp(trail: Trail, mark: str, params: Travel, ctx: cm.Context) -> Trail:
    """Is other code that does the same."""
    return stamped(trail, f"{mark}, anew", params, ctx)


@cm.node
def stamp_all(trails: list[Trail], mark: str, params: Travel, ctx: cm.Context) -> Trail:
    """Takes its items in another way."""
    return stamped(trails[0], f"{mark}, all", params, ctx)


Stop = tuple[str, Any, str]
"""The name of a node, what it does, and the mark that it leaves."""


def version(stops: list[Stop]) -> Workflow[Any, ...]:
    """A version of the workflow."""
    flow: Any = cm.workflow("journeys.travel", params=Travel).then(pack)
    for name, does, mark in stops:
        flow = flow.then(does, id=name, mark=mark)
    workflow: Workflow[Any, ...] = flow.build()
    return workflow


def trail_of(stops: list[Stop]) -> list[str]:
    """What a version gives when nothing goes wrong."""
    suffixes = {"restamp": ", anew", "stamp_all": ", all"}
    return ["pack:", *(f"{name}:{mark}{suffixes.get(does.id, '')}" for name, does, mark in stops)]


def edited(stops: list[Stop], chance: Random) -> list[Stop]:
    """What somebody makes of a version: a node added, removed, renamed, moved, or with other code, marks or types."""
    after = list(stops)
    at = chance.randrange(len(after))
    name, does, mark = after[at]
    match chance.choice(["add", "remove", "rename", "move", "configure", "rewrite", "retype"]):
        case "add":
            after.insert(chance.randint(0, len(after)), ("added", stamp, "x"))
        case "remove":
            del after[at]
        case "rename":
            after[at] = (f"{name}_new", does, mark)
        case "move":
            after.insert(chance.randrange(len(after)), after.pop(at))
        case "configure":
            after[at] = (name, does, f"{mark}!")
        case "rewrite":
            after[at] = (name, restamp, mark)
        case _:
            after[at] = (name, stamp_all, mark)
    return after


@pytest.mark.parametrize("batch", range(5))
def test_a_run_whose_code_changed_goes_on_only_where_what_it_has_done_still_counts(
    town: World, app: App, batch: int
) -> None:
    chance = seeded(f"changed code {batch}")
    doom = town.root / f"doom {batch}"
    for _ in range(MOMENTS):
        before = [(name, stamp, name.upper()) for name in "abcde"]
        after = edited(before, chance)
        old, new = version(before), version(after)
        doom.write_text(chance.choice("abcde"), encoding="utf-8")
        params = Travel(ledger=town.ledger, doom=doom)
        handle = app.launch(Launch(workflow=old, params=params))
        with pytest.raises(RunFailed, match="not yet"):
            handle.wait()
        done = {one.node for one in effects(town.ledger) if one.run == handle.id} - {doom.read_text(encoding="utf-8")}
        doom.unlink()
        print(trail_of(before), trail_of(after), handle.id, flush=True)  # noqa: T201 - shown when the test fails
        went_on, wanted = _gone_on_with(app, handle.id, old=(old, before), new=(new, after))
        assert went_on.status is RunStatus.SUCCEEDED
        given = went_on.output
        assert (given if isinstance(given, Trail) else given[0]).stamps == wanted
        times = Counter(one.node for one in effects(town.ledger) if one.run == handle.id)
        assert {node: times[node] for node in done} == dict.fromkeys(done, 1), "what had succeeded was done again"


def _gone_on_with(
    app: App, run: Any, *, old: tuple[Workflow[Any, ...], list[Stop]], new: tuple[Workflow[Any, ...], list[Stop]]
) -> tuple[Any, list[str]]:
    """Go on with the new code if that is allowed, else with the old; and the trail that this has to give."""
    revision = app.attach(run).revision
    try:
        handle = app.resume(run, new[0], with_changes=True)
        wanted = trail_of(new[1])
    except DefinitionDrift:
        assert app.attach(run).revision == revision, "a refusal has left a trace"
        handle = app.resume(run, old[0])
        wanted = trail_of(old[1])
    handle.wait()
    return handle, wanted

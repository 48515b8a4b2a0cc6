"""Fault 12: what lies in the database cannot be read; the run that needs it says so, and all others go on."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

import codemation as cm
from codemation.core.errors import CodemationError, RunFailed
from codemation.core.launch import Launch
from codemation.core.states import RunStatus
from codemation.host.app import App
from tests.journeys.world import World

LARGE = 20_000
"""Characters: more than lies in the journal itself."""


class Wish(cm.Params):
    """What a run is asked for."""

    size: int
    broken: bool = True
    """Whether `show` fails, so that the run is left half-way."""


@cm.node
def draw(params: Wish) -> list[str]:
    return ["x" * params.size, "y"]


@cm.node
def show(lines: list[str], params: Wish) -> list[int]:
    if params.broken:
        raise RuntimeError("not yet")
    return [len(line) for line in lines]


gallery = cm.workflow("journeys.gallery", params=Wish).then(draw).then(show).build()

SPOIL: dict[str, tuple[int, str]] = {
    "a payload beside the journal": (LARGE, "UPDATE batches SET inline = 'nonsense' WHERE home_run = %s"),
    "a payload that is gone": (LARGE, "DELETE FROM batches WHERE home_run = %s"),
    "a payload in the journal": (3, "UPDATE journal SET output = 'nonsense' WHERE run_id = %s AND output IS NOT NULL"),
}
UNREADABLE: dict[str, str] = {
    "a revision that is no JSON": "UPDATE journal SET delta = 'nonsense' WHERE run_id = %s AND revision = 2",
    "a fact that nobody knows": "UPDATE journal SET delta = '[[\"teleport\",1]]' WHERE run_id = %s AND revision = 2",
    "a node of a kind that nobody knows": """
        UPDATE definitions SET plan = replace(plan::text, '"then"', '"teleport"')::json
        WHERE digest = (SELECT digest FROM runs WHERE id = %s)""",
}


def half_way(app: App, size: int) -> str:
    """A run whose first node has succeeded and whose second one has not."""
    handle = app.launch(Launch(workflow=gallery, params=Wish(size=size)))
    with pytest.raises(RunFailed, match="not yet"):
        handle.wait()
    return handle.id


def spoil(town: World, statement: str, run: str) -> None:
    with town.project.open() as server, psycopg.connect(server.url, autocommit=True) as connection:
        assert connection.execute(statement, [run]).rowcount >= 1


def others_go_on(town: World) -> None:
    with town.open() as other:
        handle = other.launch(Launch(workflow=gallery, params=Wish(size=LARGE, broken=False)))
        handle.wait()
        assert handle.output == [LARGE, 1]
        assert other.stores.runs.unattended() == ()


@pytest.mark.parametrize("kind", SPOIL)
def test_a_payload_that_cannot_be_read_fails_its_node_and_nothing_else(town: World, kind: str) -> None:
    size, statement = SPOIL[kind]
    with town.open() as app:
        run = half_way(app, size)
    spoil(town, statement, run)
    with town.open() as app:  # one that holds nothing of it in memory
        with pytest.raises(RunFailed, match=r'failed at "show": PayloadLost: .* is not (there|what was stored)'):
            app.resume(run, gallery).wait()
        assert app.attach(run).status is RunStatus.FAILED
    others_go_on(town)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_run_that_cannot_be_read_is_refused_by_name_and_the_others_go_on(town: World, kind: str) -> None:
    with town.open() as app:
        run = half_way(app, 3)
    spoil(town, UNREADABLE[kind], run)
    asked: dict[str, Callable[[App], object]] = {
        "attach": lambda app: app.attach(run),
        "resume": lambda app: app.resume(run, gallery),
        "cancel": lambda app: app.cancel(run),
    }
    with town.open() as app:
        for what, ask in asked.items():
            with pytest.raises(CodemationError) as refused:
                ask(app)
            assert run in str(refused.value) or "journeys.gallery" in str(refused.value), what
            assert refused.value.way_out
    others_go_on(town)

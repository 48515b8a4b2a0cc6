"""Fault 17: Ctrl-C and SIGTERM in the middle of nodes; what was under way is handed back and goes on elsewhere."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from codemation.core.ids import RunId
from codemation.host.app import App
from tests.journeys.commands import command
from tests.journeys.ledger import effects
from tests.journeys.world import PATIENCE, World, within

NODES = {"gather": 1, "press": 2, "weigh and count": 6}
"""Where a run is when so much of it was begun."""


def held(app: App, run: str) -> list[tuple[str, int]]:
    """How the tickets of a run stand, and how often each was lost."""
    return [(row.state, row.lost) for row in app.stores.runs.tickets(RunId(run))]


@pytest.mark.parametrize("begun", NODES.values(), ids=list(NODES))
@pytest.mark.parametrize("deaf", [False, True], ids=["attentive", "deaf"])
def test_ctrl_c_hands_back_what_is_under_way(town: World, app: App, begun: int, deaf: bool) -> None:
    key, before = town.key(), len(effects(town.ledger))
    with town.braked() as brake:
        work = town.work(brake=brake, deaf=deaf, size=4, lift=begun - 1)
        driver = town.start(work, key)
        town.until_effects(before + begun)
        driver.send(signal.SIGINT)
        driver.wait(20.0)
        (refusal,) = driver.told("refused")
        assert refusal["refused"] == "RunPaused", driver.said()
        assert "codemation runs resume" in refusal["message"]
        assert set(held(app, driver.told("begun")[0]["run"])) == {("ready", 0)}
    town.finish(app, work, key)


def test_a_second_ctrl_c_ends_the_wait_for_deaf_nodes(town: World, app: App) -> None:
    key, before = town.key(), len(effects(town.ledger))
    with town.braked() as brake:
        work = town.work(brake=brake, deaf=True, lift=1)
        driver = town.start(work, key)
        town.until_effects(before + 3)
        driver.send(signal.SIGINT)
        within(PATIENCE, lambda: driver.process.status() != "running")
        driver.send(signal.SIGINT)
        driver.wait(20.0)
    town.finish(app, work, key)


def options(world: World, brake: Path, *more: str) -> Sequence[str]:
    """What the plant is asked for on the command line."""
    return ("--ledger", str(world.ledger), "--brake", str(brake), *more)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("deaf", [False, True], ids=["attentive", "deaf"])
def test_the_command_line_pauses_a_run_and_another_one_goes_on(
    town: World, number: signal.Signals, code: int, deaf: bool
) -> None:
    (town.root / "workflows").mkdir(exist_ok=True)
    (town.root / "workflows" / "plant.py").write_text("from tests.journeys.plant import plant\n")
    before = len(effects(town.ledger))
    with town.braked() as brake:
        deafness = "--deaf" if deaf else "--no-deaf"
        with command(town.root, "run", "plant", *options(town, brake, deafness, "--lift", "1")) as running:
            try:
                town.until_effects(before + 3)
                running.send_signal(number)
                _, said = running.communicate(timeout=20.0)
            finally:
                running.kill()
        assert running.returncode == code, said
        assert "is paused; what has finished is kept" in said
        assert "codemation runs resume" in said
    with command(town.root, "runs", "resume", "last", "--json") as resumed:
        out, said = resumed.communicate(timeout=20.0)
    assert resumed.returncode == 0, said
    assert '"succeeded"' in out
    done = effects(town.ledger)[before:]
    assert sum(one.node == "gather" for one in done) == 1

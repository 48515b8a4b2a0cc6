"""Fault 15 on a fleet: code is deployed again and again while runs wait in the middle, and workers come and go."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.launch import Launch
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from codemation.host.asking import send
from codemation.host.builds.watching import Deployed
from codemation.host.handles import RunHandle
from tests.adapters.fleet import QUICK, Fleet, eventually, running_fleet
from tests.journeys.versions import FIRST, LATER, Version

SOON = 30.0
"""Seconds within which a worker that has the code has done what another one has refused."""


class Go(BaseModel):
    """Lets a traveller go on."""


GO = cm.event("versions.go", Go)


@dataclass(slots=True, kw_only=True)
class Journey:
    """An author with a folder, and a fleet that has never seen it."""

    author: Fleet
    fleet: Fleet
    app: App
    deployed: Deployed
    ledger: Path

    def deploy(self, version: Version) -> cm.Workflow[Any, ...]:
        """Write, build and deploy a version; what whoever starts runs begins with from now on."""
        (self.author.folder / "workflows" / "travel.py").write_text(version.text)
        for command in ("build", "deploy"):
            done = self.author.command(command)
            assert done.returncode == 0, done.stderr
        seen: list[cm.Workflow[Any, ...]] = []
        self.deployed._changed = lambda catalog: seen.append(catalog.workflows["versions.travel"].workflow)
        assert self.deployed.look()
        return seen[0]

    def begin(self, workflow: cm.Workflow[Any, ...], key: str, gate: Path | None = None) -> RunHandle:
        """A traveller, left to the fleet."""
        assert workflow.params is not None
        asked = {"key": key, "ledger": self.ledger} | ({"gate": gate} if gate else {})
        return self.app.submit(Launch(workflow=workflow, params=workflow.params.model_validate(asked)))

    def notes(self) -> list[list[str]]:
        """Key, node, version and process of each call so far."""
        return [line.split(" ") for line in self.ledger.read_text().splitlines()] if self.ledger.exists() else []

    def is_at(self, key: str, node: str) -> bool:
        """Whether a traveller has come to a node."""
        return any(note[:2] == [key, node] for note in self.notes())


@pytest.fixture
def journey(tmp_path: Path) -> Iterator[Journey]:
    with running_fleet({"nothing.py": "\n"}) as fleet, fleet.open() as app:
        author = replace(fleet, folder=tmp_path / "author", workers=[])
        (author.folder / "workflows").mkdir(parents=True)
        yield Journey(author=author, fleet=fleet, app=app, deployed=Deployed(app), ledger=tmp_path / "ledger")
        assert app.stores.runs.unattended() == ()


def test_runs_that_wait_in_the_middle_end_as_they_began_whatever_is_deployed_meanwhile(
    journey: Journey, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    workflow = journey.deploy(FIRST)
    old = [
        journey.fleet.worker("-c", "2", pool="prefork", **QUICK),
        journey.fleet.worker("-c", "9", pool="threads", **QUICK),
    ]
    travellers: dict[str, tuple[Version, RunHandle]] = {}
    for version in (FIRST, *LATER):
        workflow = journey.deploy(version) if version is not FIRST else workflow
        for key, held in ((f"{version.name}-held", gate), (f"{version.name}-waiting", None)):
            travellers[key] = (version, journey.begin(workflow, key, held))
    for key, (_, handle) in travellers.items():
        if key.endswith("held"):
            eventually(lambda key=key: journey.is_at(key, "hold"))  # type: ignore[misc]
        else:
            eventually(lambda run=handle.id: journey.app.attach(run).status is RunStatus.WAITING)  # type: ignore[misc]

    old[0].kill()
    new = journey.fleet.worker("-c", "4", pool="threads", **QUICK)
    new.ready()
    for key in travellers:
        send(journey.app, GO, key, Go(), None)
    gate.unlink()
    old[1].send(signal.SIGTERM)
    for version, handle in travellers.values():
        eventually(lambda run=handle.id: journey.app.attach(run).status in FINISHED)  # type: ignore[misc]
        (given,) = journey.app.attach(handle.id).output
        assert (given["version"], given["stamps"]) == (version.name, version.stamps)
    assert {(key.split("-")[0], version) for key, _, version, _ in journey.notes()} == {
        (version.name, version.name) for version in (FIRST, *LATER)
    }
    assert str(new.process.pid) in {pid for _, _, version, pid in journey.notes() if version == "v1"}


def test_a_worker_that_cannot_have_the_code_says_so_and_another_one_does_the_work(journey: Journey) -> None:
    workflow = journey.deploy(FIRST)
    good = journey.fleet.worker(**QUICK)
    old = journey.begin(workflow, "old")
    eventually(lambda: journey.app.attach(old.id).status is RunStatus.WAITING)
    good.send(signal.SIGTERM)
    assert good.ended() == 0
    latest = journey.deploy(LATER[0])
    odd = journey.fleet.worker(MACHINE="another", **QUICK)
    odd.ready()
    send(journey.app, GO, "old", Go(), None)
    new = journey.begin(latest, "new")
    for digest in (workflow.digest, latest.digest):
        said = f"the code of definition {digest[:12]} cannot be used here"
        eventually(lambda said=said: said in odd.said)  # type: ignore[misc]
    assert "gives other definitions here" in odd.said
    eventually(lambda: f"run {old.id} is left to workers that have its code" in odd.said)
    assert not {journey.app.attach(run.id).status for run in (old, new)} & FINISHED
    journey.fleet.worker(**QUICK).ready()
    eventually(lambda: journey.app.attach(old.id).status in FINISHED, within=SOON)
    send(journey.app, GO, "new", Go(), None)
    eventually(lambda: journey.app.attach(new.id).status in FINISHED, within=SOON)
    assert [journey.app.attach(run.id).output[0]["stamps"] for run in (old, new)] == [FIRST.stamps, LATER[0].stamps]
    assert odd.process.poll() is None
    assert str(odd.process.pid) not in {pid for *_, pid in journey.notes()}

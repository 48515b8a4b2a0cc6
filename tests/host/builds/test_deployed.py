"""Code that is deployed while runs are under way: each is finished with the code that it began with."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codemation.core.errors import HostError
from codemation.core.launch import Launch
from codemation.core.ports import NewDeployment, Stores
from codemation.core.states import RunStatus
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.builds import building, deploying
from codemation.host.builds.loading import forget_space
from codemation.host.builds.watching import Deployed
from codemation.host.catalog import Catalog
from codemation.host.code import CodeByDigest
from codemation.host.memory import memory_stores
from codemation.host.settings import Settings
from tests.host.builds.shop import write_app
from tests.testing.clock import Clock

GATED = """
from __future__ import annotations

from dataclasses import dataclass

import codemation as cm


@dataclass
class Parcel:
    weight: int
    {field}


@cm.node
def pack() -> list[Parcel]:
    return [Parcel({values})]


@cm.node
def {name}(parcel: Parcel) -> str:
    return f"{text}"


post = cm.workflow("post").then(pack){wait}.then({name}).build()
"""
OLD = GATED.format(field="", values="weight=3", name="send", text="old {parcel.weight}", wait='.wait("1h")')
NEW = GATED.format(
    field="country: str = 'NL'",
    values="weight=4, country='BE'",
    name="ship",
    text="new {parcel.weight} {parcel.country}",
    wait="",
)


def deployed(stores: Stores, root: Path, post: str) -> building.Build:
    """Write the app with this workflow, build and deploy it."""
    settings = Settings(write_app(root, {"workflows/post.py": post}), {}, {})
    made = building.build(settings)
    assert made.problems == ()
    deploying.deploy(stores, made, who="ada")
    return made


def process(stores: Stores, home: Path) -> App:
    """A process that works with what is deployed; its folder is empty."""
    home.mkdir(exist_ok=True)
    app = App(Backend(stores=stores, close=lambda: None, describes="memory"), Settings(home, {}, {}))
    Deployed(app).look()
    return app


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stores(clock: Clock) -> Stores:
    return memory_stores(clock)


@pytest.fixture
def processes(stores: Stores, tmp_path: Path) -> Iterator[Callable[[str], App]]:
    opened: list[App] = []

    def open_(name: str) -> App:
        opened.append(process(stores, tmp_path / name))
        return opened[-1]

    yield open_
    for app in opened:
        app.close()


def _workflow(app: App, made: building.Build) -> Workflow[object, ...]:
    found = app.known(made.manifest.workflows["post"].digest)
    assert found is not None
    return found


def test_a_process_finishes_old_runs_on_old_code_and_begins_new_ones_on_new_code(
    stores: Stores, clock: Clock, tmp_path: Path, processes: Callable[[str], App]
) -> None:
    """A node was renamed, its type has another field, and both versions work side by side."""
    old = deployed(stores, tmp_path / "v1", OLD)
    app = processes("one")
    begun = app.launch(Launch(workflow=_workflow(app, old))).go()
    assert begun.status is RunStatus.WAITING
    new = deployed(stores, tmp_path / "v2", NEW)
    assert Deployed(app).look()
    fresh = app.launch(Launch(workflow=_workflow(app, new)))
    assert fresh.result() == ["new 4 BE"]
    clock.later(3601)
    assert begun.result() == ["old 3"]
    assert {node for node in begun.snapshot.nodes if node in ("send", "ship")} == {"send"}


def test_another_process_finishes_a_run_on_its_code_from_the_database(
    stores: Stores, clock: Clock, tmp_path: Path, processes: Callable[[str], App]
) -> None:
    """It has never seen the files, and the run's workflow counts no more."""
    old = deployed(stores, tmp_path / "v1", OLD)
    first = processes("one")
    run = first.launch(Launch(workflow=_workflow(first, old))).go().id
    first.close()
    deployed(stores, tmp_path / "v2", NEW)
    second = processes("two")
    handle = second.attach(run)
    assert handle.workflow is not None
    assert handle.workflow.digest == old.manifest.workflows["post"].digest
    resumed = second.resume(run, handle.workflow)
    clock.later(3601)
    assert resumed.result() == ["old 3"]


def test_a_workflow_that_was_removed_is_finished_and_not_begun_anew(
    stores: Stores, tmp_path: Path, processes: Callable[[str], App]
) -> None:
    """What counts is what the last build holds."""
    old = deployed(stores, tmp_path / "v1", OLD)
    app = processes("one")
    seen = list[Catalog]()
    watch = Deployed(app, seen.append)
    assert watch.look()
    assert not watch.look()
    settings = Settings(write_app(tmp_path / "v2"), {}, {})
    deploying.deploy(stores, building.build(settings))
    assert watch.look()
    assert [sorted(catalog.workflows) for catalog in seen] == [["post", "shop.orders"], ["shop.orders"]]
    assert app.known(old.manifest.workflows["post"].digest) is not None


def test_code_that_is_another_here_is_refused(stores: Stores, tmp_path: Path, processes: Callable[[str], App]) -> None:
    """A bundle under the name of a definition that it does not give."""
    made = deployed(stores, tmp_path / "v1", OLD)
    wrong = "ab" * 32
    manifest = made.manifest
    entry = manifest.workflows["post"]
    stores.deployments.deploy(
        NewDeployment(
            id="0198c0de-0000-7000-8000-000000000009",
            build="cd" * 32,
            manifest=manifest.text(),
            code={wrong: (entry.bundle, entry.file)},
        )
    )
    assert processes("one").known(wrong) is None


def test_a_build_for_another_python_is_refused(stores: Stores, tmp_path: Path) -> None:
    made = building.build(Settings(write_app(tmp_path), {}, {}))
    manifest = replace(made.manifest, python="2.7", libraries={"pydantic": "1.0"})
    other = building.Build(manifest=manifest, bundles=made.bundles)
    with pytest.raises(deploying.Unfit, match=r"Python 2\.7.*pydantic 1\.0"):
        deploying.deploy(stores, other)
    assert stores.deployments.list() == ()
    assert deploying.deploy(stores, other, force=True).build == manifest.digest


def test_an_earlier_build_counts_again(stores: Stores, tmp_path: Path) -> None:
    old = deployed(stores, tmp_path / "v1", OLD)
    deployed(stores, tmp_path / "v2", NEW)
    assert deploying.roll_back(stores, old.manifest.digest[:10]).build == old.manifest.digest
    with pytest.raises(HostError, match="no build 'ffff'"):
        deploying.roll_back(stores, "ffff")


PLAIN = """
from __future__ import annotations

import codemation as cm


@cm.node
def pack() -> int:
    return {number}


@cm.node
def late(given: int) -> int:
    from goods.late import RATE

    return given + RATE


post = cm.workflow("post").then(pack){wait}.then(late).build()
"""


def plain(number: int, wait: str = "") -> str:
    return PLAIN.format(number=number, wait=wait)


def spaces() -> set[str]:
    return {name.partition(".")[0] for name in sys.modules if name.startswith("_build_")}


def test_code_that_was_not_used_for_longest_is_let_go_of_and_had_again(
    stores: Stores, clock: Clock, tmp_path: Path, processes: Callable[[str], App]
) -> None:
    """What counts stays, and so does what work is under way with, late imports included."""
    before, app = spaces(), processes("one")
    app.code = CodeByDigest(most=2, recent=0.0)
    app.code.in_use = lambda: {one.run.definition.digest for one in app.scheduler.watched()}
    watcher, builds, runs = Deployed(app), [], []
    for number in range(6):
        builds.append(deployed(stores, tmp_path / f"v{number}", plain(number, '.wait("1h")' if number == 0 else "")))
        assert watcher.look()
        runs.append(app.launch(Launch(workflow=_workflow(app, builds[-1]))).go())
    digests = [made.manifest.workflows["post"].digest for made in builds]
    held = weakref.ref(_workflow(app, builds[1]))
    assert app.known(digests[1]) is not None
    kept = {digest for digest in digests if digest in app.code._workflows}
    assert {digests[0], digests[5]} <= kept
    assert len(kept) <= 4
    assert len(spaces() - before) == len(kept) + 1  # and the other workflow of the app, which has not changed
    assert app.code.digests() >= set(digests)
    clock.later(3601)
    assert runs[0].result() == [5]
    again = app.launch(Launch(workflow=_workflow(app, builds[2])))
    assert again.result() == [7]
    for number in (3, 4, 3, 4):
        assert app.known(digests[number]) is not None
    runs.clear()
    app.last = None
    del again
    gc.collect()
    assert digests[1] not in app.code._workflows
    assert held() is None
    app.close()
    for name in spaces() - before:
        forget_space(name)

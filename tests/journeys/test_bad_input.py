"""Bad input, through the public API and the command line: a clear error with the way out, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import codemation as cm
from codemation.core.definition import BrokenDefinition, Source
from codemation.core.engine import Start
from codemation.core.errors import HostError, InputError, RunFailed
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.default_app import close_default_apps, default_app
from codemation.host.identity import new_run_id
from tests.host.postgres.embedded.world import eventually
from tests.journeys.commands import said
from tests.journeys.plant import plant
from tests.journeys.world import World

CODE = """
import threading
from pathlib import Path
import codemation as cm

class Params(cm.Params):
    size: int = 1
    path: Path = Path("there.txt")

@cm.node
def read(params: Params) -> str:
    return params.path.read_text() * params.size

@cm.node
def shout(text: str) -> str:
    return text.upper()

@cm.node
def locked() -> dict[str, object]:
    return {"key": [threading.Lock()]}

shouts = cm.workflow("app.shouts", params=Params).then(read).then(shout).build()
locks = cm.workflow("app.locks").then(locked).build()
"""


class Params(cm.Params):
    """What a run is asked for."""

    size: int = 1
    path: Path = Path("there.txt")


@cm.node
def read(params: Params) -> str:
    return params.path.read_text(encoding="utf-8") * params.size


@cm.node
def shout(text: str) -> str:
    return text.upper()


@cm.node
def locked() -> dict[str, object]:
    return {"key": [threading.Lock()]}


shouts = cm.workflow("app.shouts", params=Params).then(read).then(shout).build()
locks = cm.workflow("app.locks").then(locked).build()


Row = tuple[str, RunStatus, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """An app in the current folder."""

    app: App
    folder: Path
    before: list[Row]
    """What there was when the test began."""

    def unharmed(self, *more: RunStatus) -> None:
        """What was there is there, and beside it only these runs are."""
        now = rows(self.app)
        assert now[: len(self.before)] == self.before
        assert [status for _, status, _ in now[len(self.before) :]] == list(more)
        assert self.app.stores.runs.unattended() == ()


def rows(app: App) -> list[Row]:
    """Every run of an app, the oldest first."""
    return [(row.id, row.status, row.revision) for row in reversed(app.stores.runs.page(limit=1000))]


@pytest.fixture
def here(town: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    """A folder with an app, which is the current one; its database holds a run that has succeeded."""
    folder = town.root / town.key().replace(" ", "-")
    (folder / "workflows").mkdir(parents=True)
    (folder / "workflows" / "app.py").write_text(CODE)
    (folder / "there.txt").write_text("hello")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CODEMATION_STATE", str(town.project.directory))
    app = default_app()
    try:
        assert shouts.run(size=2).output == ["HELLOHELLO"]
        yield Here(app=app, folder=folder, before=rows(app))
    finally:
        close_default_apps()


def test_a_parameter_that_there_is_not_is_refused_before_anything_starts(here: Here) -> None:
    with pytest.raises(InputError, match="sise") as refused:
        shouts.run(sise=2)  # type: ignore[call-arg]  # people mistype
    assert "size" in str(refused.value)
    code, out, err = said(here.folder, "run", "shouts", "--sise", "2")
    assert (code, out) == (2, "")
    assert "--sise" in err
    assert "--size" in err
    here.unharmed()


def test_a_value_of_a_wrong_type_is_refused_before_anything_starts(here: Here) -> None:
    with pytest.raises(InputError, match="size") as refused:
        shouts.run(size="many")  # type: ignore[arg-type]  # notebooks are not checked
    assert "integer" in str(refused.value)
    code, out, err = said(here.folder, "run", "shouts", "--size", "many")
    assert (code, out) == (2, "")
    assert "size" in err
    assert "integer" in err
    here.unharmed()


def test_a_file_that_a_node_cannot_read_fails_the_run_which_goes_on_when_it_is_there(here: Here) -> None:
    with pytest.raises(RunFailed, match=r"gone\.txt") as failed:
        shouts.run(path=Path("gone.txt"))
    run = cm.last_run()
    assert run is not None
    assert 'of "app.shouts" failed at "read": FileNotFoundError' in str(failed.value)
    assert f"codemation runs resume {run.id}" in failed.value.way_out
    code, _, err = said(here.folder, "run", "shouts", "--path", "gone.txt")
    assert code == 1
    assert "FileNotFoundError" in err
    assert "gone.txt" in err
    assert "codemation runs resume" in err
    here.unharmed(RunStatus.FAILED, RunStatus.FAILED)
    (here.folder / "gone.txt").write_text("found")
    assert run.resume().output == ["FOUND"]
    code, out, err = said(here.folder, "runs", "resume", "last")
    assert code == 0, err
    assert "FOUND" in out
    here.unharmed(RunStatus.SUCCEEDED, RunStatus.SUCCEEDED)


@pytest.mark.parametrize("option", [["@gone.jsonl"], ["--params", "gone.json"]], ids=["items", "params"])
def test_a_file_that_the_command_line_cannot_read_is_named(here: Here, option: list[str]) -> None:
    code, out, err = said(here.folder, "run", "shouts", *option)
    assert (code, out) == (2, "")
    assert option[-1].removeprefix("@") in err
    assert "No such file" in err
    here.unharmed()


def test_a_workflow_file_that_cannot_be_read_is_named_with_its_line(here: Here) -> None:
    (here.folder / "workflows" / "app.py").write_text("import codemation as cm\nshouts = (\n")
    code, out, err = said(here.folder, "run", "shouts")
    assert (code, out) == (2, "")
    assert "app.py" in err
    assert "line 2" in err
    here.unharmed()


def test_what_cannot_be_stored_fails_the_run_at_its_node(here: Here) -> None:
    with pytest.raises(RunFailed, match=r"value\['key'\]\[0\]: a lock object cannot be stored") as failed:
        locks.run()
    assert 'failed at "locked"' in str(failed.value)
    assert "return its data instead" in str(failed.value)
    code, _, err = said(here.folder, "run", "locks")
    assert code == 1
    assert "a lock object cannot be stored" in err
    here.unharmed(RunStatus.FAILED, RunStatus.FAILED)


def test_a_circle_in_a_definition_that_was_made_by_hand_is_refused_and_not_stored(here: Here) -> None:
    first, *rest = [node for node in plant.definition.nodes if node.inputs]
    circular = replace(first, inputs=(replace(first.inputs[0], sources=(Source(node=rest[-1].id),)),))
    others = [node for node in plant.definition.nodes if node.id != first.id]
    definition = replace(plant.definition, nodes=(*others, circular))
    with pytest.raises(BrokenDefinition, match=f"waits for itself: .*{first.id}") as refused:
        here.app.engine.start(definition, Start(id=new_run_id(), params="{}", input=(b"", 0, "items")))
    assert "remove one of these edges" in refused.value.way_out
    with pytest.raises(HostError):
        here.app.stores.definitions.get(definition.digest)
    here.unharmed()


def test_a_database_that_is_down_is_named_without_its_password(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://somebody:secret@/orders?host=/nonexistent"
    with monkeypatch.context() as patch:
        patch.setenv("CODEMATION_DATABASE_URL", url)
        with pytest.raises(HostError) as refused:
            shouts.run()
    code, out, err = said(here.folder, "run", "shouts", CODEMATION_DATABASE_URL=url)
    assert (code, out) == (3, "")
    for text in (str(refused.value), err):
        assert 'database "orders" at /nonexistent cannot be reached' in text
        assert "start the server, or correct CODEMATION_DATABASE_URL" in text
        assert "secret" not in text
    here.unharmed()


def test_the_command_line_refuses_a_database_of_another_version_and_loses_nothing(world: World) -> None:
    (world.root / "workflows").mkdir()
    (world.root / "workflows" / "app.py").write_text(CODE)
    (world.root / "there.txt").write_text("hello")
    assert said(world.root, "run", "shouts")[0] == 0
    eventually(world.project.at_rest)
    version = world.project.home.data / "PG_VERSION"
    version.write_text("16\n")
    code, out, err = said(world.root, "run", "shouts")
    assert (code, out) == (3, "")
    assert f"{world.project.home.data} was written by PostgreSQL 16" in err
    assert "CODEMATION_DATABASE_URL" in err
    version.write_text("18\n")
    code, out, err = said(world.root, "runs", "list", "--json")
    assert code == 0, err
    assert out.count('"succeeded"') == 1

"""Notebooks as nodes: the definition holds them, the build checks them, a port executes them (api §4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.core.launch import Launch
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.memory import memory_stores
from codemation.host.settings import Settings


class Params(cm.Params):
    region: str = "EU"


class Report(BaseModel):
    html: str
    revenue: float = 0


ASKED: list[tuple[str, str, Mapping[str, object]]] = []


class Runner:
    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, path: str, parameters: Mapping[str, object]) -> object:
        ASKED.append((self.root.name, path, parameters))
        return {"html": f"<p>{parameters['region']}", **({} if parameters.get("size") != 0 else {"revenue": "much"})}


def weekly(**given: Any) -> Any:
    start = cm.workflow("w", params=Params)
    given = {"outputs": Report, "region": Params.region, **given}
    return start.notebook("notebooks/revenue.ipynb", **given).build()


def run(path: Path, workflow: Any, **settings: Any) -> Any:
    backend = Backend(stores=memory_stores(), close=lambda: None, describes="memory")
    with App(backend, Settings(path, settings, {})) as app:
        handle = app.launch(Launch(workflow=workflow, params=Params()))
        handle.wait()
        return handle.output


@pytest.fixture
def app(tmp_path: Path) -> Path:
    ASKED.clear()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/revenue.ipynb").touch()
    return tmp_path


NAMED = {"notebooks": "tests.host.runtime.test_notebook_nodes:Runner"}


def test_what_the_settings_name_executes_it_with_its_parameters_and_the_model_comes_out(app: Path) -> None:
    assert run(app, weekly(size=cm.expr(lambda item: 3 + len(item))), **NAMED) == [Report(html="<p>EU")]
    assert ASKED[-1] == (app.name, "notebooks/revenue.ipynb", {"region": "EU", "size": 3})


def test_what_it_gives_is_read_as_the_model_that_was_named(app: Path) -> None:
    with pytest.raises(RunFailed, match=r"revenue.ipynb gave something that is no Report: revenue: Input should be"):
        run(app, weekly(size=0), **NAMED)
    with pytest.raises(RunFailed, match="gave something that is no int: Input should be"):
        run(app, weekly(outputs=int), **NAMED)


def test_without_anything_that_executes_notebooks_the_node_fails_with_the_way_out(app: Path) -> None:
    with pytest.raises(RunFailed, match="nothing here executes notebooks"):
        run(app, weekly())
    with pytest.raises(RunFailed, match=r"notebooks = 'no\.where:at_all' of the settings cannot be imported"):
        run(app, weekly(), notebooks="no.where:at_all")


def test_a_notebook_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"there is no notebook notebooks/revenue.ipynb in"):
        run(tmp_path, weekly(), **NAMED)


def test_the_definition_holds_the_notebook() -> None:
    (node,) = weekly(timeout="15m").nodes.values()
    assert (node.id, node.kind, node.policy.timeout) == ("revenue", "notebook", 900.0)
    assert node.config == {"$notebook": "notebooks/revenue.ipynb", "region": {"$param": "region"}}
    assert node.types["out:main"] == "Report"
    assert weekly().digest != weekly(outputs=Params).digest
    assert "revenue" in weekly().text() + weekly().mermaid() + weekly().svg()


def begun() -> Any:
    return cm.workflow("w")


MISTAKES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "no notebook": (
        lambda: begun().notebook("revenue.py", outputs=Report),
        ".notebook('revenue.py') names no notebook",
        "notebooks/revenue.ipynb",
    ),
    "no path": (lambda: begun().notebook(3, outputs=Report, id="n"), ".notebook(3) names no notebook", "ipynb"),
    "outside": (lambda: begun().notebook("../a.ipynb", outputs=Report), "leads out of the app", "folder of the app"),
    "absolute": (lambda: begun().notebook("/a.ipynb", outputs=Report), "leads out of the app", "folder of the app"),
    "many outputs": (
        lambda: begun().notebook("a.ipynb", outputs=list[Report]),
        ".notebook(outputs=) reads one item at a time, and list[Report] is many",
        ".notebook(outputs=Report)",
    ),
    "hidden parameter": (
        lambda: begun().notebook("a.ipynb", outputs=Report, _runner=1),
        "'_runner' cannot be a parameter of a notebook",
        "begin it with a letter",
    ),
    "a flow as a parameter": (
        lambda: (start := begun()).notebook("a.ipynb", outputs=Report, region=start),
        'region= of "a" is a flow, and **options take values only',
        "",
    ),
    "no duration": (
        lambda: begun().notebook("a.ipynb", outputs=Report, timeout="soon"),
        "timeout='soon' of \"a\" is no timeout",
        "is not a duration",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_once_with_its_way_out(name: str) -> None:
    write, what, way_out = MISTAKES[name]
    with pytest.raises(cm.AuthorError) as caught:
        write().build()
    assert len(caught.value.mistakes) == 1, str(caught.value)
    assert what in caught.value.mistakes[0].what
    assert way_out in caught.value.mistakes[0].way_out

"""The catalogue: every workflow of an app is found under the name it is known by, and whatever is wrong is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from codemation.core.mistakes import AuthorError
from codemation.host.catalog import BrokenFile, Catalog, Problem, UnknownWorkflow, discover, load_file

HEAD = """import codemation as cm
@cm.node
def load() -> int:
    return 1
@cm.node
def add(n: int) -> int:
    return n
"""
"""Seven lines before what a test writes."""

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _fresh_modules() -> Iterator[None]:
    """Every test is a process of its own as far as modules are concerned."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, lines: str, head: str = HEAD) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + dedent(lines), encoding="utf-8")
        return path

    return written


def _line(name: str, id_: str) -> str:
    return f'{name} = cm.workflow("{id_}").then(load).build()\n'


def _found(catalog: Catalog) -> list[tuple[str, str]]:
    assert catalog.problems == []
    return [(id_, found.source) for id_, found in catalog.workflows.items()]


def _only(catalog: Catalog) -> Problem:
    assert len(catalog.problems) == 1
    return catalog.problems[0]


def test_workflows_are_found_in_every_folder_in_order_of_name(tmp_path: Path, write: Write) -> None:
    write("workflows/b.py", _line("second", "b.second") + _line("first", "b.first"))
    write("workflows/a/deep/er.py", _line("wf", "deep"))
    write("workflows/c.py", "")
    assert _found(discover(tmp_path)) == [
        ("deep", "workflows/a/deep/er.py:wf"),
        ("b.second", "workflows/b.py:second"),
        ("b.first", "workflows/b.py:first"),
    ]


def test_what_begins_with_a_dot_or_an_underscore_is_private(tmp_path: Path, write: Write) -> None:
    for name in ("_draft.py", ".hidden/a.py", "_parts/a.py", "__init__.py", ".ipynb_checkpoints/a.py"):
        write(f"workflows/{name}", "1 / 0\n" if name != "__init__.py" else "")
    assert _found(discover(tmp_path)) == []


def test_an_app_without_workflows_is_empty(tmp_path: Path) -> None:
    assert _found(discover(tmp_path)) == []


@pytest.mark.parametrize("name", ["2024-report.py", "class.py", "my flow.py", "2024/q1.py", "v1.2.py", "v1.2/q1.py"])
def test_names_that_python_has_no_syntax_for_work_as_well(tmp_path: Path, write: Write, name: str) -> None:
    write(f"workflows/{name}", _line("wf", "x"))
    assert _found(discover(tmp_path)) == [("x", f"workflows/{name}:wf")]


@pytest.mark.parametrize("name", ["report.py", "2024-report.py", "sub/report.py"])
def test_a_workflow_file_imports_its_neighbours(tmp_path: Path, write: Write, name: str) -> None:
    folder = (tmp_path / "workflows" / name).parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "_parts.py").write_text(HEAD, encoding="utf-8")
    (tmp_path / "beside.py").write_text("NAME = 'x'\n", encoding="utf-8")
    write(f"workflows/{name}", "import beside\nfrom ._parts import load, cm\n" + _line("wf", "x"), head="")
    assert _found(discover(tmp_path)) == [("x", f"workflows/{name}:wf")]


def test_modules_have_the_same_name_wherever_they_are_imported(tmp_path: Path, write: Write) -> None:
    file = write("flows/sales/sync.py", _line("wf", "x"))
    wf = discover(tmp_path, "flows").workflows["x"].workflow
    assert wf is sys.modules["flows.sales.sync"].wf
    again = load_file(file, tmp_path, "flows").workflows["x"].workflow
    assert again is wf


def test_a_folder_of_workflows_may_lie_deeper_in_the_app(tmp_path: Path, write: Write) -> None:
    write("src/flows/sync.py", _line("wf", "x"))
    assert _found(discover(tmp_path, "src/flows")) == [("x", "src/flows/sync.py:wf")]
    assert "src.flows.sync" in sys.modules


def test_a_package_called_workflows_that_is_installed_is_not_in_the_way(tmp_path: Path, write: Write) -> None:
    (tmp_path / "site" / "workflows").mkdir(parents=True)
    (tmp_path / "site" / "workflows" / "__init__.py").write_text("INSTALLED = True\n")
    (tmp_path / "site" / "workflows" / "hello.py").write_text("raise ImportError('the wrong one')\n")
    sys.path.insert(0, str(tmp_path / "site"))
    import workflows  # type: ignore[import-not-found]

    assert workflows.INSTALLED
    app = tmp_path / "app"
    sys.path.append(str(app))  # behind the other
    write("app/workflows/hello.py", "from .sub.parts import NAME\n" + _line("wf", "x"))
    write("app/workflows/sub/parts.py", "NAME = 1\n", head="")
    assert _found(discover(app)) == [("x", "workflows/hello.py:wf")]
    (app / "workflows" / "__init__.py").touch()
    for name in [one for one in sys.modules if one.partition(".")[0] == "workflows"]:
        del sys.modules[name]
    assert _found(discover(app)) == [("x", "workflows/hello.py:wf")]


def test_two_apps_in_one_process_do_not_mix(tmp_path: Path, write: Write) -> None:
    for name in ("one", "two"):
        write(f"{name}/workflows/sync.py", "from .parts import ID\nwf = cm.workflow(ID).then(load).build()\n")
        write(f"{name}/workflows/parts.py", f"ID = '{name}'\n", head="")
    for name in ("one", "two", "one"):
        assert _found(discover(tmp_path / name)) == [(name, "workflows/sync.py:wf")]


def test_discovering_twice_finds_the_same_and_what_has_come_since(tmp_path: Path, write: Write) -> None:
    write("workflows/a.py", _line("wf", "a"))
    first = discover(tmp_path)
    write("workflows/b.py", _line("wf", "b"))
    second = discover(tmp_path)
    assert [id_ for id_, _ in _found(second)] == ["a", "b"]
    assert first.workflows["a"].workflow is second.workflows["a"].workflow


def test_a_workflow_that_is_imported_or_has_other_options_is_still_one(tmp_path: Path, write: Write) -> None:
    write("workflows/z.py", _line("wf", "x") + "nightly = wf.options(priority=3)\nalias = wf\n")
    write("workflows/a.py", "from .z import wf, nightly\n")
    assert _found(discover(tmp_path)) == [("x", "workflows/z.py:wf")]


def test_a_file_that_raises_is_reported_from_its_first_line_on_and_the_others_work(
    tmp_path: Path, write: Write
) -> None:
    write("_lib.py", "def fail():\n    raise RuntimeError('no luck\\nat all')\n", head="")
    file = write("workflows/bad.py", "from _lib import fail\nfail()\n")
    write("workflows/good.py", _line("wf", "good"))
    catalog = discover(tmp_path)
    assert list(catalog.workflows) == ["good"]
    problem = _only(catalog)
    assert (problem.file, problem.message) == (Path("workflows/bad.py"), "RuntimeError: no luck")
    told = problem.detail.splitlines()
    assert told[:2] == ["Traceback (most recent call last):", f'  File "{file}", line 9, in <module>']
    assert told[-2:] == ["RuntimeError: no luck", "at all"]
    assert str(tmp_path / "_lib.py") in problem.detail
    assert "importlib" not in problem.detail


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyError", "KeyError: KeyError"),
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("class Odd(Exception):\n    def __str__(self) -> str:\n        raise ValueError\nraise Odd", "Odd: "),
        ("def deeper() -> None:\n    deeper()\ndeeper()", "RecursionError: "),
    ],
)
def test_whatever_a_file_raises_the_others_work(tmp_path: Path, write: Write, lines: str, said: str) -> None:
    write("workflows/bad.py", lines)
    write("workflows/good.py", _line("wf", "good"))
    catalog = discover(tmp_path)
    assert list(catalog.workflows) == ["good"]
    assert _only(catalog).message.startswith(said)


def test_a_syntax_error_is_reported_with_its_line_and_without_an_empty_traceback(tmp_path: Path, write: Write) -> None:
    file = write("workflows/bad.py", "wf = (\n")
    problem = _only(discover(tmp_path))
    assert problem.message == "SyntaxError: '(' was never closed (bad.py, line 8)"
    assert problem.detail.startswith(f'  File "{file}", line 8\n    wf = (')


def test_a_file_that_is_no_text_is_reported(tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "bad.py").write_bytes(b"name = '\xff'\n")
    problem = _only(discover(tmp_path))
    assert problem.message.startswith("SyntaxError: ")


def test_a_package_that_raises_is_reported_for_each_of_its_files(tmp_path: Path, write: Write) -> None:
    package = write("workflows/__init__.py", "1 / 0\n", head="")
    write("workflows/a.py", _line("wf", "a"))
    problem = _only(discover(tmp_path))
    assert (problem.file, problem.message) == (Path("workflows/a.py"), "ZeroDivisionError: division by zero")
    assert f'File "{package}", line 1' in problem.detail
    package.write_text("")
    assert [id_ for id_, _ in _found(discover(tmp_path))] == ["a"]


def test_the_mistakes_of_an_author_are_shown_as_they_are_formatted(tmp_path: Path, write: Write) -> None:
    file = write("workflows/bad.py", 'wf = cm.workflow("x").then(load).then(add, m=1).then(load).build()\n')
    problem = _only(discover(tmp_path))
    assert problem.message == "a workflow has mistakes"
    assert problem.detail.startswith('workflow "x" has 2 mistakes\n\n1. ')
    assert "→ " in problem.detail
    assert "Traceback" not in problem.detail
    with pytest.raises(AuthorError) as raised:
        load_file(file)
    assert str(raised.value).startswith('workflow "x" has 2 mistakes')


def test_two_workflows_with_one_id_are_reported_with_both_places(tmp_path: Path, write: Write) -> None:
    write("workflows/a.py", _line("one", "x"))
    write("workflows/b.py", _line("two", "x"))
    write("workflows/c.py", "from .b import two\n")
    catalog = discover(tmp_path)
    problem = _only(catalog)
    assert problem.message == 'two workflows are called "x": workflows/a.py:one and workflows/b.py:two'
    assert problem.detail == "Give one of them another id."
    assert catalog.workflows["x"].source == "workflows/a.py:one"


def test_a_flow_that_was_never_built_is_reported_once(tmp_path: Path, write: Write) -> None:
    write("workflows/a.py", 'half = cm.workflow("x").then(load)\n')
    write("workflows/b.py", "from .a import half\n")
    problem = _only(discover(tmp_path))
    assert (problem.file, problem.message) == (Path("workflows/a.py"), 'the flow "half" was never built')
    assert problem.detail == "End it with .build()."


def test_a_flow_that_a_workflow_stands_on_is_not_reported(tmp_path: Path, write: Write) -> None:
    write(
        "workflows/a.py",
        """
        start = cm.workflow("x")
        loaded = start.then(load)
        side = loaded.then(add, id="side").end()
        whole = loaded.also(lambda flow: flow.then(add, id="beside"))
        done = whole.then(add)
        wf = done.build()
        """,
    )
    write("workflows/elsewhere.py", 'begun = cm.workflow("y").then(load)\n')
    write("workflows/last.py", "from .elsewhere import begun\nfrom .a import add\nwf = begun.then(add).build()\n", "")
    catalog = discover(tmp_path)
    assert [(one.file.name, one.message) for one in catalog.problems] == [("a.py", 'the flow "side" was never built')]
    assert list(catalog.workflows) == ["x", "y"]


def test_a_second_end_of_a_built_workflow_is_reported(tmp_path: Path, write: Write) -> None:
    lines = 'loaded = cm.workflow("x").then(load)\nwf = loaded.build()\nforgotten = loaded.then(add)\n'
    write("workflows/a.py", lines)
    assert _only(discover(tmp_path)).message == 'the flow "forgotten" was never built'


@pytest.fixture
def catalog(tmp_path: Path, write: Write) -> Catalog:
    ids = ("flights.delays", "trains.delays", "eu.sales.sync", "report")
    write("workflows/a.py", "".join(_line(f"wf{at}", id_) for at, id_ in enumerate(ids)))
    return discover(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "id_"),
    [("report", "report"), ("sync", "eu.sales.sync"), ("sales.sync", "eu.sales.sync"), ("eu.sales.sync",) * 2],
)
def test_a_workflow_is_found_by_its_id_or_by_the_end_of_it(catalog: Catalog, wanted: str, id_: str) -> None:
    assert catalog.find(wanted).workflow.id == id_


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("delays", "'delays' is the end of 2 workflows: flights.delays, trains.delays\n→ say more"),
        ("flights.delay", "no workflow 'flights.delay' in "),
        ("flights.delay", "did you mean flights.delays or trains.delays?"),
        ("dleays", "did you mean flights.delays or trains.delays?"),
        ("snyc", "did you mean eu.sales.sync?"),
        ("ort", "no workflow 'ort'"),
        ("", "no workflow ''"),
        ("zzz", "there are: eu.sales.sync, flights.delays, report, trains.delays"),
    ],
)
def test_what_is_not_found_is_refused_with_what_may_be_meant(catalog: Catalog, wanted: str, said: str) -> None:
    with pytest.raises(UnknownWorkflow) as raised:
        catalog.find(wanted)
    assert said in str(raised.value)


def test_a_search_in_an_empty_app_says_how_to_begin(tmp_path: Path, write: Write) -> None:
    with pytest.raises(UnknownWorkflow) as raised:
        discover(tmp_path, "flows").find("hello")
    assert raised.value.way_out.startswith("put one into flows/, for example flows/hello.py")
    write("workflows/bad.py", "1 / 0")
    with pytest.raises(UnknownWorkflow) as raised:
        discover(tmp_path).find("hello")
    assert "something is wrong with workflows/bad.py (see: codemation workflows list)" in raised.value.way_out


def test_a_file_anywhere_is_loaded_with_its_neighbours(tmp_path: Path, write: Write) -> None:
    write("parts.py", "ID = 'x'\n", head="")
    file = write("my-flow.py", "from parts import ID\nwf = cm.workflow(ID).then(load).build()\n")
    catalog = load_file(file)
    assert catalog.workflows["x"].source == f"{file}:wf"
    assert load_file(file, tmp_path / "app").workflows["x"].workflow.digest == catalog.workflows["x"].workflow.digest


def test_a_file_called_like_a_module_of_python_or_of_ours_hides_neither(tmp_path: Path, write: Write) -> None:
    import json

    for name in ("json", "codemation", "pytest"):
        known = sys.modules[name]
        assert list(load_file(write(f"{name}.py", _line("wf", name))).workflows) == [name]
        assert sys.modules[name] is known
    assert json.loads("1") == 1


def test_a_relative_path_is_loaded_from_the_current_folder(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("flow.py", _line("wf", "x"))
    monkeypatch.chdir(tmp_path)
    assert load_file(Path("flow.py"), Path()).workflows["x"].source == "flow.py:wf"


def test_a_file_that_is_not_there_or_broken_is_refused_by_name(tmp_path: Path, write: Write) -> None:
    with pytest.raises(UnknownWorkflow, match="there is no file"):
        load_file(tmp_path / "none.py")
    with pytest.raises(UnknownWorkflow, match="there is no file"):
        load_file(tmp_path)
    bad = write("bad.py", "1 / 0")
    with pytest.raises(BrokenFile) as raised:
        load_file(bad)
    assert raised.value.message.startswith(f"{bad} cannot be imported: ZeroDivisionError: division by zero\n")
    assert f'File "{bad}", line 8, in <module>' in raised.value.message
    text = write("notes.txt", "")
    with pytest.raises(BrokenFile, match="is no Python file"):
        load_file(text)

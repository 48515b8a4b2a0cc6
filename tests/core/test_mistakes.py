"""How mistakes are told: all at once, each with its place, its line and the way out."""

from __future__ import annotations

import importlib.util
import linecache
import pickle
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import codemation as cm
from codemation.core.errors import CodemationError
from codemation.core.mistakes import Mistake, listed, meant, near
from codemation.core.places import Place, here, place_of, raised_at

HERE = Path(__file__).parent


@pytest.fixture
def twelve(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.chdir(HERE)
    spec = importlib.util.spec_from_file_location("twelve_mistakes", HERE / "twelve_mistakes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "twelve_mistakes", module)
    spec.loader.exec_module(module)
    return module


def test_twelve_mistakes_come_in_one_error(twelve: ModuleType) -> None:
    with pytest.raises(cm.AuthorError) as caught:
        twelve.bad().build()
    assert f"{caught.value}\n" == (HERE / "twelve_mistakes.txt").read_text()


def test_the_function_form_tells_its_mistakes_alike() -> None:
    with pytest.raises(cm.AuthorError, match="the workflow has no nodes"):

        @cm.workflow("empty")
        def empty(start: cm.Flow) -> None: ...


def test_a_single_mistake_is_no_mistakes() -> None:
    error = cm.AuthorError("w", [Mistake(place=Place(file="nowhere.py", line=3), what="wrong", way_out="do right")])
    assert str(error) == 'workflow "w" has 1 mistake\n\n1. wrong\n   nowhere.py:3\n   → do right'


def test_numbers_of_many_mistakes_stand_below_one_another() -> None:
    mistakes = [Mistake(place=Place(file="a.py", line=line), what="w", way_out="o") for line in range(10)]
    assert " 9. w\n    a.py:8\n    → o\n10. w" in str(cm.AuthorError("w", mistakes))


def test_the_same_mistake_at_the_same_place_counts_once() -> None:
    mistake = Mistake(place=Place(file="a.py", line=1), what="w", way_out="o")
    assert cm.AuthorError("w", [mistake, mistake]).mistakes == (mistake,)


def test_mistakes_are_sorted_by_place_and_cells_come_by_number() -> None:
    places = [
        Place(file="b.py", line=1),
        Place(file="z", line=9, cell=10),
        Place(file="a.py", line=20),
        Place(file="y", line=1, cell=9),
        Place(file="a.py", line=3),
    ]
    error = cm.AuthorError("w", [Mistake(place=place, what="w", way_out="o") for place in places])
    told = [str(mistake.place) for mistake in error.mistakes]
    assert told == ["cell In[9], line 1", "cell In[10], line 9", "a.py:3", "a.py:20", "b.py:1"]


def test_an_author_error_survives_a_process_boundary() -> None:
    error = cm.AuthorError("w", [Mistake(place=Place(file="a.py", line=1), what="w", way_out="o")])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - dumped in the same breath
    assert (str(again), again.mistakes) == (str(error), error.mistakes)
    assert isinstance(again, CodemationError)


def test_a_notebook_shows_no_frame_of_the_framework() -> None:
    error = cm.AuthorError("w", [])
    assert error._render_traceback_() == [f"AuthorError: {error}"]


def test_a_word_that_is_nearly_right_is_suggested() -> None:
    assert near("limt", ["limit", "other"]) == "limit"
    assert near("x", ["limit"]) is None
    assert meant("x", ["limit"], "otherwise") == "otherwise"
    assert listed([], "none") == "none"


def test_a_place_is_relative_to_the_working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(Place(file=str(tmp_path / "flows" / "a.py"), line=3)) == "flows/a.py:3"
    assert str(Place(file="/elsewhere/a.py", line=3)) == "/elsewhere/a.py:3"
    assert str(Place(file="<string>", line=3)) == "<string>:3"


def test_the_place_is_the_line_of_the_verb_in_a_long_chain() -> None:
    flow: Any = cm.workflow("w")
    with pytest.raises(cm.AuthorError) as caught:
        (
            flow
            .map(lambda one: one)
            .then(3)
            .build()
        )  # fmt: skip
    assert caught.value.mistakes[0].place.source == ".then(3)"


def test_a_mistake_inside_a_branch_is_told_at_its_own_line() -> None:
    flow: Any = cm.workflow("w")

    def raising(branch: Any) -> Any:
        return branch.map(missing_name)  # type: ignore[name-defined]  # noqa: F821 - the name is what is missing

    with pytest.raises(cm.AuthorError) as caught:
        flow.also(raising).map(str).build()
    assert "missing_name" in caught.value.mistakes[0].place.source


def test_a_frame_that_is_all_there_is_counts_as_the_author() -> None:
    assert here().file == __file__


def test_an_error_without_a_frame_of_the_author_is_told_where_it_was_noticed() -> None:
    otherwise = Place(file="a.py", line=1)
    assert raised_at(ValueError("never raised"), otherwise) == otherwise


class Compiler:
    """What IPython knows about its cells."""

    def format_code_name(self, name: str) -> tuple[str, str] | None:
        return ("Cell", "In[4]") if name == "/tmp/ipykernel_1/42.py" else None  # noqa: S108 - a name, no file


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(compile=Compiler())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    yield
    linecache.clearcache()


@pytest.mark.usefixtures("notebook")
def test_in_a_notebook_the_place_is_a_cell() -> None:
    name = "/tmp/ipykernel_1/42.py"  # noqa: S108 - a name, no file
    source = "import codemation as cm\nflow = cm.workflow('w').then(3)\n"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    scope: dict[str, Any] = {}
    exec(compile(source, name, "exec"), scope)  # noqa: S102 - a cell is executed code
    with pytest.raises(cm.AuthorError, match=r"cell In\[4\], line 2   flow = cm\.workflow\('w'\)\.then\(3\)"):
        scope["flow"].build()


@pytest.mark.usefixtures("notebook")
def test_a_module_that_a_notebook_imports_is_no_cell() -> None:
    assert place_of("a.py", 3).cell is None


def test_plain_ipython_names_its_cells_by_number() -> None:
    assert place_of("<ipython-input-12-abcdef>", 3).cell == 12


def test_a_process_without_a_shell_has_no_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert place_of("a.py", 3).cell is None

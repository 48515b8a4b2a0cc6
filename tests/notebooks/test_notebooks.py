"""The notebooks for readers run with stock papermill, and say what they promise; so does what an author tries there."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbconvert.filters import strip_ansi

from tests.notebooks.execution import TUTORIALS, Executed, execute, source, written

FAILING = """\
import codemation as cm

@cm.node
def seats(row: dict[str, object]) -> int:
    raise ValueError("there are no seats")

run = cm.workflow("books.failing").then(seats).build().run()"""


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Executed:
    """The tutorial of the flights, executed."""
    return execute(TUTORIALS / "flights.ipynb", tmp_path_factory.mktemp("flights"))


@pytest.fixture(scope="module")
def booking(tmp_path_factory: pytest.TempPathFactory) -> Executed:
    """The booking, executed with less patience."""
    return execute(TUTORIALS / "booking.ipynb", tmp_path_factory.mktemp("booking"), "patience=1s")


@pytest.mark.parametrize("path", sorted(TUTORIALS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_came_out(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert path.read_text() == json.dumps(json.loads(path.read_text()), indent=1, ensure_ascii=False) + "\n"


def test_the_flights_are_authored_over_several_cells_and_run(flights: Executed) -> None:
    assert flights.code == 0, flights.said
    assert "<svg" in flights.html("workflow")
    assert "<svg" in flights.html("run")
    assert "✓ load_flights" in flights.text("run")
    assert "→ 930" in flights.text("run")
    assert "shape: (10, 3)" in flights.text("output")
    assert "│ MQ      ┆ 15   ┆ 61.0  │" in flights.text("output")


def test_a_mistake_is_told_with_its_cell_and_line(flights: Executed) -> None:
    assert flights.code == 0, flights.said
    number = flights.cells["mistake"]["execution_count"]
    told = flights.text("mistake")
    assert f"cell In[{number}], line 2" in told
    assert "did you mean 'min_delay'?" in told


def test_the_session_stops_at_the_join_and_goes_back_before_it(flights: Executed) -> None:
    assert flights.code == 0, flights.said
    assert flights.text("session") == "('load_flights', 'load_weather')"
    assert "due: by_carrier>" in flights.text("step")
    assert "28.7695" in flights.text("rows")
    assert flights.text("back") == "(('attach_weather',), ('attach_weather',))"


def test_what_is_pinned_is_not_executed_and_only_what_is_edited_changes(flights: Executed) -> None:
    assert flights.code == 0, flights.said
    assert "✓ load_weather                               → 72 · pinned" in flights.text("pin")
    assert "succeeded>" in flights.text("edit")
    assert "│ MQ      ┆ 15   ┆ 61.0  ┆ 0.0  │" in flights.text("edited-output")
    why = {line.split()[0]: line.split()[1] for line in flights.text("why").splitlines()}
    assert why.pop("load_weather") == "pinned"
    assert set(why.values()) == {"ran"}


def test_the_difference_names_the_code_the_column_and_the_rows(flights: Executed) -> None:
    assert flights.code == 0, flights.said
    diff = flights.text("diff")
    assert "by_carrier: rewritten" in diff
    assert "by_carrier.main: wind: not there → double" in diff
    assert "load_weather.main: 72 → 72 rows; 0 added, 0 removed, 72 changed" in diff
    assert "keep_late" not in diff.partition("\ntiming")[0]


def test_a_booking_waits_for_people_and_for_a_payment_in_time(booking: Executed) -> None:
    assert booking.code == 0, booking.said
    assert "<svg" in booking.html("workflow")
    assert "‖ approve" in booking.text("run")
    assert booking.text("waits") == "('approval', 'A room for Ada', ('desk',))"
    assert booking.text("event") == "['Ada has paid 120.00 and gets room 7']"


def test_a_payment_counts_when_it_is_early_and_not_when_it_is_late(booking: Executed) -> None:
    assert booking.code == 0, booking.said
    assert booking.text("early") == "['Grace has paid 90.00 and gets room 8']"
    assert booking.text("late") == "['Alan has not paid: room 9 is free again']"
    assert "– confirm" in booking.text("too-late")


def test_a_notebook_whose_run_fails_fails_and_shows_the_line(tmp_path: Path) -> None:
    failed = execute(written(tmp_path, [FAILING, "print('not reached')"]), tmp_path)
    assert failed.code != 0
    assert "there are no seats" in failed.said
    (error,) = [output for output in failed.cells["cell-1"]["outputs"] if output["output_type"] == "error"]
    assert error["ename"].endswith("RunFailed")
    told = strip_ansi("\n".join(error["traceback"]))
    assert "Cell In[1], line 5, in seats(row)" in told
    assert '----> 5     raise ValueError("there are no seats")' in told
    assert 'failed at "seats", item 0: ValueError: there are no seats' in told
    assert failed.cells["cell-2"]["outputs"] == []


def test_running_cells_again_breaks_nothing(tmp_path: Path) -> None:
    code = source("flights.ipynb")
    authored = [code[name] for name in ("imports", "parameters", "sources", "work", "workflow", "mistake")]
    twice = [cell for cell in authored for _ in range(2)]
    again = [code["work"], code["sources"], code["workflow"], code["mistake"]]
    ends = [code["run"], code["run"], "late.digest == quiet.definition.digest, quiet.output['late'].sum()"]
    executed = execute(written(tmp_path, [*twice, *again, *ends]), tmp_path)
    assert executed.code == 0, executed.said
    assert executed.text("cell-10").split("\n  params")[0] == executed.text("cell-15").split("\n  params")[0]
    for number in (11, 12, 16):
        assert executed.text(f"cell-{number}").count("1 mistake") == 1
        assert f"cell In[{number}], line 2" in executed.text(f"cell-{number}")
    assert executed.text("cell-19") == "(True, 68)"

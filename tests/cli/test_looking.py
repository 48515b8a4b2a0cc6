"""The commands that look at an app: workflows, params, render, config, db and doctor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from codemation import __version__
from tests.cli.shop import Shop
from tests.host.postgres.embedded.world import temporary_project

PARAMS = """\
option       type          default        meaning
--count      INT           4              How many orders to make up.
--broken     INT           -1             Number of the order that cannot be priced; -1 for none.
--rates      JSON          {"DE": 1.19}   Tax by country.
--tags       TEXT …        none           Written on the report.
--day        DATE          2026-01-31
--pace       fast|careful  fast           How to price.
--loud       yes or no     no             Print a line for each order.
--param-key  TEXT          plain          Called like an option of the command.
"""
PLAN = """\
shop.stock

  start            input → Line
  double  ← start  then → Line

  outputs  main ← double
"""


@pytest.fixture
def broken(shop: Shop) -> Iterator[str]:
    """A file that cannot be imported, for the length of a test."""
    file = shop.folder / "workflows" / "lost.py"
    file.write_text("import no_such_library\n")
    yield "workflows/lost.py"
    file.unlink()


def test_the_version_is_told(shop: Shop) -> None:
    assert shop.codemation("--version").stdout == f"codemation {__version__}\n"


def test_the_params_of_a_workflow_are_a_table(shop: Shop) -> None:
    shown = shop.codemation("params", "orders").stdout
    assert [line.split() for line in shown.splitlines()] == [line.split() for line in PARAMS.splitlines()]


def test_the_params_of_a_workflow_are_a_schema_for_programs(shop: Shop) -> None:
    schema = json.loads(shop.codemation("params", "orders", "--json").stdout)
    assert schema["properties"]["count"]["description"] == "How many orders to make up."


def test_a_workflow_without_params_says_so(shop: Shop) -> None:
    done = shop.codemation("params", "held")
    assert (done.exit_code, done.stdout, "has no params" in done.stderr) == (0, "", True)


def test_the_workflows_are_listed_with_their_files(shop: Shop) -> None:
    lines = shop.codemation("workflows", "list").stdout.splitlines()
    assert lines[3].split() == ["shop.orders", "4", "workflows/orders.py:orders", "Orders", "of", "a", "day"]


def test_a_file_that_cannot_be_imported_is_told_of_and_hides_no_other(shop: Shop, broken: str) -> None:
    listed = shop.codemation("workflows", "list")
    assert listed.exit_code == 0
    assert "shop.orders" in listed.stdout
    assert f"! {broken}: ModuleNotFoundError: No module named 'no_such_library'" in listed.stderr
    problems = json.loads(shop.codemation("workflows", "list", "--json").stdout)["problems"]
    assert [problem["file"] for problem in problems] == [broken]
    assert "import no_such_library" in shop.codemation("run", "lost").stderr


def test_the_nodes_of_a_workflow_are_shown(shop: Shop) -> None:
    assert shop.codemation("workflows", "show", "stock").stdout == PLAN
    assert json.loads(shop.codemation("workflows", "show", "stock", "--json").stdout)["workflow"] == "shop.stock"


def test_a_workflow_is_drawn_in_the_form_of_the_files_name(shop: Shop, tmp_path: Path) -> None:
    assert shop.codemation("render", "stock").stdout == PLAN
    assert shop.codemation("render", "stock", "--as", "mermaid").stdout.startswith("flowchart LR\n")
    for name, beginning in (
        ("plan.svg", "<svg"),
        ("plan.mmd", "flowchart"),
        ("plan.txt", "shop.stock"),
        ("plan.html", "<!doctype html>"),
    ):
        done = shop.codemation("render", "stock", "-o", str(tmp_path / name))
        assert done.exit_code == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(beginning)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a workflow, or a run"),
        (["stock", "--run", "last"], "name a workflow, or a run"),
        (["stock", "-o", "no/such/folder/plan.svg"], "cannot be written"),
        (["stock", "-o", "plan.png"], "plan.png names no form\n→ -o plan.svg, or .html"),
    ],
)
def test_a_drawing_that_cannot_be_is_refused(shop: Shop, words: list[str], said: str) -> None:
    done = shop.codemation("render", *words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_the_settings_are_shown_with_where_they_come_from_and_without_passwords(shop: Shop) -> None:
    url = "postgresql://me:secret@localhost/x?sslpassword=hidden"
    done = shop.codemation("config", CODEMATION_THREADS="3", DATABASE_URL=url)
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["threads"] == ["3", "environment", "CODEMATION_THREADS"]
    assert rows["workflows"] == ["workflows", "default"]
    assert rows["database_url"][0] == "postgresql://me:…@localhost/x?sslpassword=…"
    assert json.loads(shop.codemation("config", "--json").stdout)["root"] == str(shop.folder)


def test_the_database_tells_of_itself(shop: Shop) -> None:
    shop.codemation("run", "stock", "-", given='{"sku": "a", "amount": 1}')
    state = json.loads(shop.codemation("db", "status", "--json").stdout)
    assert state["current"] is True
    assert state["schema"] == state["wanted"]
    assert "as this release wants it" in shop.codemation("db", "status").stdout
    assert "nothing to do" in shop.codemation("db", "migrate").stderr
    assert shop.codemation("db", "url").stdout.startswith("postgresql://codemation@")


def test_the_password_of_a_database_is_shown_only_when_that_is_asked_for(shop: Shop) -> None:
    url = "postgresql://me:secret@localhost:1/x"
    assert shop.codemation("db", "url", CODEMATION_DATABASE_URL=url).stdout == "postgresql://me:…@localhost:1/x\n"
    assert shop.codemation("db", "url", "--reveal", CODEMATION_DATABASE_URL=url).stdout == f"{url}\n"


def test_the_doctor_finds_a_healthy_app_healthy(shop: Shop) -> None:
    shop.codemation("run", "stock", "-", given='{"sku": "a", "amount": 1}')
    done = shop.codemation("doctor")
    assert done.exit_code == 0
    assert {line[0] for line in done.stdout.splitlines()} == {"✓"}
    checks = json.loads(shop.codemation("doctor", "--json").stdout)
    assert [check["name"] for check in checks if check["verdict"] != "good"] == []
    assert {"versions", "settings", "workflows", "state folder", "database", "schema", "runs"} == {
        check["name"] for check in checks
    }


def test_the_doctor_finds_what_is_broken_and_says_what_to_do(shop: Shop, broken: str) -> None:
    done = shop.codemation("doctor", CODEMATION_DATABASE_URL="postgresql://me:secret@127.0.0.1:1/none")
    assert done.exit_code == 1
    assert f"✗ workflows     {broken}" in done.stdout
    assert "✗ database      " in done.stdout
    assert "→ start the server" in done.stdout
    assert "secret" not in done.output
    settings = shop.codemation("doctor", CODEMATION_THREADS="none")
    assert (settings.exit_code, settings.stdout.startswith("✗ settings")) == (1, True)


def test_looking_at_an_app_makes_no_database() -> None:
    with temporary_project() as project:
        empty = Shop(folder=project.folder)
        for words in (["runs", "list"], ["db", "status"], ["render", "--run", "last"]):
            done = empty.codemation(*words)
            assert done.exit_code == 2
            assert "nothing has been run" in done.stderr
        healthy = empty.codemation("doctor")
        assert healthy.exit_code == 0
        assert "not made yet" in healthy.stdout
        assert not project.directory.exists()


def test_a_command_that_is_not_there_is_refused_with_the_nearest_one(shop: Shop) -> None:
    for words, said in ((["rnus"], "did you mean 'runs'?"), (["runs", "lst"], "did you mean 'list'?")):
        done = shop.codemation(*words)
        assert done.exit_code == 2
        assert said in done.stderr


def test_something_unforeseen_is_one_line_and_the_place_on_request(shop: Shop) -> None:
    words = ["render", "stock", "-o", "\0.svg"]
    done = shop.codemation(*words)
    assert done.exit_code == 3
    assert "something went wrong inside codemation: ValueError" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in shop.codemation("--debug", *words).stderr

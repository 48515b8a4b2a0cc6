"""Parts of runs that are done again at the terminal, and pins as files."""

from __future__ import annotations

import json

import pytest

from tests.cli.shop import Shop


@pytest.fixture(scope="module")
def failed(shop: Shop) -> str:
    """The id of a run that has failed."""
    return str(json.loads(shop.codemation("run", "orders", "--broken", "1", "--loud", "--json").stdout)["id"])


@pytest.fixture(scope="module")
def done(shop: Shop) -> str:
    """The id of a run that has succeeded."""
    return str(json.loads(shop.codemation("run", "orders", "--count", "3", "--json").stdout)["id"])


def ways(shop: Shop, run: str) -> dict[str, str]:
    """What became of each node of a run."""
    return {one["node"]: one["what"] for one in json.loads(shop.codemation("runs", "why", run, "--json").stdout)}


def test_a_replay_begins_at_a_node_and_takes_over_what_is_before_it(shop: Shop, done: str) -> None:
    again = shop.codemation("runs", "replay", done, "--from", "report", "--json")
    assert again.exit_code == 0
    made = json.loads(again.stdout)["id"]
    assert made != done
    assert ways(shop, made) == {"make": "taken over", "price": "taken over", "check": "taken over", "report": "ran"}


def test_a_replay_up_to_a_node_shows_what_that_node_gave(shop: Shop, done: str) -> None:
    again = shop.codemation("runs", "replay", done, "--to", "price", "-q")
    assert again.stdout == "price  3 items\n  id  total\n  A0    0.0\n  A1    1.5\n  A2    3.0\n"
    assert ways(shop, "last") == {"make": "taken over", "price": "ran", "check": "skipped", "report": "skipped"}


def test_a_failed_run_is_done_again_with_another_param_where_that_or_the_failure_matters(
    shop: Shop, failed: str
) -> None:
    again = shop.codemation("runs", "replay", failed, "--param", "broken=-1", "--json")
    assert again.exit_code == 0
    assert (json.loads(again.stdout)["params"]["broken"], ways(shop, "last")["price"]) == (-1, "ran")


def test_what_is_wrong_with_a_replay_is_said_with_the_way_out(shop: Shop, done: str) -> None:
    for words, said in {
        ("--from", "reprt"): "did you mean 'report'?",
        ("--param", "brokn=1"): "did you mean 'broken'?",
        ("--param", "broken"): "--param NAME=VALUE",
        ("--param", "broken=x"): "broken: Input should be a valid integer",
    }.items():
        refused = shop.codemation("runs", "replay", done, *words)
        assert (refused.exit_code, said in refused.stderr) == (2, True)


def test_pins_are_saved_from_a_run_shown_and_given_to_another(shop: Shop, done: str) -> None:
    assert shop.codemation("pins", "list").stderr.startswith("there are no pins; keep what a run gave")
    saved = shop.codemation("pins", "save", done, "pins/orders", "price", "make@main")
    assert saved.stderr == "written to pins/orders: price, make\n"
    listed = json.loads(shop.codemation("pins", "list", "--json").stdout)
    assert [(one["key"], one["kind"], one["count"], one["origin"]) for one in listed] == [
        ("make", "items", 3, f"run {done}"),
        ("price", "items", 3, f"run {done}"),
    ]
    shown = shop.codemation("pins", "list", COLUMNS="80").stdout.splitlines()
    assert shown[0].split() == ["folder", "node", "kind", "count", "by", "at", "from"]
    assert shown[1].startswith("pins/orders  make   items      3")
    assert max(map(len, shown)) <= 80
    assert shop.codemation("pins", "show", "pins/orders", "price").stdout.startswith(f"price  3 items\n  run {done}")
    assert json.loads(shop.codemation("pins", "show", "pins/orders", "make", "--json").stdout)[0]["items"][1] == {
        "id": "A1",
        "total": 1.5,
    }
    ran = shop.codemation("run", "orders", "--count", "99", "--pins", "pins/orders", "--json")
    assert json.loads(ran.stdout)["outputs"]["main"][0]["checked"] == 3
    assert ways(shop, "last") == {"make": "pinned", "price": "pinned", "check": "ran", "report": "ran"}


def test_every_node_that_gave_something_is_saved_and_pins_are_removed_by_name(shop: Shop, done: str) -> None:
    saved = shop.codemation("pins", "save", done, "pins/whole")
    assert saved.stderr == "written to pins/whole: make, price, check, report\n"
    assert shop.codemation("pins", "remove", "pins/whole").exit_code == 2
    assert "did you mean 'price'?" in shop.codemation("pins", "remove", "pins/whole", "prce").stderr
    assert shop.codemation("pins", "remove", "pins/whole", "price").stderr == "removed from pins/whole: price\n"
    assert "did you mean" not in shop.codemation("pins", "show", "pins/whole", "make").stderr
    assert "it has check, make, report" in shop.codemation("pins", "show", "pins/whole", "xyz").stderr
    assert shop.codemation("pins", "remove", "pins/whole", "--all").exit_code == 0
    assert not (shop.folder / "pins" / "whole").exists()
    missing = shop.codemation("pins", "show", "pins/whole")
    assert (missing.exit_code, "codemation pins save RUN FOLDER" in missing.stderr) == (2, True)


def test_of_a_run_that_gave_nothing_nothing_is_saved(shop: Shop) -> None:
    run = json.loads(shop.codemation("run", "stock.stock", "--json").stdout or '{"id": ""}')
    assert not run["id"]
    empty = json.loads(shop.codemation("run", "stock.sorted", "-", "--json", given="").stdout)["id"]
    refused = shop.codemation("pins", "save", empty, "pins/none")
    assert (refused.exit_code, "has given anything" in refused.stderr) == (2, True)


def test_a_run_that_gave_a_table_is_saved_as_a_table(shop: Shop) -> None:
    (shop.folder / "tables.py").write_text(
        "import codemation as cm\nimport polars as pl\n\n\n@cm.node\ndef rows() -> pl.DataFrame:\n"
        '    return pl.DataFrame({"a": list(range(9))})\n\n\ntables = cm.workflow("tables").then(rows).build()\n'
    )
    shop.codemation("run", "tables.py")
    assert shop.codemation("pins", "save", "last", "pins/tables").exit_code == 0
    shown = shop.codemation("pins", "show", "pins/tables").stdout
    assert (shown.splitlines()[0], "… 4 more" in shown) == ("rows  9 rows", True)
    assert len(json.loads(shop.codemation("pins", "show", "pins/tables", "--json").stdout)[0]["items"]) == 9

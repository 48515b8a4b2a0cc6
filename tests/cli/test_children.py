"""What the command line shows of runs that let other runs work, and how one goes on with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.shop import Shop

NESTED = """
import codemation as cm


@cm.node
def price(sku: str) -> str:
    if sku == "broken":
        raise ValueError("no price")
    return f"{sku} 1.50"


pricing = cm.workflow("nested.pricing", input=str).then(price).build()
asking = cm.workflow("nested.asking", input=str).approve(title="Fine?").build()
offers = cm.workflow("nested.offers", input=str).subworkflow(pricing, per="item").build()
asked = cm.workflow("nested.asked", input=str).subworkflow(asking).build()
"""


@pytest.fixture(autouse=True)
def nested(shop: Shop) -> None:
    (shop.folder / "workflows" / "nested.py").write_text(NESTED)


def given(*skus: str) -> str:
    return "".join(f"{json.dumps(sku)}\n" for sku in skus)


def test_a_run_is_shown_with_its_children_and_a_child_with_its_parent(shop: Shop) -> None:
    ran = shop.codemation("run", "nested.offers", "-", "--json", given=given("nut", "bolt"))
    run = json.loads(ran.stdout)
    assert (run["outputs"], run["parent"]) == ({"main": ["nut 1.50", "bolt 1.50"]}, None)
    children = [child["id"] for child in run["children"]]
    assert [child["parent"] for child in run["children"]] == [run["id"]] * 2
    shown = shop.codemation("runs", "show", run["id"]).stdout
    assert "subworkflow nested.pricing" in shop.codemation("workflows", "show", "nested.offers").stdout
    _, _, below = shown.partition("children\n")
    assert [line.split()[0] for line in below.splitlines()[:2]] == [child[-8:] for child in children]
    assert f"parent   run {run['id']}" in shop.codemation("runs", "show", children[0]).stdout
    assert json.loads(shop.codemation("runs", "show", "last", "--json").stdout)["id"] == run["id"]
    listed = shop.codemation("runs", "list", "-n", "3", "--children").stdout
    assert listed.count(f"nested.pricing for {run['id'][-8:]}") == 2


def test_children_are_left_out_of_a_list_and_counted(shop: Shop) -> None:
    run = json.loads(shop.codemation("run", "nested.offers", "-", "--json", given=given("a", "b", "c")).stdout)
    listed = shop.codemation("runs", "list", "-n", "1")
    assert json.loads(shop.codemation("runs", "list", "-n", "1", "--json").stdout)[0]["id"] == run["id"]
    assert "nested.pricing" not in listed.stdout
    assert "3 runs that work for others are left out; with them: --children" in listed.stderr
    alone = shop.codemation("runs", "list", "-w", "nested.pricing")
    assert (alone.stdout, "no run fits" in alone.stderr, "left out" in alone.stderr) == ("", False, True)
    assert "left out" not in shop.codemation("runs", "list", "--children").stderr
    rows = json.loads(shop.codemation("runs", "list", "-w", "nested.pricing", "-n", "3", "--children", "--json").stdout)
    assert [row["started_by"] for row in rows] == [f"run {run['id']}"] * 3


def test_a_failure_names_the_child_that_failed(shop: Shop) -> None:
    ran = shop.codemation("run", "nested.offers", "-", given=given("nut", "broken"))
    assert ran.exit_code == 1
    assert "ChildFailed: run " in ran.stderr
    assert "✗ nested.pricing: price" in ran.stderr
    assert "✓ price" not in ran.stderr
    assert "✓ pricing" in shop.codemation("run", "nested.offers", "-", given=given("nut")).stderr
    assert '"price": ValueError: no price' in ran.stderr
    assert "codemation runs show " in ran.stderr


def test_a_decision_about_a_child_lets_its_parent_go_on(shop: Shop) -> None:
    ran = shop.codemation("run", "nested.asked", "-", "--json", given=given("nut"))
    run = json.loads(ran.stdout)
    assert run["status"] == "waiting"
    child = run["children"][0]["id"]
    assert "another run" in shop.codemation("runs", "waits", run["id"]).stdout
    decided = shop.codemation("approvals", "approve", child)
    assert decided.exit_code == 0, decided.stderr
    resumed = shop.codemation("runs", "resume", run["id"], "--json")
    assert json.loads(resumed.stdout)["status"] == "succeeded"


def test_many_children_are_counted(shop: Shop, tmp_path: Path) -> None:
    ran = shop.codemation("run", "nested.offers", "-", "--json", given=given(*(f"s{n}" for n in range(12))))
    shown = shop.codemation("runs", "show", json.loads(ran.stdout)["id"]).stdout
    assert "… 2 more" in shown

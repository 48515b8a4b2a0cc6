"""What a run answers on the command line: why, what differs, where an item came from; and runs as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.shop import Shop

WHY = """\
node    what         because
make    ran          it takes no items, and had to come after the input only
price   failed       ValueError: there is no price for this order
check   ran          "make" had given 4 items
report  not reached  "price" failed
"""
DIFF = """\
FIRST (failed) → SECOND (succeeded)
params
  count: 4 → 5
  broken: 1 → -1
  loud: True → False
rows
  make.main: 4 → 5 rows; 1 added, 0 removed, 0 changed, by id
    + A4
"""
TRACE = """\
make:1  Order(id='A1', total=1.5)
came from
  nothing: it was given to the run, or made by a source
became
  check:1  Order(id='A1', total=1.5)
    report: not reached yet
  price: failed
"""


@pytest.fixture(scope="module")
def failed(shop: Shop) -> str:
    """The id of a run that has failed."""
    return str(json.loads(shop.codemation("run", "orders", "--broken", "1", "--loud", "--json").stdout)["id"])


@pytest.fixture(scope="module")
def done(shop: Shop, failed: str) -> str:
    """The id of a run that has succeeded, younger than the one that has failed."""
    return str(json.loads(shop.codemation("run", "orders", "--count", "5", "--json").stdout)["id"])


def test_each_node_says_why_it_ran_or_did_not(shop: Shop, failed: str) -> None:
    shown = shop.codemation("runs", "why", failed, COLUMNS="80")
    assert (shown.exit_code, shown.stdout) == (0, WHY)
    answers = json.loads(shop.codemation("runs", "why", failed, "--json").stdout)
    assert [one["what"] for one in answers] == ["ran", "failed", "ran", "not reached"]


def test_one_node_says_why_in_full(shop: Shop, failed: str) -> None:
    said = shop.codemation("runs", "why", failed, "price").stdout
    assert said == "price failed: ValueError: there is no price\n  for this order\n"
    answer = json.loads(shop.codemation("runs", "why", failed, "report", "--json").stdout)
    assert answer == {"node": "report", "what": "not reached", "because": '"price" failed'}


def test_two_runs_show_what_differs_between_them(shop: Shop, failed: str, done: str) -> None:
    shown = shop.codemation("runs", "diff", failed, done, COLUMNS="80")
    expected = DIFF.replace("FIRST", failed[-8:]).replace("SECOND", done[-8:])
    assert shown.exit_code == 0
    assert shown.stdout.startswith(expected)
    assert max(map(len, shown.stdout.splitlines())) <= 80
    found = json.loads(shop.codemation("runs", "diff", failed, done, "--json").stdout)
    assert (found["nothing"], found["before"], found["after"]) == (False, failed, done)
    assert {"name": "broken", "before": 1, "after": -1} in found["params"]


def test_a_run_does_not_differ_from_itself(shop: Shop, done: str) -> None:
    assert "params, code, columns and rows are the same" in shop.codemation("runs", "diff", done, done).stdout


def test_an_item_is_followed_to_where_its_way_ended(shop: Shop, failed: str) -> None:
    shown = shop.codemation("runs", "trace", failed, "make", "1", COLUMNS="80")
    assert (shown.exit_code, shown.stdout) == (0, TRACE)
    found = json.loads(shop.codemation("runs", "trace", failed, "make", "make:1", "--json").stdout)
    assert found["item"]["key"] == "make:1"
    assert found["became"][0]["to"] == ["check:1"]
    assert found["ends"] == {"check:1": ["report: not reached yet"], "make:1": ["price: failed"]}


def test_an_item_of_one_of_several_ports_is_followed_from_that_port(shop: Shop) -> None:
    shop.codemation("run", "stock.sorted", "-", given='{"sku": "a", "amount": 1}\n{"sku": "b", "amount": 9}')
    traced = shop.codemation("runs", "trace", "last", "sort@many", "0").stdout
    assert traced.startswith("sort.many:0  Line(sku='b', amount=9)\ncame from\n  start:1")
    unclear = shop.codemation("runs", "trace", "last", "sort", "0")
    assert unclear.exit_code == 2
    assert "codemation runs trace last sort@few 0 or codemation runs trace last sort@many 0" in unclear.stderr
    misspelt = shop.codemation("runs", "trace", "last", "sort@mny", "0")
    assert (misspelt.exit_code, "did you mean 'many'?" in misspelt.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["why", "RUN", "prise"], "did you mean 'price'?"),
        (["why", "zzzz"], "no run has an id that begins or ends with 'zzzz'"),
        (["diff", "RUN", "zzzz"], "no run has an id that begins or ends with 'zzzz'"),
        (["trace", "RUN", "make", "9"], "positions go from 0 to 3"),
        (["trace", "RUN", "make", "A1"], 'give its position, or its key, such as "make:0"'),
        (["trace", "RUN", "price", "0"], "codemation runs why RUN price"),
        (["trace", "RUN", "mak", "0"], "did you mean 'make'?"),
        (["export", "RUN"], "--to FILE.html"),
        (["export", "RUN", "--to", "run.pdf"], "--to run.html, or .json"),
        (["export", "RUN", "--to", "no/such/run.html"], "mkdir -p no/such"),
        (["export", "RUN", "--to", "run.html", "--json"], "say where to"),
    ],
)
def test_a_question_that_cannot_be_answered_says_what_to_type_instead(
    shop: Shop, failed: str, words: list[str], said: str
) -> None:
    refused = shop.codemation("runs", *(failed if word == "RUN" else word for word in words))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert said.replace("RUN", failed) in refused.stderr


def test_a_run_is_written_as_a_page_that_needs_nothing_else(shop: Shop, failed: str, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    written = shop.codemation("runs", "export", failed, "--to", str(page))
    assert (written.exit_code, written.stdout, written.stderr) == (0, "", f"written: {page}\n")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "there is no price" in text


def test_a_run_is_written_with_its_journal_and_what_each_node_gave(shop: Shop, done: str, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    assert shop.codemation("runs", "export", done, "--to", str(file)).exit_code == 0
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert kept == json.loads(shop.codemation("runs", "export", done, "--json").stdout)
    assert (kept["id"], kept["status"], kept["params"]["count"]) == (done, "succeeded", 5)
    gave = {(one["node"], one["port"]): one["items"] for one in kept["gave"]}
    assert [order["id"] for order in gave["make", "main"]] == ["A0", "A1", "A2", "A3", "A4"]
    assert [entry["revision"] for entry in kept["journal"]] == list(range(1, len(kept["journal"]) + 1))
    assert kept["journal"][0]["facts"][0]["fact"] == "began"
    assert kept["journal"][-1]["facts"][-1]["status"] == "succeeded"


def test_an_export_leaves_out_what_is_too_large_and_says_so(shop: Shop) -> None:
    line = json.dumps({"sku": "x" * 5_000_000, "amount": 1})
    shop.codemation("run", "stock", "-", "-q", given=line)
    (gave,) = json.loads(shop.codemation("runs", "export", "last", "--json").stdout)["gave"]
    assert (gave["node"], gave["count"], gave["items"]) == ("double", 1, None)
    assert "are more than 4,000,000" in gave["left_out"]

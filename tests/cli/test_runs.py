"""What `codemation runs` and `codemation render --run` show, and what can be done to a run afterwards."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from codemation.host.identity import user_at_host
from tests.cli.shop import Shop
from tests.cli.test_run import settled

SHOWN = """\
shop.orders  ✗ failed  run RUN
  started     NOW
  took
  started by  cli WHO
  params      count=4, broken=1, rates={"DE": 1.19}, tags=[], day=2026-01-31, pace=fast, loud=true, key=plain

  ✓ start                   → 1
  ✓ make                    → 4
  ✗ price   ← make          ValueError: there is no price for this order
  ✓ check   ← make          → 4
  · report  ← price, check  then → dict[str, object]

workflows/orders.py:43, in price
    raise ValueError("there is no price\\nfor this order")
ValueError: there is no price
  for this order

item 1 (make:1): id=A1, total=1.5

go on with it: codemation runs resume SHORT
"""


@pytest.fixture
def failed(shop: Shop) -> str:
    """The id of a run that has failed."""
    return str(json.loads(shop.codemation("run", "orders", "--broken", "1", "--loud", "--json").stdout)["id"])


def test_a_list_has_the_youngest_run_first_and_says_why_it_failed(shop: Shop, failed: str) -> None:
    shop.codemation("run", "orders")
    listed = shop.codemation("runs", "list", "--limit", "2")
    assert listed.exit_code == 0
    head, first, second = listed.stdout.splitlines()
    assert head.split() == ["run", "status", "workflow", "started", "took", "nodes", "by"]
    assert "✓ succeeded  shop.orders" in first
    assert second.startswith(failed[-8:])
    assert re.search(r"3/4  cli \S+  price: ValueError: there is no price$", second)
    assert f"--before {failed[-8:]}" in listed.stderr


def test_who_has_started_a_run_and_its_key_are_kept_with_it(shop: Shop) -> None:
    run = json.loads(shop.codemation("run", "orders", "--key", "of the day", "--json").stdout)
    assert (run["key"], run["started_by"]) == ("of the day", f"cli {user_at_host()}")
    shown = shop.codemation("runs", "show", "last").stdout
    assert f"started by  cli {user_at_host()}" in shown
    assert "key         of the day" in shown
    replayed = json.loads(shop.codemation("runs", "replay", "last", "--json").stdout)
    assert (replayed["key"], replayed["started_by"]) == ("", f"cli {user_at_host()}")


def test_a_list_can_be_narrowed_and_gone_on_with(shop: Shop, failed: str) -> None:
    shop.codemation("run", "stock", "-", given='{"sku": "a", "amount": 1}')
    by_workflow = json.loads(shop.codemation("runs", "list", "-w", "shop.stock", "--json").stdout)
    assert {run["workflow"] for run in by_workflow} == {"shop.stock"}
    by_status = json.loads(shop.codemation("runs", "list", "-s", "failed", "--json").stdout)
    assert {run["status"] for run in by_status} == {"failed"}
    older = json.loads(shop.codemation("runs", "list", "--before", failed[-8:], "--json").stdout)
    assert all(run["id"] < failed for run in older)


def test_a_narrow_terminal_cuts_what_can_be_cut_and_never_an_id(shop: Shop, failed: str) -> None:
    lines = shop.codemation("runs", "list", "-n", "1", COLUMNS="60").stdout.splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[1].startswith(failed[-8:])


def test_a_run_is_shown_with_its_nodes_and_its_failure(shop: Shop, failed: str) -> None:
    shown = shop.codemation("runs", "show", failed).stdout
    settled_as = {r"started  .*": "started     NOW", r"took .*": "took", r"cli .*": "cli WHO", r" · [\d.]+ m?s$": ""}
    for differs, same in settled_as.items():
        shown = re.sub(differs, same, shown, flags=re.MULTILINE)
    assert settled(shown) == SHOWN


@pytest.mark.parametrize("part", [slice(-8, None), slice(0, 35)])
def test_a_run_is_found_by_the_beginning_or_the_end_of_its_id(shop: Shop, failed: str, part: slice) -> None:
    assert json.loads(shop.codemation("runs", "show", failed[part], "--json").stdout)["id"] == failed


def test_the_last_run_is_found_by_that_word(shop: Shop, failed: str) -> None:
    assert json.loads(shop.codemation("runs", "show", "last", "--json").stdout)["id"] == failed


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("zzzz", "no run has an id that begins or ends with 'zzzz'"),
        ("0", "write more of the id"),
        ("00000000-0000-7000-8000-000000000000", "00000000-0000-7000-8000-000000000000"),
        ("%", "no run has an id"),
        ("", "no run has an id"),
    ],
)
def test_a_run_that_is_not_there_or_not_clear_is_refused(shop: Shop, failed: str, wanted: str, said: str) -> None:
    shop.codemation("run", "orders")
    done = shop.codemation("runs", "show", wanted)
    assert done.exit_code == 2
    assert said in done.stderr


def test_what_nodes_printed_is_shown_with_their_names(shop: Shop, failed: str) -> None:
    lines = shop.codemation("runs", "logs", failed, "--tail", "2").stdout.splitlines()
    assert [line.split()[1:] for line in lines] == [["price", "pricing", "A0"], ["price", "pricing", "A1"]]
    of_node = shop.codemation("runs", "logs", failed, "price").stdout.splitlines()
    assert [line.split()[1:] for line in of_node] == [["pricing", "A0"], ["pricing", "A1"]]
    as_json = json.loads(shop.codemation("runs", "logs", failed, "price", "--json").stdout)
    assert as_json[0]["text"] == "pricing A0"


def test_the_log_of_a_node_that_is_not_there_names_those_that_are(shop: Shop, failed: str) -> None:
    done = shop.codemation("runs", "logs", failed, "prise")
    assert done.exit_code == 2
    assert "did you mean 'price'?" in done.stderr


def test_a_failed_run_goes_on_with_changed_code_only_if_that_is_asked_for(shop: Shop, failed: str) -> None:
    file = shop.folder / "workflows" / "orders.py"
    before = file.read_text()
    file.write_text(before.replace('raise ValueError("there is no price\\nfor this order")', "return order"))
    assert file.read_text() != before
    try:
        refused = _as_a_process(shop, "runs", "resume", failed)
        assert refused[0] == 2
        assert "--with-changes" in refused[2]
        code, out, _ = _as_a_process(shop, "runs", "resume", failed, "--with-changes", "--json")
    finally:
        file.write_text(before)
    assert code == 0
    assert json.loads(out)["outputs"]["main"][0]["priced"] == 4


def _as_a_process(shop: Shop, *words: str) -> tuple[int, str, str]:
    """The exit code and what was written by a process that has imported nothing before."""
    process = shop.start(*words)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_run_that_has_succeeded_cannot_be_resumed(shop: Shop) -> None:
    shop.codemation("run", "orders")
    done = shop.codemation("runs", "resume", "last")
    assert done.exit_code == 2
    assert "nothing to resume" in done.stderr


def test_a_run_that_is_over_is_not_cancelled_and_that_is_said(shop: Shop, failed: str) -> None:
    done = shop.codemation("runs", "cancel", failed)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "is over already: failed" in done.stderr


def test_a_run_is_drawn_with_what_came_of_its_nodes(shop: Shop, failed: str, tmp_path: Path) -> None:
    text = shop.codemation("render", "--run", failed).stdout
    assert "✗ price" in text
    assert "✓ make" in text
    picture = tmp_path / "run.svg"
    assert shop.codemation("render", "--run", failed, "-o", str(picture)).exit_code == 0
    assert "there is no price" in picture.read_text(encoding="utf-8")
    refused = shop.codemation("render", "--run", failed, "--as", "mermaid")
    assert (refused.exit_code, "--as svg" in refused.stderr) == (2, True)

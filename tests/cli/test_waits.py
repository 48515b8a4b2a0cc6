"""What runs wait for, and how people and events answer at the terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.shop import Shop

WORKFLOWS = """
import codemation as cm
from pydantic import BaseModel


class Order(BaseModel):
    id: str


class Verdict(BaseModel):
    note: str = ""
    grade: int = 0


class Signed(BaseModel):
    name: str


class Payment(BaseModel):
    amount: float


paid = cm.event("payment.received", Payment)


@cm.node
def accepted(decided: cm.Decided[Order, Verdict]) -> str:
    return f"{decided.item.id}: {decided.decision.note} {decided.decision.grade} ({decided.by})"


@cm.node
def issue(received: cm.Received[Order, Payment]) -> str:
    return f"{received.item.id} paid {received.event.amount}"


asked = (
    cm.workflow("asked", input=Order)
    .approve(Verdict, title=cm.expr(lambda o: f"Order {o.id} of a customer"), to=["sales"], expires="48h")
    .then(accepted)
    .build()
)
signed = cm.workflow("signed", input=Order).approve(Signed).map(lambda d: d.decision.name).build()
brief = cm.workflow("brief", input=Order).approve(expires="1ms", on_expiry="reject").map(lambda d: 1).build()
plain = cm.workflow("plain", input=Order).approve(per="batch").map(lambda d: d.by).build()
booking = cm.workflow("booking", input=Order).wait_for_event(paid, key=lambda o: o.id, timeout="7d").then(issue).build()
later = cm.workflow("later", input=Order).wait("24h").map(lambda o: o.id).build()
"""
ITEMS = '{"id": "a"}\n{"id": "b"}\n'


@pytest.fixture(autouse=True, scope="module")
def written(shop: Shop) -> None:
    (shop.folder / "workflows" / "world.py").write_text(WORKFLOWS)


def begun(shop: Shop, workflow: str, items: str = ITEMS) -> str:
    """The id of a run that waits."""
    ran = shop.codemation("run", workflow, "-", "--json", given=items)
    assert ran.exit_code == 0
    return str(json.loads(ran.stdout)["id"])


def waits(shop: Shop, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shop.codemation("runs", "waits", *words, "--json").stdout)
    return found


def test_a_run_that_waits_says_for_what_for_whom_until_when_and_how_to_answer(shop: Shop) -> None:
    ran = shop.codemation("run", "asked", "-", given=ITEMS, COLUMNS="80")
    run = json.loads(shop.codemation("runs", "show", "last", "--json").stdout)["id"][-8:]
    first, heads, one, _, decide, resume = ran.stderr.splitlines()[-6:]
    assert first.startswith("‖ waiting for the world   run ")
    assert heads.split() == ["node", "item", "waits", "for", "of", "until"]
    assert one.startswith("  approve  0     Order a of a customer  sales  ")
    assert decide == f"decide: codemation approvals approve {run} NODE --item N (or reject)"
    assert resume == f"→ when that has come: codemation runs resume {run}"
    shown = shop.codemation("runs", "show", run, COLUMNS="80").stdout
    assert "‖ waiting  run" in shown
    assert 'reason      "approve" waits for 2 decisions of sales' in shown
    assert f"what it waits for: codemation runs waits {run}" in shown
    assert "paused" not in shop.codemation("runs", "list", "-n", "1").stdout


def test_the_waits_of_all_runs_are_listed_within_the_width(shop: Shop) -> None:
    asked, booked, later = begun(shop, "asked"), begun(shop, "booking"), begun(shop, "later")
    found = {(one["run"], one["kind"], one["item"]) for one in waits(shop)}
    assert {(asked, "approval", 0), (booked, "event", 1), (later, "timer", None)} <= found
    (wait,) = waits(shop, later)
    assert (wait["node"], wait["workflow"]) == ("wait", "later")
    shown = shop.codemation("runs", "waits", COLUMNS="80")
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "event payment.received:b" in shop.codemation("runs", "waits", booked).stdout
    assert shop.codemation("runs", "waits", "-n", "1").stdout.count("\n") == 2
    assert {one["kind"] for one in json.loads(shop.codemation("approvals", "list", "--json").stdout)} == {"approval"}
    (first, second) = json.loads(shop.codemation("approvals", "list", asked, "--json").stdout)
    assert (first["item_text"], second["item_text"]) == ("id=a", "id=b")
    listed = shop.codemation("approvals", "list", COLUMNS="100").stdout
    assert ("about" in listed.splitlines()[0], "id=a" in listed) == (True, True)
    together = begun(shop, "plain")
    assert "2 items: id=a, …" in shop.codemation("approvals", "list", together).stdout
    assert shop.codemation("approvals", "list", later).stderr == "nobody is asked anything\n"


def test_an_item_is_approved_by_its_position_and_the_form_is_filled_in(shop: Shop) -> None:
    run = begun(shop, "asked")
    several = shop.codemation("approvals", "approve", run)
    assert (several.exit_code, "approve --item 0, approve --item 1; or --all" in several.stderr) == (2, True)
    for words, said in {
        ("-f", "nte=fine"): "did you mean 'note'?",
        ("-f", "grade=x"): "grade: Input should be a valid integer",
        ("-f", "grade"): "--field NAME=VALUE",
        ("--form", "[1]"): "--form gives a list",
        ("--form", "{"): "--form is not JSON",
        ("--token", "x"): "name the run, or give a token",
    }.items():
        refused = shop.codemation("approvals", "approve", run, "--item", "0", *words)
        assert (refused.exit_code, said in refused.stderr) == (2, True), refused.stderr
    one = shop.codemation(
        "approvals", "approve", run, "--item", "0", "-f", "note=fine", "-f", "grade=3", "--who", "ann"
    )
    assert one.stderr == f"approved as ann in run {run}\n1 more to decide: codemation approvals list {run[-8:]}\n"
    other = shop.codemation("approvals", "approve", run, "approve", "--form", '{"grade": 2}', "--who", "bob")
    assert other.stderr.endswith(f"→ codemation runs resume {run[-8:]}\n")
    resumed = shop.codemation("runs", "resume", run, "--json")
    assert json.loads(resumed.stdout)["outputs"]["main"] == ["a: fine 3 (ann)", "b:  2 (bob)"]


def test_who_decides_twice_is_told_who_was_faster_and_gets_an_exit_code(shop: Shop) -> None:
    run = begun(shop, "asked")
    assert shop.codemation("approvals", "reject", run, "--all", "--who", "ann").exit_code == 0
    twice = shop.codemation("approvals", "approve", run, "--item", "1")
    assert (twice.exit_code, "was rejected by ann before" in twice.stderr) == (5, True)
    unknown = shop.codemation("approvals", "approve", run, "--item", "7")
    assert (unknown.exit_code, "asks nothing about item 7" in unknown.stderr) == (2, True)


def test_who_decides_too_late_gets_an_exit_code(shop: Shop) -> None:
    run = begun(shop, "brief", '{"id": "a"}\n')  # its time is over before anybody could type
    late = shop.codemation("approvals", "approve", run)
    assert (late.exit_code, "has expired" in late.stderr) == (6, True)


def test_a_form_that_has_to_be_filled_in_is(shop: Shop) -> None:
    run = begun(shop, "signed", '{"id": "a"}\n')
    refused = shop.codemation("approvals", "approve", run)
    assert (refused.exit_code, "has to fill in name" in refused.stderr) == (2, True)
    assert shop.codemation("approvals", "reject", run).exit_code == 0
    plain = begun(shop, "plain")
    refused = shop.codemation("approvals", "approve", plain, "-f", "note=x")
    assert (refused.exit_code, "asks for no more than yes or no" in refused.stderr) == (2, True)


def test_a_token_lets_its_bearer_decide_once(shop: Shop) -> None:
    run = begun(shop, "asked")
    token = shop.codemation("approvals", "token", run, "--item", "1", "--who", "bob@example.com").stdout.strip()
    forged = shop.codemation("approvals", "approve", "--token", f"x{token}")
    assert (forged.exit_code, "was not made here" in forged.stderr) == (2, True)
    assert shop.codemation("approvals", "approve", "--token", token, "-f", "note=ok").exit_code == 0
    again = shop.codemation("approvals", "reject", "--token", token)
    assert (again.exit_code, "was approved by bob@example.com before" in again.stderr) == (5, True)


def test_an_event_is_sent_by_name_and_key_and_checked(shop: Shop) -> None:
    run = begun(shop, "booking", '{"id": "x1"}\n')
    for words, said in {
        ("payment.receivd", "x1", "{}"): "did you mean 'payment.received'?",
        ("payment.received", "x1"): "amount: Field required",
        ("payment.received", "x1", "{"): "what is sent is not JSON",
    }.items():
        refused = shop.codemation("events", "send", *words)
        assert (refused.exit_code, said in refused.stderr) == (2, True)
    send = ("events", "send", "payment.received", "x1", "-", "--dedup", "p1")
    assert shop.codemation(*send, given='{"amount": 5}').stderr == "payment.received x1: sent\n"
    assert "not sent again" in shop.codemation(*send, given='{"amount": 5}').stderr
    assert waits(shop, run) == []
    resumed = shop.codemation("runs", "resume", run, "--json")
    assert json.loads(resumed.stdout)["outputs"]["main"] == ["x1 paid 5.0"]


def test_an_early_event_is_listed_and_kept_for_who_waits_later(shop: Shop) -> None:
    code = ("--code", "workflows/world.py:booking")
    assert shop.codemation("events", "send", "payment.received", "early", '{"amount": 7}', *code).exit_code == 0
    (kept, *_) = json.loads(shop.codemation("events", "list", "payment.received", "--json").stdout)
    assert (kept["key"], kept["body"]) == ("early", {"amount": 7.0})
    shown = shop.codemation("events", "list", COLUMNS="80").stdout.splitlines()
    assert shown[0].split() == ["event", "key", "sent", "kept", "until", "payload"]
    assert shop.codemation("events", "list", "other").stderr == "no event is kept\n"
    ran = shop.codemation("run", "booking", "-", "-q", given='{"id": "early"}\n')
    assert (ran.exit_code, "early paid 7.0" in ran.stdout) == (0, True)

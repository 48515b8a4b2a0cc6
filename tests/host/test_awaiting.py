"""What runs wait for, where people look at them: in text, on the graph, as a page, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.host.awaiting import run_in_words
from codemation.host.handles import RunHandle
from codemation.host.overview import run_view
from codemation.testing import Harness
from codemation.testing.plugin import harness

__all__ = ["harness"]


class Order(BaseModel):
    id: str


class Payment(BaseModel):
    amount: float


paid = cm.event("payment.received", Payment)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def begun(harness: Harness, *ids: str) -> RunHandle:
    def title(order: Order) -> str:
        return f"Order {order.id}"

    flow = cm.workflow("shop", input=Order).parallel(
        a=lambda f: f.approve(title=cm.expr(title), to=["sales"], expires="48h").map(lambda d: d.item, id="yes"),
        b=lambda f: f.wait_for_event(paid, key=lambda order: order.id).map(lambda r: r.item, id="paid"),
        c=lambda f: f.wait("24h").map(lambda order: order, id="later"),
    )
    run: Any = harness.run(flow.build(), [Order(id=one) for one in ids])
    assert isinstance(run, RunHandle)
    return run


def test_a_waiting_node_says_for_what_for_whom_and_until_when(harness: Harness) -> None:
    nodes = {str(row.id): row.error for row in run_view(begun(harness, "a")).nodes}
    assert nodes["approve"] == "for a decision of sales: Order a, until 2026-01-03 00:00"
    assert nodes["wait_for_event"] == "for the event payment.received:a"
    assert nodes["wait"] == "until 2026-01-02 00:00"
    many = {str(row.id): row.error for row in run_view(begun(harness, "a", "b")).nodes}
    assert many["approve"] == "for 2 decisions of sales, until 2026-01-03 00:00"
    assert many["wait_for_event"] == 'for 2 events "payment.received"'


def test_a_run_says_in_words_what_it_waits_for(harness: Harness) -> None:
    run = begun(harness, "a")
    said = run_in_words(run.snapshot)
    assert '"approve" waits for a decision of sales: Order a' in said
    assert run_view(run).row.reason == said
    assert "for a decision of sales: Order a" in run._repr_mimebundle_()["text/plain"]


def test_a_page_lists_what_is_waited_for_and_where_items_came_from(harness: Harness, tmp_path: Path) -> None:
    run = begun(harness, "a", "b")
    text = run.to_html(tmp_path / "run.html").read_text(encoding="utf-8")
    assert "Waits for <small>5</small>" in text
    for cell in ("Order b", "sales", "event payment.received:a", "a time", "2026-01-02 00:00 UTC"):
        assert f"<td>{cell}</td>" in text
    assert run_view(run).waits[0].node == "wait"
    assert run_view(run).to_json()["waits"][1]["to"] == ["sales"]
    harness.advance("24h")
    text = run.to_html(tmp_path / "run.html").read_text(encoding="utf-8")
    assert "<td>wait:1</td>" in text
    assert run_view(run.at(1)).waits == ()


def test_an_item_that_many_were_made_into_names_some_of_them(harness: Harness, tmp_path: Path) -> None:
    numbers = cm.workflow("sum", input=int).filter(lambda n: n > 0, id="above").aggregate(sum, id="total").build()
    run: Any = harness.run(numbers, list(range(9)))
    text = run.to_html(tmp_path / "run.html").read_text(encoding="utf-8")
    assert "<td>start:1</td>" in text
    assert "<td>all 8 of above</td>" in text


def test_a_wait_is_one_line_in_code(harness: Harness) -> None:
    timer, *others = begun(harness, "a").waits
    assert repr(timer) == "<wait: timer, until 2026-01-02 00:00:00 UTC>"
    assert [repr(one) for one in others] == [
        "<approve: approval 'Order a' of item 0, for sales, until 2026-01-03 00:00:00 UTC>",
        "<wait_for_event: event 'payment.received:a' of item 0>",
    ]

"""The harness: the real engine, a clock that the test moves, no network, fakes for nodes."""

from __future__ import annotations

import asyncio
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

import codemation as cm
from codemation.core.credentials import MissingCredential
from codemation.testing import Harness, NetworkRefused, assert_items, context
from codemation.testing.plugin import harness

__all__ = ["harness"]


class Crm(cm.Credential):
    url: str
    token: cm.Secret


class Tax(cm.Params):
    rate: float = 0.2


@cm.node
def amounts() -> list[float]:
    return [100.0, 50.0]


@cm.node
def with_tax(amount: float, rate: float) -> float:
    return round(amount * (1 + rate), 2)


@cm.node
def price(amount: float, crm: Crm) -> str:
    return f"{crm.url} {amount}"


totals = cm.workflow("totals", params=Tax).then(amounts).then(with_tax, rate=Tax.rate).aggregate(sum).build()
prices = cm.workflow("prices", input=float).then(price).build()


def test_a_workflow_runs_in_memory(harness: Harness) -> None:
    run = harness.run(totals, params={"rate": 0.1})
    assert run.output == 165.0
    assert_items(run["with_tax"], [110.0, 55.0])


def test_wrong_params_start_nothing(harness: Harness) -> None:
    with pytest.raises(cm.InputError, match="did you mean 'rate'"):
        harness.run(totals, params={"rat": 0.1})


def test_an_hour_between_two_tries_takes_no_time(harness: Harness) -> None:
    seen: list[datetime] = []

    @cm.node(retry=cm.Retry(3, backoff="fixed", delay="1h", max_delay="2h", jitter=False))
    def flaky(ctx: cm.Context) -> int:
        seen.append(ctx.now())
        if ctx.attempt < 3:
            raise OSError("not yet")
        return ctx.attempt

    began = time.monotonic()
    run = harness.run(cm.workflow("patient").then(flaky).build())
    assert run["flaky"].item == 3
    assert [round((later - seen[0]).total_seconds()) for later in seen] == [0, 3600, 7200]
    assert time.monotonic() - began < 600


@pytest.mark.parametrize("width", [1, 3])
def test_tries_inside_an_activation_take_no_time_either(harness: Harness, width: int) -> None:
    tried: dict[int, int] = {}

    @cm.node(concurrency=width, retry=cm.Retry(4, backoff="fixed", delay="4s", jitter=False))
    def flaky(number: int) -> int:
        tried[number] = tried.get(number, 0) + 1
        if tried[number] < 4:
            raise OSError("not yet")
        return number

    before = harness.now
    run = harness.run(cm.workflow("brief", input=int).then(flaky).build(), [1, 2, 3])
    assert_items(run["flaky"], [1, 2, 3])
    assert harness.now - before >= timedelta(seconds=12)


def test_an_async_node_is_tried_again_at_once(harness: Harness) -> None:
    tried: list[int] = []

    @cm.node(retry=cm.Retry(3, backoff="fixed", delay="5s", jitter=False))
    async def flaky(number: int) -> int:
        tried.append(number)
        await asyncio.sleep(0)
        if len(tried) < 3:
            raise OSError("not yet")
        return number

    before = harness.now
    run = harness.run(cm.workflow("brief_async", input=int).then(flaky).build(), [7])
    assert run["flaky"].item == 7
    assert harness.now - before >= timedelta(seconds=10)


def test_the_clock_is_where_the_test_has_put_it() -> None:
    with Harness(now=datetime(2030, 5, 1, tzinfo=UTC)) as harness:
        harness.advance("48h")
        assert harness.now == datetime(2030, 5, 3, tzinfo=UTC)
    with pytest.raises(ValueError, match="no time zone"):
        Harness(now=datetime(2030, 5, 1))  # noqa: DTZ001


def test_a_failed_run_is_raised_and_kept(harness: Harness) -> None:
    @cm.node
    def broken() -> int:
        raise ValueError("no")

    with pytest.raises(cm.RunFailed, match="ValueError: no") as caught:
        harness.run(cm.workflow("failing").then(broken).build())
    assert caught.value.run is not None
    assert caught.value.run.status == "failed"
    assert isinstance(caught.value.__cause__, ValueError)
    assert "codemation runs" not in str(caught.value)


def test_a_node_is_replaced_by_a_fake_that_needs_no_credential(harness: Harness) -> None:
    run = harness.run(prices, [1.0], replace={price: lambda amount: f"fake {amount}"})
    assert_items(run["price"], ["fake 1.0"])

    async def slow(what: float) -> str:
        await asyncio.sleep(0)
        return f"slow {what}"

    assert_items(harness.run(prices, [2.0], replace={"price": slow})["price"], ["slow 2.0"])


def test_a_fake_that_could_not_be_called_is_refused_before_the_run(harness: Harness) -> None:
    with pytest.raises(cm.InputError, match='the fake of "with_tax" does not take rate'):
        harness.run(totals, replace={with_tax: lambda amount: amount})
    with pytest.raises(cm.InputError, match="takes no data"):
        harness.run(prices, [1.0], replace={price: lambda: "x"})
    with pytest.raises(cm.InputError, match="cannot be called"):
        harness.run(prices, [1.0], replace={price: "x"})  # type: ignore[dict-item]
    with pytest.raises(cm.CodemationError, match="did you mean 'price'"):
        harness.run(prices, [1.0], replace={"prise": lambda amount: amount})
    with pytest.raises(cm.InputError, match='"wait" waits for the world'):
        harness.run(cm.workflow("w", input=int).wait("1h").build(), [1], replace={"wait": lambda item: item})
    with pytest.raises(cm.InputError, match="has no trigger"):
        harness.fire(prices)


def test_credentials_come_from_the_test_alone(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEMATION_CREDENTIAL_CRM_URL", "https://real")
    monkeypatch.setenv("CODEMATION_CREDENTIAL_CRM_TOKEN", "real")
    with pytest.raises(MissingCredential, match="was not given: Crm"):
        harness.run(prices, [1.0])
    run = harness.run(prices, [1.0], credentials={"crm": {"url": "https://test", "token": "t"}})
    assert_items(run["price"], ["https://test 1.0"])


def test_there_is_no_network(harness: Harness) -> None:
    @cm.node
    def reach() -> int:
        with socket.socket() as opened:
            opened.connect(("127.0.0.1", 9))
        return 1

    with pytest.raises(cm.RunFailed, match=r"there is no network in a harness, and 127\.0\.0\.1 was asked for"):
        harness.run(cm.workflow("reaching").then(reach).build())
    with pytest.raises(NetworkRefused):
        socket.getaddrinfo("example.com", 443)


def test_a_host_is_let_through_by_name() -> None:
    with Harness(network=["127.0.0.1"]), socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_the_network_is_open_again_afterwards() -> None:
    with Harness():
        pass
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_a_difference_says_which_item_and_which_field() -> None:
    first = {"id": 1, "name": "a"}
    assert_items([first, {"id": 2, "name": "b"}], [first, {"id": 2, "name": "b"}])
    with pytest.raises(AssertionError, match="item 1, name: 'b', and not 'c'"):
        assert_items([first, {"id": 2, "name": "b"}], [first, {"id": 2, "name": "c"}])
    with pytest.raises(AssertionError, match="1 items, and not 2:\n  item 1 is missing: 2"):
        assert_items([1], [1, 2])
    with pytest.raises(AssertionError, match="item 1 is too much: 2"):
        assert_items([1, 2], [1])
    with pytest.raises(AssertionError, match="item 0 is 1, and not 'x'"):
        assert_items([1], ["x"])
    with pytest.raises(AssertionError, match="and 15 more"):
        assert_items(list(range(25)), list(range(1, 26)))


def test_where_nothing_waits_for_a_decision_an_error_says_so(harness: Harness) -> None:
    with pytest.raises(cm.InputError, match='nothing waits for a decision at "boss"'):
        harness.approve("boss")


def test_a_context_is_made_by_hand_and_refuses_unknown_fields() -> None:
    assert context(node_id="x", attempt=2).attempt == 2
    with pytest.raises(TypeError, match="a context has no nodeid"):
        context(nodeid="x")


@cm.node
def shout(word: str) -> str:
    return word.upper()


@cm.node
def letters(word: str) -> list[str]:
    return list(word)


spelling = cm.workflow("spelling", input=str).then(letters).then(shout).build()


def test_a_subworkflow_is_run_as_well_and_fakes_reach_into_it(harness: Harness) -> None:
    for per in ("batch", "item"):
        outer = cm.workflow("outer", input=str).subworkflow(spelling, per=per).build()
        assert harness.run(outer, ["ab", "c"]).output == ["A", "B", "C"]
        assert harness.run(outer, ["ab", "c"], replace={shout: lambda word: word * 2}).output == ["aa", "bb", "cc"]


def test_a_fake_may_stand_for_a_subworkflow_as_a_whole(harness: Harness) -> None:
    each = cm.workflow("outer", input=str).subworkflow(spelling, per="item").build()
    run = harness.run(each, ["ab", "c"], replace={"spelling": lambda word: [word, word]})
    assert (run.output, list(run.children)) == (["ab", "ab", "c", "c"], [])
    whole = cm.workflow("outer", input=str).subworkflow(spelling).build()
    assert harness.run(whole, ["ab", "c"], replace={"spelling": lambda words: words[:1]})["spelling"].items == ["ab"]


def test_a_fake_that_stands_nowhere_is_refused(harness: Harness) -> None:
    outer = cm.workflow("outer", input=str).subworkflow(spelling).build()
    with pytest.raises(cm.CodemationError, match="no node 'shuot'"):
        harness.run(outer, ["ab"], replace={"shuot": lambda word: word})


def test_children_wait_and_let_days_pass_as_other_runs_do(harness: Harness) -> None:
    patient = cm.workflow("patient", input=str).wait("2d").approve(title="Still?").build()
    outer = cm.workflow("outer", input=str).subworkflow(patient, per="item").map(lambda it: it.item, id="word").build()
    run = harness.run(outer, ["ab", "c"])
    assert run.status == "waiting"
    harness.advance("1d")
    assert [child.waits[0].kind for child in run.children] == ["timer", "timer"]
    harness.advance("1d")
    harness.approve("approve")
    assert run.output == ["ab", "c"]

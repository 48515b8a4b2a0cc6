"""Triggers as declarations: what they become, and every mistake in them at once (api §5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, Field

import codemation as cm
from codemation.core.definition import Definition, TriggerPlan


class Params(cm.Params):
    day: date
    limit: int = Field(default=1, ge=1)


class Easy(cm.Params):
    limit: int = 1


class Loose(cm.Params):
    handle: Any = None


class Order(BaseModel):
    id: int


@cm.node
def work(order: Any) -> None: ...


@cm.node(writes=cm.dataset("sales.orders"))
def store(order: Any) -> None: ...


def built(*triggers: Any, params: Any = Easy) -> cm.Workflow[Any, ...]:
    start: Any = cm.workflow("w", params=params)
    return start.on(*triggers).then(work).build()  # type: ignore[no-any-return]


OTHER = cm.workflow("other").then(store).build()


@cm.poll(every="5m", key=lambda order: order.id)
def inbox(state: dict[str, int]) -> Iterator[Order]:
    state["seen"] = state.get("seen", 0) + 1
    yield Order(id=state["seen"])


def by_tick(tick: datetime) -> dict[str, object]:
    return {"day": tick.date()}


def misspelt(tick: datetime) -> dict[str, object]:
    if tick.hour:
        return {"dya": tick.date(), "limit": 3}
    return {"dya": tick.date()}


LIMITED: Callable[[datetime], dict[str, object]] = lambda tick: {"limit": tick.day}  # noqa: E731 - as in an argument


TRIGGERS: list[tuple[cm.Trigger, str, Mapping[str, Any], str]] = [
    (
        cm.cron("0 6 * * MON", timezone="Europe/Berlin", overlap="skip", catch_up="all"),
        "cron",
        {"expression": "0 6 * * MON", "timezone": "Europe/Berlin", "overlap": "skip", "catch_up": "all"},
        "At 06:00 on Monday, Europe/Berlin",
    ),
    (
        cm.every(timedelta(hours=6)),
        "every",
        {"every": 21600.0, "overlap": "queue", "catch_up": "latest"},
        "every 6h 00m",
    ),
    (cm.watch("inbox/*.csv", every="1m"), "watch", {"glob": "inbox/*.csv", "every": 60.0}, "files inbox/*.csv"),
    (
        cm.webhook("/orders/new", methods=["POST", "PUT"], auth=cm.hmac("orders"), respond="result", max_size="25 MB"),
        "webhook",
        {
            "path": "/orders/new",
            "methods": ["POST", "PUT"],
            "auth": {"kind": "hmac", "secret": "orders"},
            "respond": "result",
            "max_size": 25_000_000,
        },
        "POST or PUT /orders/new (hmac)",
    ),
    (
        cm.webhook("/open", methods="GET", max_size=10),
        "webhook",
        {"path": "/open", "methods": ["GET"], "auth": None, "respond": "now", "max_size": 10},
        "GET /open",
    ),
    (cm.dataset("sales.orders").written(), "dataset", {"name": "sales.orders"}, "sales.orders is written"),
    (OTHER.finished(), "finished", {"workflow": "other", "outcome": "succeeded"}, "other has succeeded"),
    (OTHER.finished(outcome="any"), "finished", {"workflow": "other", "outcome": "any"}, "other has finished"),
    (inbox, "poll", {"every": 300.0}, "poll inbox every 5m 00s"),
]


@pytest.mark.parametrize(("trigger", "kind", "config", "said"), TRIGGERS, ids=lambda value: repr(value)[:30])
def test_a_trigger_becomes_data(trigger: cm.Trigger, kind: str, config: Mapping[str, Any], said: str) -> None:
    workflow = built(trigger)
    (plan,) = workflow.definition.triggers
    assert (plan.kind, plan.config, plan.said) == (kind, config, said)
    assert "test_triggers.py" in plan.place
    assert workflow.triggers == (trigger,)
    assert Definition.from_json(workflow.definition.to_json()) == workflow.definition


def test_triggers_show_in_every_picture() -> None:
    workflow = built(cm.cron("0 6 * * *"), cm.webhook("/orders", auth=cm.token("orders")))
    assert "starts   At 06:00 every day, UTC, POST /orders (token)" in workflow.text()
    assert "At 06:00 every day, UTC, POST /orders" in workflow.mermaid().replace("#40;", "(")
    assert "At 06:00" in workflow.svg()


def test_what_a_trigger_says_and_runs_is_part_of_the_digest_and_none_changes_nothing() -> None:
    plain = built()
    assert plain.definition.triggers == ()
    digests = [built(one).digest for one in (cm.cron("0 6 * * *"), cm.cron("0 7 * * *"))]
    digests += [
        built(cm.every("1h", params=one)).digest for one in ({"limit": 1}, {"limit": 2}, lambda _: {"limit": 2})
    ]
    assert len({plain.digest, *digests}) == len(digests) + 1
    assert built(cm.every("1h")).digest == built(cm.every("1h")).digest


def test_an_old_definition_has_no_triggers() -> None:
    body = built().definition.to_json()
    del body["triggers"]
    assert Definition.from_json(body) == built().definition
    assert TriggerPlan(kind="cron") == TriggerPlan(kind="cron", config={})


def test_on_begins_another_workflow_and_changes_none() -> None:
    start: Any = cm.workflow("w")
    hourly = start.on(cm.every("1h"))
    both = hourly.on(cm.every("2h"))
    counts = [len(one.then(work).build().definition.triggers) for one in (start, hourly, both)]
    assert counts == [0, 1, 2]

    def wide(flow: cm.Flow) -> None:
        flow.then(work)

    assert len(both(wide).definition.triggers) == 2


def test_after_a_verb_there_is_no_on() -> None:
    flow: Any = cm.workflow("w").then(work)
    with pytest.raises(AttributeError, match="triggers stand right after"):
        flow.on(cm.every("1h"))
    with pytest.raises(AttributeError, match=r"'Flow' object has no attribute 'nothing'$"):
        _ = flow.nothing


def test_a_polling_function_stays_callable() -> None:
    state: dict[str, int] = {}
    assert [order.id for order in inbox(state)] == [1]
    assert state == {"seen": 1}
    assert repr(inbox) == "<trigger @cm.poll inbox>"


def test_params_that_are_given_are_enough() -> None:
    fine: list[Any] = [
        cm.cron("0 6 * * *", params=lambda tick: {"day": tick.date()}),
        cm.every("1h", params=by_tick),
        cm.every("2h", params={"day": date(2024, 1, 1)}),
        cm.dataset("a").written(params=lambda run: {"day": run.params.day}),
        OTHER.finished(params=lambda run: dict(run.params)),
        cm.every("3h", params=eval("lambda tick: {}")),  # noqa: S307 - it has no source to look at
    ]
    plans = built(*fine, params=Params).definition.triggers
    assert plans[2].params == {"day": {"$": "date", "v": "2024-01-01"}}
    assert plans[0].code


def test_a_node_says_which_dataset_it_writes() -> None:
    (node,) = OTHER.nodes.values()
    assert node.writes == "sales.orders"


async def later(state: dict[str, int]) -> AsyncIterator[int]:
    yield 1


async def coroutine(state: dict[str, int]) -> Any: ...


def two(first: int, second: int) -> Iterator[int]:
    yield first + second


MISTAKES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "no trigger": (lambda: built("0 6 * * *"), ".on() takes triggers, and '0 6 * * *' is none", "cm.cron(…)"),
    "bad cron": (lambda: built(cm.cron("61 * * * *")), "'61 * * * *' of cm.cron is no cron expression", "Bad minute"),
    "short cron": (lambda: built(cm.cron("* *")), "'* *' of cm.cron is no cron expression", "minute hour day month"),
    "cron with seconds": (lambda: built(cm.cron("0 0 0 * * *")), "is no cron expression", "minute hour day month"),
    "unknown zone": (
        lambda: built(cm.cron("0 6 * * *", timezone="Europe/Berln")),
        "timezone='Europe/Berln' of cm.cron('0 6 * * *') is unknown",
        "did you mean 'Europe/Berlin'?",
    ),
    "no zone": (lambda: built(cm.cron("0 6 * * *", timezone="")), "timezone='' of", "Europe/Berlin"),
    "unknown overlap": (
        lambda: built(cm.every("1h", overlap="skp")),  # type: ignore[arg-type]
        "overlap='skp' of cm.every('1h') is no overlap",
        "did you mean 'skip'?",
    ),
    "unknown outcome": (
        lambda: built(OTHER.finished(outcome="maybe")),  # type: ignore[arg-type]
        "outcome='maybe' of other.finished('maybe') is no outcome",
        "'succeeded', 'failed', 'any'",
    ),
    "bad duration": (
        lambda: built(cm.every("soon")),
        "every='soon' of cm.every('soon') is no time",
        "is not a duration",
    ),
    "no files": (lambda: built(cm.watch(" ")), "cm.watch(' ') names no files", 'cm.watch("inbox/*.csv")'),
    "no path": (lambda: built(cm.webhook("orders")), "'orders' of cm.webhook is no path", 'cm.webhook("/orders")'),
    "unknown method": (
        lambda: built(cm.webhook("/o", methods=["post"])),
        "methods= of cm.webhook('/o') has 'post'",
        "did you mean 'POST'?",
    ),
    "no method": (lambda: built(cm.webhook("/o", methods=[])), "cm.webhook('/o') has no methods", '["POST"]'),
    "no auth": (
        lambda: built(cm.webhook("/o", auth="secret")),  # type: ignore[arg-type]
        "auth='secret' of cm.webhook('/o') is no auth",
        "cm.hmac(name)",
    ),
    "no size": (lambda: built(cm.webhook("/o", max_size="big")), "max_size='big' of", '"25MB"'),
    "no size at all": (lambda: built(cm.webhook("/o", max_size=True)), "max_size=True of", '"25MB"'),
    "no dataset": (lambda: built(cm.dataset("a b").written()), "'a b' cannot be the name of a dataset", "letters"),
    "poll without state": (
        lambda: built(cm.poll(every="1m")(two)),  # type: ignore[arg-type]
        "@cm.poll two is given its state, and has 2 parameters that want something",
        "def inbox(state: State)",
    ),
    "poll as a coroutine": (
        lambda: built(cm.poll(every="1m")(coroutine)),  # type: ignore[arg-type]
        "@cm.poll coroutine gives no items by itself",
        "make it a generator",
    ),
    "poll too often": (lambda: built(cm.poll(every="0s")(inbox.function)), "every='0s'", "not a positive duration"),
    "twice": (lambda: built(cm.every("1h"), cm.every("1h")), "<trigger cm.every('1h')> is given twice", "leave out"),
    "unset param": (
        lambda: built(cm.cron("0 6 * * *"), params=Params),
        "cm.cron('0 6 * * *') leaves day of Params unset",
        'params={"day": …}, or a function that gives them',
    ),
    "unset param of a webhook": (
        lambda: built(cm.webhook("/o"), params=Params),
        "cm.webhook('/o') leaves day of Params unset",
        "give day a default in Params",
    ),
    "unset by a function": (
        lambda: built(cm.every("1h", params=LIMITED), params=Params),
        "cm.every('1h') leaves day of Params unset",
        'params={"day": …}',
    ),
    "misspelt param": (
        lambda: built(cm.every("1h", params=misspelt), params=Params),
        "cm.every('1h') gives dya, and Params has no such param",
        "did you mean 'day'?",
    ),
    "param that does not fit": (
        lambda: built(cm.every("1h", params={"day": date(2024, 1, 1), "limit": 0}), params=Params),
        "cm.every('1h') gives limit=0, which does not fit",
        "greater than or equal to 1",
    ),
    "param that cannot be stored": (
        lambda: built(cm.every("2h", params={"handle": object()}), params=Loose),
        "params= of cm.every('2h') cannot be stored: value: an object object",
        "give them by a function",
    ),
    "no dataset to write": (
        lambda: cm.workflow("w").then(work.options(writes="orders")).build(),  # type: ignore[arg-type]
        "writes='orders' of \"work\" is no writes",
        'give cm.dataset("name")',
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_trigger_is_said_once_with_its_way_out(name: str) -> None:
    write, what, way_out = MISTAKES[name]
    with pytest.raises(cm.AuthorError) as caught:
        write()
    assert len(caught.value.mistakes) == 1, str(caught.value)
    mistake = caught.value.mistakes[0]
    assert what in mistake.what
    assert way_out in mistake.way_out
    assert mistake.place.file.endswith("test_triggers.py")


def test_an_asynchronous_generator_may_poll() -> None:
    assert built(cm.poll(every="1m")(later)).definition.triggers[0].kind == "poll"  # type: ignore[arg-type]


def test_mistakes_in_params_do_not_hide_one_another() -> None:
    with pytest.raises(cm.AuthorError) as caught:
        built(cm.every("1h", params={"limit": 0}), params=Params)
    assert [one.what.partition(" of ")[0] for one in caught.value.mistakes] == [
        "cm.every('1h') leaves day",
        "cm.every('1h') gives limit=0, which does not fit",
    ]
    with pytest.raises(cm.AuthorError, match="params=3 is no model of parameters"):
        built(cm.every("1h"), params=3)

"""Runs as rows and in full, and both as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from codemation.core.definition import NodeKind
from codemation.core.ids import NodeId, RunId, WorkflowId
from codemation.views.marks import NodeMark, NodeStatus
from codemation.views.records import plain
from codemation.views.runs import FailureView, NodeRow, RunRow, RunView

CREATED = datetime(2026, 11, 22, 8, 30, 0, 123_456, tzinfo=UTC)

ROW = RunRow(
    id=RunId("0192f0c1-0000-7000-8000-000000000001"),
    workflow=WorkflowId("flights.delays"),
    status="running",
    created_at=CREATED,
    started_at=CREATED.astimezone(timezone(timedelta(hours=-5))),
    seconds=12.5,
    nodes_done=3,
    nodes_total=12,
)
WEATHER = NodeRow(
    id=NodeId("weather"),
    kind=NodeKind.THEN,
    status=NodeStatus.RUNNING,
    items_in={"flight": 500},
    items_out={"main": 480, "error": 20},
    attempts=1,
    started_at=CREATED,
    seconds=2.0,
    error="",
)


def test_a_row_is_json_with_times_in_utc() -> None:
    assert ROW.to_json() == {
        "id": "0192f0c1-0000-7000-8000-000000000001",
        "workflow": "flights.delays",
        "status": "running",
        "reason": "",
        "created_at": "2026-11-22T08:30:00.123Z",
        "started_at": "2026-11-22T08:30:00.123Z",
        "finished_at": None,
        "seconds": 12.5,
        "nodes_done": 3,
        "nodes_total": 12,
        "key": "",
        "digest": "",
        "revision": 0,
        "error": "",
        "parent": None,
        "started_by": "",
        "progress": 0.25,
    }


def test_a_node_row_knows_its_rate_and_its_mark() -> None:
    assert WEATHER.rate == 250.0
    assert WEATHER.to_json()["rate"] == 250.0
    assert WEATHER.to_json()["status"] == "running"
    assert WEATHER.mark == NodeMark(status=NodeStatus.RUNNING, counts={"main": 480, "error": 20}, seconds=2.0)


@pytest.mark.parametrize(
    ("items_in", "items_out", "seconds", "rate"),
    [
        ({}, {"main": 10}, 2.0, 5.0),
        ({"main": 0}, {}, 2.0, None),
        ({"main": 5}, {}, 0.0, None),
        ({"a": 1}, {}, None, None),
    ],
)
def test_a_rate_is_known_only_where_items_took_time(
    items_in: dict[str, int], items_out: dict[str, int], seconds: float | None, rate: float | None
) -> None:
    row = NodeRow(
        id=NodeId("a"),
        kind=NodeKind.MAP,
        status=NodeStatus.SUCCEEDED,
        items_in=items_in,
        items_out=items_out,
        seconds=seconds,
    )
    assert row.rate == rate


def test_a_run_without_nodes_has_no_progress() -> None:
    row = RunRow(id=RunId("r"), workflow=WorkflowId("w"), status="queued", created_at=CREATED)
    assert row.progress == 0.0


def test_a_run_in_full_is_one_json_object() -> None:
    failure = FailureView(node="weather", type="HTTPError", message="503", item_index=4, attempts=5)
    view = RunView(
        row=ROW, nodes=(WEATHER,), error=failure, params={"months": (1, 2)}, outputs={"main": [{"delay": float("nan")}]}
    )
    body = json.loads(json.dumps(view.to_json(), allow_nan=False))
    assert body["id"] == ROW.id
    assert body["nodes"][0]["items_out"] == {"main": 480, "error": 20}
    assert body["error"]["headline"] == "HTTPError: 503"
    assert body["params"] == {"months": [1, 2]}
    assert body["outputs"] == {"main": [{"delay": "nan"}]}
    assert view.marks == {NodeId("weather"): WEATHER.mark}
    assert RunView(row=ROW).to_json()["error"] is None


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        plain(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("value", [object(), {1, 2}, NodeRow])
def test_what_has_no_place_in_json_is_refused_by_its_type(value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__qualname__):
        plain(value)


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (NodeMark(status=NodeStatus.SUCCEEDED, counts={"yes": 1000, "no": 500}, seconds=1.26), "1.3 s · 1.5k"),
        (NodeMark(status=NodeStatus.SUCCEEDED), "succeeded"),
        (NodeMark(status=NodeStatus.RUNNING, seconds=61.0), "1m 01s"),
        (NodeMark(status=NodeStatus.FAILED, error="KeyError:\n'x'", seconds=1), "KeyError: 'x'"),
        (NodeMark(status=NodeStatus.FAILED), "failed"),
        (NodeMark(status=NodeStatus.WAITING, error="retry in 8 s"), "retry in 8 s"),
        (NodeMark(status=NodeStatus.WAITING), "waiting"),
        (NodeMark(status=NodeStatus.SKIPPED, seconds=0.0), "skipped"),
    ],
)
def test_a_mark_says_how_far_a_node_has_come(mark: NodeMark, said: str) -> None:
    assert mark.caption == said


def test_every_status_has_a_sign_of_its_own() -> None:
    assert len({status.glyph for status in NodeStatus}) == len(NodeStatus)
    assert len({status.ascii_glyph for status in NodeStatus}) == len(NodeStatus)
    assert all(status.ascii_glyph.isascii() for status in NodeStatus)

"""Definitions written by hand, small enough to know what each picture must show."""

from __future__ import annotations

from typing import Any

from codemation.core.definition import Definition, Grain, Input, NodeKind, NodePlan, Source
from codemation.core.ids import MAIN, START, NodeId, WorkflowId
from codemation.views.marks import NodeMark, NodeStatus


def source(end: str) -> Source:
    """`"node"` or `"node:port"`."""
    node, _, port = end.partition(":")
    return Source(node=NodeId(node), port=port or MAIN)


def node(name: str, *ends: str, **rest: Any) -> NodePlan:
    """A node whose one input comes from `ends`; without any it stands after the start."""
    inputs: tuple[Input, ...] = (Input(name="main", sources=tuple(source(end) for end in ends)),)
    if name == START:
        inputs = ()
        rest.setdefault("kind", NodeKind.START)
    elif not ends:
        inputs = (Input(name="", sources=(Source(node=START),), ordering=True),)
        rest.setdefault("grain", "once")
    rest.setdefault("kind", NodeKind.THEN)
    return NodePlan(id=NodeId(name), inputs=rest.pop("inputs", inputs), **rest)


def definition(workflow: str, *nodes: NodePlan, **rest: Any) -> Definition:
    return Definition(workflow=WorkflowId(workflow), nodes=(node("start"), *nodes), **rest)


def table(name: str, *ends: str, **rest: Any) -> NodePlan:
    grain: Grain = "batch" if ends else "once"
    return node(name, *ends, **{"grain": grain, "types": {"out:main": "DataFrame"}, **rest})


def chain() -> Definition:
    return definition(
        "orders.intake",
        node("load", types={"out:main": "Order"}, summary="Reads the orders of the day."),
        node("clean", "load", kind=NodeKind.FILTER, types={"in:main": "Order", "out:main": "Order"}),
        node("price", "clean", types={"in:order": "Order", "out:main": "Priced"}),
        node("store", "price", gives=False, types={"in:priced": "Priced"}),
    )


def diamond() -> Definition:
    return definition(
        "orders.diamond",
        node("load"),
        node("check_stock", "load"),
        node("fetch_customer", "load"),
        node("offer", inputs=(Input(name="left", sources=(source("check_stock"),)),
                              Input(name="right", sources=(source("fetch_customer"),))), kind=NodeKind.JOIN),
    )  # fmt: skip


def nested() -> Definition:
    """Branches inside branches, with edges that pass over many layers."""
    return definition(
        "orders.nested",
        node("load"),
        node("is_big", "load", kind=NodeKind.BRANCH, ports=("yes", "no")),
        node("is_foreign", "is_big:yes", kind=NodeKind.BRANCH, ports=("yes", "no")),
        node("customs", "is_foreign:yes"),
        node("insure", "customs"),
        node("approve", "is_foreign:no", ports=("main", "error")),
        node("apologise", "approve:error", gives=False),
        node("ship", "insure", "approve", "is_big:no"),
        node("audit", "load", "ship", kind=NodeKind.MERGE),
    )


def switch() -> Definition:
    cases = ("DE", "FR", "IT", "ES", "PL", "default")
    return definition(
        "orders.switch",
        node("load"),
        node("country", "load", kind=NodeKind.SWITCH, ports=cases),
        *(node(f"tax_{case.lower()}", f"country:{case}", kind=NodeKind.MAP) for case in cases),
        node("book", *(f"tax_{case.lower()}" for case in cases)),
    )


def flights() -> Definition:
    """Twenty-one nodes with two groups, one inside the other."""
    clean, fix = ("Clean the flights",), ("Clean the flights", "Mend the times")
    return definition(
        "flights.delays",
        table("load_flights", summary="All flights that left New York."),
        table("load_weather"),
        table("load_planes"),
        table("load_airports"),
        table("load_airlines"),
        table("flag_cancelled", "load_flights", groups=clean),
        table("local_to_utc", "flag_cancelled", groups=fix),
        table("over_midnight", "local_to_utc", groups=fix),
        table("drop_doubles", "over_midnight", groups=clean),
        node("suspicious", "drop_doubles", kind=NodeKind.FILTER),
        node("read_flight", "suspicious", kind=NodeKind.PARSE, ports=("main", "error"), types={"out:main": "Flight"}),
        node("write_rejects", "read_flight:error", kind=NodeKind.TAP, gives=False),
        table("with_weather", "drop_doubles", "load_weather", kind=NodeKind.JOIN),
        table("with_planes", "with_weather", "load_planes", kind=NodeKind.JOIN),
        table("with_names", "with_planes", "load_airports", "load_airlines", kind=NodeKind.JOIN),
        node("by_carrier", "with_names", kind=NodeKind.SPLIT, types={"out:main": "Carrier"}),
        node("measure", "by_carrier", types={"in:carrier": "Carrier", "out:main": "Measures"}),
        node("worst_routes", "with_names", kind=NodeKind.AGGREGATE),
        node("collect", "measure", kind=NodeKind.AGGREGATE, types={"out:main": "Findings"}),
        table("write_parquet", "with_names", gives=False),
        node(
            "report", "collect", "worst_routes", "read_flight", types={"out:main": "Report"}, title="Write the report"
        ),
        outputs={"main": (source("report"),)},
        title="Delays of flights from New York",
        params_schema={
            "type": "object",
            "properties": {
                "month": {"type": "integer", "default": 1, "description": "Month of departure."},
                "min_delay": {"type": "number", "default": 15.0},
                "out": {"type": "string", "format": "path"},
            },
            "required": ["out"],
        },
    )


def half_way() -> dict[NodeId, NodeMark]:
    """A run of `flights` in the middle of its work: every status once at least."""
    done, given = NodeStatus.SUCCEEDED, 336_776
    marks = {
        "start": NodeMark(status=done, counts={"main": 1}, seconds=0.0),
        "load_flights": NodeMark(status=done, counts={"main": given}, seconds=0.81),
        "load_weather": NodeMark(status=done, counts={"main": 26_115}, seconds=0.12),
        "load_planes": NodeMark(status=NodeStatus.WAITING, error="retry 2 of 5 in 8 s: connection refused"),
        "load_airports": NodeMark(status=done, counts={"main": 1_458}, seconds=0.02),
        "load_airlines": NodeMark(status=NodeStatus.DUE),
        "flag_cancelled": NodeMark(status=done, counts={"main": given}, seconds=1.2),
        "local_to_utc": NodeMark(status=done, counts={"main": given}, seconds=2.53),
        "over_midnight": NodeMark(status=done, counts={"main": given}, seconds=0.4),
        "drop_doubles": NodeMark(status=done, counts={"main": 336_700}, seconds=0.3),
        "suspicious": NodeMark(status=done, counts={"main": 912}, seconds=3.1),
        "read_flight": NodeMark(status=done, counts={"main": 0, "error": 912}, seconds=0.7),
        "write_rejects": NodeMark(status=NodeStatus.FAILED, error="OSError: [Errno 28] No space left on device"),
        "with_weather": NodeMark(status=NodeStatus.RUNNING, seconds=12.34),
        "worst_routes": NodeMark(status=NodeStatus.SKIPPED),
        "write_parquet": NodeMark(status=NodeStatus.CANCELLED),
        "report": NodeMark(status=NodeStatus.PENDING),
    }
    return {NodeId(name): mark for name, mark in marks.items()}


def hostile() -> Definition:
    """Titles that would break a document, a diagram or a terminal if they were taken as they are."""
    return definition(
        "bad.<titles>",
        node("load", title='</text><script>alert("1")</script>', summary="a & b ]]> <!-- \x00\x1b[31m"),
        node("end", "load", title="A title that goes on and on, far longer than any box could ever be made " * 3),
        node("graph", "end:main", title='quote " and `tick` and [brackets] {braces} | pipe #1;', icon="✈"),
        node(
            "o-o.x", "graph", title="日本語のとても長いタイトルがここにあります、箱には入りません", groups=('<g"roup>',)
        ),
        node("o_o_x", "o-o.x", title="\u202eturned\ud800 \uffff", groups=('<g"roup>', "x\ny")),
    )

"""What the day says, as the tables of docs/scaling.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.day.costs import Costs
from benchmarks.day.model import Day, Hardware, Part, Setup
from benchmarks.day.traffic import KEPT_DAYS, TODAY

FACTORS = (1, 10, 100, 1_000)
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "connections": ("pooled",),
    "disk": ("objects",),
    "log": ("objects",),
    "pruning": ("drops",),
    "vacuum": ("drops",),
    "processor": ("replicas", "drops"),
    "commits": ("grouped",),
}
"""The steps that answer a part that gives, in the order in which to take them; behind them all, several databases."""
STEPS: Mapping[str, str] = {
    "pooled": "a pooler before the database",
    "objects": "payloads in an object store",
    "drops": "journal, logs and batches cut by time, so that pruning is a drop",
    "grouped": "workers of threads, each with sixteen runs in flight that share commits",
    "replicas": "people's pages read from a replica",
}
ROOM = 0.7
"""A part that is asked for more than this share of what it can do in its busiest five minutes gives before long."""


def costs_table(costs: Costs) -> str:
    """What a run of each kind costs."""
    head = ("a run", "statements", "commits", "log KB", "server ms", "worker ms", "kept KB", "dead rows", "messages")
    rows = [
        (
            name,
            *map(figure, (one.statements, one.commits, one.log / 1024, 1_000 * one.server, 1_000 * one.python)),
            *map(figure, (one.kept / 1024, one.dead, one.messages)),
        )
        for name, one in costs.runs.items()
    ]
    pruned = [
        (
            f"{name}, pruned",
            *("", "", figure(one.prune_log / 1024), figure(1_000 * one.prune_server)),
            *("", "", figure(one.prune_dead), ""),
        )
        for name, one in costs.runs.items()
    ]
    return table(head, (*rows, *pruned))


def load_table(costs: Costs, hardware: Hardware | None = None) -> str:
    """What each part is asked for at several times today's load, and how much that could grow."""
    days = {factor: play(costs, factor, Setup(), hardware) for factor in FACTORS}
    rows = [
        (name, *(_asked(day[name]) for day in days.values()), f"{figure(1 / part.share)} ×")
        for name, part in days[1].items()
    ]
    return table(("part", *(f"{factor:,} ×" for factor in FACTORS), "full at"), rows)


def steps_table(costs: Costs, factor: float, hardware: Hardware | None = None) -> str:
    """What gives first at a load, the step that answers it, what gives then, and so on until nothing does."""
    rows, setup = [], Setup()
    while True:
        name, part = fullest(play(costs, factor, setup, hardware))
        if part.share <= ROOM:
            return table(
                ("gives first", "the step that answers it"), [*rows, (f"nothing; {name}: {share_of(part)}", "")]
            )
        step, setup = _answered(setup, name)
        if step is None:
            many = setup.databases
            while fullest(play(costs, factor, setup, hardware))[1].share > ROOM:
                many, setup = many + 1, replace(setup, databases=many + 1)
            step = f"{many} databases behind one web, by tenant or workflow"
        rows.append((f"{name}: {share_of(part)}", step))


def _answered(setup: Setup, part: str) -> tuple[str | None, Setup]:
    """The next step that answers a part, if another database does not have to, and the setup after it."""
    for step in ANSWERS.get(part, ()):
        if not getattr(setup, step):
            return STEPS[step], replace(setup, **{step: True})  # type: ignore[arg-type]
    return None, setup


def play(costs: Costs, factor: float, setup: Setup, hardware: Hardware | None = None) -> Mapping[str, Part]:
    """The parts after a day."""
    return Day(costs, factor, setup, hardware or Hardware()).play()


def text(costs: Costs) -> str:
    """All tables, each with a line that says what it is."""
    measured = f"{costs.machine['processor']}, PostgreSQL {costs.machine['postgresql']}"
    lines = [
        f"**What a run costs**, measured on {measured}; {figure(costs.commit_rate)} commits a second:",
        costs_table(costs),
        f"**What the parts are asked for** when {TODAY:,} runs a day, kept for {KEPT_DAYS} days, are 1 ×:",
        load_table(costs),
    ]
    for factor in FACTORS[1:]:
        lines += [f"**At {factor:,} ×**:", steps_table(costs, factor)]
    return "\n\n".join(lines) + "\n"


def fullest(parts: Mapping[str, Part]) -> tuple[str, Part]:
    """The part that gives first."""
    return max(parts.items(), key=lambda item: item[1].share)


def _asked(part: Part) -> str:
    said = share_of(part)
    if not part.level and (wait := part.wait) >= 1.0:
        said += f", {figure(wait)} s"
    return f"**{said}**" if part.share > ROOM else said


def share_of(part: Part) -> str:
    """As people say it."""
    return f"{figure(100 * part.share)} %"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def figure(value: float) -> str:
    """Two digits that say something."""
    if value >= 100:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{value:.2g}" if value >= 0.01 or not value else f"{value:.1g}"

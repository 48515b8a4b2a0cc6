"""Puts sentences, pictures and tables together into one page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

import polars as pl

from flights import panels, picture, tables, wording
from flights.artifact import Artifact
from flights.chart import figure, tag
from flights.comparison import FEWEST_FLIGHTS, Comparison
from flights.questions import overview, worst_routes
from flights.records import Note, Reject

TOP_ROUTES = 12
METHOD = """\
A departure is late when it left {min_delay:g} minutes or more after its time. Shares of late departures are of \
those that left; cancelled flights are counted apart.

Weather is the reading at the airport of departure in the scheduled hour, matched by UTC. It is known for \
{with_weather} of the flights. “Rough weather” without more means rough or severe.

The age of the aircraft is known for {with_age} of the flights. The source says that American Airlines and Envoy \
report fleet numbers instead of registrations.

Intervals of carriers come from {resamples:,} draws of whole days with replacement, because flights of one day share \
its troubles. “At equal hour, airport, month” is the coefficient of rough weather in a linear model with those. \
“Slowest tenth” is the delay that one departure in ten exceeds.

“How late the airport ran an hour before” is the share of late ones among the departures from the same airport that \
were scheduled in the hour before."""
STYLE = Path(__file__).with_name("report.css")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Everything that the report tells."""

    months: Sequence[int]
    min_delay: float
    resamples: int
    hours: pl.DataFrame
    days: pl.DataFrame
    weather: pl.DataFrame
    carriers: Sequence[Comparison]
    routes: pl.DataFrame
    ages: pl.DataFrame
    causes: pl.DataFrame
    rejects: Sequence[Reject]
    notes: Sequence[Note]
    artifacts: Sequence[Artifact]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, the finding, the picture and the table that answer it."""

    asks: str
    finding: str
    figure: str
    table: str


def render(answers: Answers) -> str:
    """Write the page; the same answers give the same bytes."""
    title = f"Late from New York, {wording.months_in_words(answers.months)}"
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        + tag("title", escape(title))
        + "\n"
        + tag("style", "\n" + STYLE.read_text(encoding="utf-8"))
    )
    asked = questions(answers)
    body = [_opening(answers), _contents(asked)]
    body += [_section(number, question) for number, question in enumerate(asked, start=1)]
    body.append(_method(answers))
    parts = tag("head", f"\n{head}\n") + "\n" + tag("body", tag("main", "\n".join(body)))
    page = tag("html", f"\n{parts}\n", lang="en")
    return f"<!doctype html>\n{page}\n"


def questions(answers: Answers) -> list[Question]:
    """The seven questions in the order in which a reader asks them."""
    return [_when(answers), _days(answers), _weather(answers), _carriers(answers), *_rest(answers)]


def least_departures(days: pl.DataFrame) -> int:
    """How many departures a route needs to be judged: one a day, and never fewer than 30."""
    return max(days.height, 30)


def _when(answers: Answers) -> Question:
    return Question(
        asks="When in the day?",
        finding=wording.hours(answers.hours),
        figure=figure(
            lambda width: picture.hours(answers.hours, width),
            name="hours",
            words="Lines: share of departures that left late, by scheduled hour, for each airport.",
            caption=f"Share of departures that left late. Hours with fewer than {picture.FEWEST} of them are left out.",
        ),
        table=tables.hours(answers.hours),
    )


def _days(answers: Answers) -> Question:
    legend = "".join(tag("span", tag("i", " ", class_=f"h{number}") + words) for number, words in _heat_words())
    return Question(
        asks="On which days?",
        finding=wording.days(answers.days),
        figure=figure(
            lambda width: picture.calendar(answers.days, width),
            name="days",
            words="A calendar: each day is a cell, darker the larger the share of departures that left late.",
            caption=f"Share of departures that left late. A ring: {picture.MANY_CANCELLED:.0%} or more of the "
            f"day’s flights were cancelled.<br>{tag('span', legend, class_='legend')}",
        ),
        table=tables.days(answers.days),
    )


def _heat_words() -> list[tuple[int, str]]:
    edges = [f"{edge:.0%}" for edge in picture.HEAT_EDGES]
    words = [f"under {edges[0]}", *(f"{low}–{high}" for low, high in pairwise(edges))]
    return list(enumerate([*words, f"{edges[-1]} and more"]))


def _weather(answers: Answers) -> Question:
    keys = "".join(
        tag("span", tag("i", " ", class_=kind) + words) for kind, words in (("s0", "left late"), ("s1", "cancelled"))
    )
    legend = tag("span", keys, class_="legend")
    return Question(
        asks="How much is the weather?",
        finding=wording.weather(answers.weather),
        figure=figure(
            lambda width: picture.weather(answers.weather, width),
            name="weather",
            words="Bars: share of departures late and of flights cancelled, by wind, visibility and precipitation.",
            caption=f"{legend} Late: of the departures that left. Cancelled: of the flights that were scheduled.",
        ),
        table=tables.weather(answers.weather),
    )


def _carriers(answers: Answers) -> Question:
    return Question(
        asks="Which carriers stand bad weather?",
        finding=wording.carriers(answers.carriers),
        figure=figure(
            lambda width: panels.carriers(answers.carriers, width),
            name="carriers",
            words="A panel for each carrier: share of departures late in fair, unsettled, rough and severe weather.",
            caption=(
                "Share of departures that left late, from fair to severe weather, largest carrier first. "
                "Shaded: 95% interval. Dashed: all carriers. "
                f"Hollow dots: fewer than {FEWEST_FLIGHTS} departures in fair or in rough weather, so no interval."
            ),
        ),
        table=tables.carriers(answers.carriers),
    )


def _rest(answers: Answers) -> list[Question]:
    at_least = least_departures(answers.days)
    worst = worst_routes(answers.routes, at_least=at_least, top=TOP_ROUTES)
    return [
        Question(
            asks="Which routes are worst?",
            finding=wording.routes(worst, at_least),
            figure=figure(
                lambda width: picture.routes(worst, width),
                name="routes",
                words="Dots with intervals: share of departures late on the worst routes.",
                caption=f"Share of departures that left late, with its 95% interval; routes with at least {at_least}.",
            ),
            table=tables.routes(worst),
        ),
        Question(
            asks="Are old aircraft later?",
            finding=wording.ages(answers.ages),
            figure=figure(
                lambda width: picture.ages(answers.ages, width),
                name="ages",
                words="Dots: share of departures late by age of the aircraft, beside what is usual for their carriers.",
                caption="Filled: share that left late. Hollow: what is usual for the carriers that fly such aircraft.",
            ),
            table=tables.ages(answers.ages),
        ),
        Question(
            asks="What tells who leaves late?",
            finding=wording.causes(answers.causes),
            figure=figure(
                lambda width: picture.causes(answers.causes, width),
                name="causes",
                words="Bars: share of the variance of lateness that each kind of knowledge explains.",
                caption="Parts of the R² of a linear model, averaged over every order of the groups. "
                "What goes with lateness need not cause it.",
            ),
            table=tables.causes(answers.causes),
        ),
    ]


def _opening(answers: Answers) -> str:
    total = overview(answers.days)
    tiles = [
        (f"{total['flights']:,}", "flights scheduled"),
        (tables.late(total), f"of departures {answers.min_delay:g} minutes late or more"),
        (picture.percent(total["cancelled"], total["flights"]), f"cancelled: {total['cancelled']:,} flights"),
        (tables.mean(total), "minutes: mean departure delay"),
    ]
    figures = "".join(tag("div", tag("dt", escape(says)) + tag("dd", escape(value))) for value, says in tiles)
    period = f"JFK, LaGuardia and Newark · {wording.months_in_words(answers.months)}"
    return tag(
        "header",
        tag("p", escape(period), class_="kicker")
        + tag("h1", escape(wording.headline(total, answers.weather)))
        + tag("p", escape(f"{wording.hours(answers.hours)} {wording.weather(answers.weather)}"), class_="lead")
        + tag("dl", figures),
    )


def _contents(asked: Sequence[Question]) -> str:
    items = [tag("li", tag("a", escape(each.asks), href=f"#q{number}")) for number, each in enumerate(asked, start=1)]
    items.append(tag("li", tag("a", "Method and data", href="#method")))
    return tag("nav", tag("ol", "".join(items)), aria_label="Questions")


def _section(number: int, question: Question) -> str:
    answer = tag("div", tag("h2", escape(question.asks)) + tag("p", escape(question.finding)), class_="answer")
    proof = tag("div", question.figure + "\n" + question.table, class_="proof")
    return tag("section", answer + "\n" + proof, id=f"q{number}")


def _method(answers: Answers) -> str:
    total = overview(answers.days)
    with_weather = int(answers.weather.filter(pl.col("measure") == "level")["flights"].sum())
    with_age = int(answers.ages["flights"].sum())
    paragraphs = METHOD.format(
        min_delay=answers.min_delay,
        with_weather=picture.percent(with_weather, total["flights"]),
        with_age=picture.percent(with_age, total["flights"]),
        resamples=answers.resamples,
    ).split("\n\n")
    prose = "".join(tag("p", escape(each)) for each in paragraphs)
    proof = tables.refused(answers.rejects) + tables.kept(answers.notes) + tables.files(answers.artifacts)
    return tag(
        "section",
        tag("div", tag("h2", "Method and data") + prose, class_="answer method") + tag("div", proof, class_="proof"),
        id="method",
    )

"""A year of departures from New York: who leaves late, when, where, and what the weather has to do with it.

The work is done by the plain functions of the package `flights`; this file says what waits for what.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

import codemation as cm
from flights import artifact, causes, comparison, measure, questions, records, report, source
from flights.artifact import Artifact
from flights.comparison import Carrier, Comparison
from flights.records import Departure, Note, Plane, Reading, Reject

Month = Annotated[int, Field(ge=1, le=12)]
Minutes = Annotated[float, Field(gt=0, le=1440, allow_inf_nan=False)]
Draws = Annotated[int, Field(ge=100, le=20_000)]
WRITE_AGAIN = cm.Retry(3, delay="1s", on=(OSError,))


class Params(cm.Params):
    """What a run can be asked for."""

    months: Annotated[list[Month], Field(min_length=1)] = list(range(1, 13))
    """Months of 2013 to look at, 1 to 12."""
    min_delay: Minutes = 15
    """Minutes after its time from which a departure counts as late."""
    resamples: Draws = 5000
    """Draws of days behind each interval: more make the bounds steadier and take longer."""
    out: Path = Path("build/flights")
    """Folder for the report, the table and the rejects, from the working directory."""


class Verdict(cm.Ports):
    """Where an odd departure goes that could have happened."""

    kept: Note = cm.port("counted as it is")
    repaired: Note = cm.port("counted, with one field taken as unknown")


class Ranking(BaseModel):
    """The carriers side by side, in the order of the report."""

    model_config = ConfigDict(frozen=True)

    carriers: list[Comparison]


@cm.node(icon="plane", timeout="2m")
def load_flights(params: Params) -> pl.DataFrame:
    """Read the scheduled departures of the chosen months."""
    return source.read_flights(params.months)


@cm.node(icon="cloud", timeout="2m")
def load_weather(params: Params) -> pl.DataFrame:
    """Read the hourly weather at the three airports."""
    return source.read_weather(params.months)


@cm.node(timeout="2m")
def load_planes() -> pl.DataFrame:
    """Read the aircraft register, each row with a name."""
    return measure.register(source.read_planes())


@cm.node(timeout="2m")
def load_airports() -> pl.DataFrame:
    """Read the names of the airports."""
    return source.read_airports()


@cm.node(timeout="2m")
def load_airlines() -> pl.DataFrame:
    """Read the names of the carriers."""
    return source.read_airlines()


odd_departures = cm.node(measure.odd_departures)
odd_readings = cm.node(measure.odd_readings)


@cm.node
def judge(departure: Departure) -> Verdict:
    """Say what is odd about a departure that could have happened, and how to treat it."""
    note = records.note_of(departure)
    return Verdict(repaired=note) if note.kind == "odd_tail_number" else Verdict(kept=note)


def explain(failure: cm.Failure[dict[str, Any]]) -> Reject:
    """Say in words why a record is not believed."""
    return records.reject_of(failure.item)


@cm.node(title="Join and clean")
def assemble(  # noqa: PLR0913 - everything that is joined comes in by a door of its own
    flights: pl.DataFrame,
    *,
    weather: pl.DataFrame,
    planes: pl.DataFrame,
    airports: pl.DataFrame,
    airlines: pl.DataFrame,
    rejects: list[Reject],
    repairs: list[Note],
    min_delay: float,
) -> pl.DataFrame:
    """Join weather, aircraft and names to each departure that is believed."""
    sources = measure.Sources(flights=flights, weather=weather, planes=planes, airports=airports, airlines=airlines)
    return measure.assemble(sources, rejects=rejects, repairs=repairs, min_delay=min_delay)


@cm.node(retry=WRITE_AGAIN)
def write_parquet(table: pl.DataFrame, params: Params) -> Artifact:
    """Write the joined table as Parquet."""
    return artifact.write_parquet(table, params.out / "flights.parquet")


@cm.node(retry=WRITE_AGAIN, run_on_empty=True)
def write_rejects(rejects: list[Reject], params: Params) -> Artifact:
    """Write the records that were left out, with the reasons."""
    return artifact.write_rejects(rejects, params.out / "rejects.csv")


@cm.node
def carriers(table: pl.DataFrame) -> list[Carrier]:
    """List the carriers; from here on each is an item."""
    return comparison.roster(table)


def measurable(carrier: Carrier) -> bool:
    """Whether a carrier flew enough, in fair and in rough weather, for an interval to mean something."""
    return carrier.measurable


@cm.node(concurrency=2, timeout="5m")
def compare_carrier(carrier: Carrier, *, table: pl.DataFrame, params: Params) -> Comparison:
    """Measure a carrier's delay against the weather, with intervals."""
    return comparison.compare_carrier(carrier, table, resamples=params.resamples)


@cm.node
def count_carrier(carrier: Carrier, *, table: pl.DataFrame) -> Comparison:
    """Count a small carrier's departures by weather."""
    return comparison.count_carrier(carrier, table)


def ranked(comparisons: list[Comparison]) -> Ranking:
    """Put the carriers side by side."""
    return Ranking(carriers=comparison.side_by_side(comparisons))


@cm.node(retry=WRITE_AGAIN, icon="file")
def write_report(  # noqa: PLR0913 - each answer comes in by a door of its own
    hours: pl.DataFrame,
    *,
    days: pl.DataFrame,
    weather: pl.DataFrame,
    routes: pl.DataFrame,
    ages: pl.DataFrame,
    explained: pl.DataFrame,
    ranking: Ranking,
    rejects: list[Reject],
    notes: list[Note],
    files: list[Artifact],
    params: Params,
) -> Artifact:
    """Write the page with the seven answers."""
    answers = report.Answers(
        months=params.months,
        min_delay=params.min_delay,
        resamples=params.resamples,
        hours=hours,
        days=days,
        weather=weather,
        carriers=ranking.carriers,
        routes=routes,
        ages=ages,
        causes=explained,
        rejects=rejects,
        notes=sorted(notes, key=lambda note: (note.table, note.key)),
        artifacts=sorted(files, key=lambda file: file.name),
    )
    return artifact.write_file(params.out / "report.html", report.render(answers).encode())


@cm.workflow("flights.delays", params=Params, title="Late from New York")
def delays(start: cm.Flow) -> cm.Flow[Artifact]:
    """Find out who leaves New York late, when, where, and what the weather has to do with it."""
    flights = start.then(load_flights)
    weather = start.then(load_weather)

    planes = start.then(load_planes).parse(Plane, id="believe_planes", on_error="port")
    readings = weather.then(odd_readings).parse(Reading, id="believe_readings", on_error="port")
    departures = flights.then(odd_departures).parse(Departure, id="believe_departures", on_error="port")
    verdicts = departures.then(judge)
    rejects = planes["error"].merge(readings["error"], departures["error"], id="refused").map(explain)
    notes = verdicts["kept"].merge(verdicts["repaired"], readings.map(records.repeated_hour), id="noted")

    table = flights.then(
        assemble,
        weather=weather,
        planes=planes,
        airports=start.then(load_airports),
        airlines=start.then(load_airlines),
        rejects=rejects,
        repairs=verdicts["repaired"],
        min_delay=Params.min_delay,
    )
    files = table.then(write_parquet).merge(rejects.then(write_rejects), id="files")

    def side_by_side(each: cm.Flow[Carrier]) -> cm.Flow[Ranking]:
        """Measure the large carriers, count the small ones, and rank them all."""
        return each.branch(
            measurable,
            yes=lambda large: large.then(compare_carrier, table=table),
            no=lambda small: small.then(count_carrier, table=table),
        ).aggregate(ranked)

    ranking = table.then(carriers).pipe(side_by_side, title="Carriers side by side")
    return table.parallel(
        hours=cm.node(questions.by_hour),
        days=cm.node(questions.by_day),
        weather=cm.node(questions.by_weather),
        routes=cm.node(questions.by_route),
        ages=cm.node(questions.by_age),
        explained=cm.node(causes.explained),
    ).into(write_report, ranking=ranking, rejects=rejects, notes=notes, files=files)

"""The steps of the flights workflow, one after the other in one process, without an engine.

As a program it writes the files of a run: `python -m tests.app_template.pipeline <folder> <month> …`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import ValidationError

MIN_DELAY = 15.0


def _find_app() -> None:
    app = str(Path(__file__).parents[2] / "app_template")
    if app not in sys.path:
        sys.path.insert(0, app)


_find_app()

from flights import artifact, causes, comparison, measure, questions, records, report, source  # noqa: E402 — as above


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Everything up to the joined table."""

    months: Sequence[int]
    table: pl.DataFrame
    rejects: list[records.Reject]
    notes: list[records.Note]


def prepare(months: Sequence[int]) -> Work:
    """Read, judge, and join."""
    flights, weather = source.read_flights(months), source.read_weather(months)
    planes: list[dict[str, object]] = []
    rejects: list[records.Reject] = []
    notes: list[records.Note] = []
    for row in measure.register(source.read_planes()).iter_rows(named=True):
        try:
            planes.append(records.Plane.model_validate(row).model_dump())
        except ValidationError:
            rejects.append(records.reject_of(row))
    for row in measure.odd_readings(weather).iter_rows(named=True):
        try:
            notes.append(records.repeated_hour(records.Reading.model_validate(row)))
        except ValidationError:
            rejects.append(records.reject_of(row))
    for row in measure.odd_departures(flights).iter_rows(named=True):
        try:
            notes.append(records.note_of(records.Departure.model_validate(row)))
        except ValidationError:
            rejects.append(records.reject_of(row))
    sources = measure.Sources(
        flights=flights,
        weather=weather,
        planes=pl.DataFrame(planes),
        airports=source.read_airports(),
        airlines=source.read_airlines(),
    )
    table = measure.assemble(sources, rejects=rejects, repairs=notes, min_delay=MIN_DELAY)
    return Work(months=months, table=table, rejects=rejects, notes=notes)


def compare(table: pl.DataFrame, resamples: int) -> list[comparison.Comparison]:
    """Measure every carrier that can be measured, and count the others."""
    return comparison.side_by_side(
        [
            comparison.compare_carrier(each, table, resamples=resamples)
            if each.measurable
            else comparison.count_carrier(each, table)
            for each in comparison.roster(table)
        ]
    )


def answers(work: Work, folder: Path, resamples: int) -> report.Answers:
    """Ask the joined table everything, and write the table and the rejects."""
    return report.Answers(
        months=work.months,
        min_delay=MIN_DELAY,
        resamples=resamples,
        hours=questions.by_hour(work.table),
        days=questions.by_day(work.table),
        weather=questions.by_weather(work.table),
        carriers=compare(work.table, resamples),
        routes=questions.by_route(work.table),
        ages=questions.by_age(work.table),
        causes=causes.explained(work.table),
        rejects=work.rejects,
        notes=work.notes,
        artifacts=[
            artifact.write_parquet(work.table, folder / "flights.parquet"),
            artifact.write_rejects(work.rejects, folder / "rejects.csv"),
        ],
    )


def write_all(folder: Path, months: Sequence[int], resamples: int = 200) -> None:
    """Write the report, the table and the rejects into a folder."""
    page = report.render(answers(prepare(months), folder, resamples))
    artifact.write_file(folder / "report.html", page.encode())


if __name__ == "__main__":
    write_all(Path(sys.argv[1]), [int(month) for month in sys.argv[2:]])

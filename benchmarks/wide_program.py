"""A process of E7: five steps on a table, as plain calls that write files, or as nodes of a workflow."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import psutil  # type: ignore[import-untyped]  # it has no types of its own

import codemation as cm


def load(rows: int) -> pl.DataFrame:
    """Make the table."""
    number = pl.int_range(rows, eager=True)
    return pl.DataFrame(
        {"n": number, "carrier": "carrier " + (number % 16).cast(pl.String), "delay": (number * 7919 % 240) - 60.0}
    )


def late(flights: pl.DataFrame) -> pl.DataFrame:
    """Add a column."""
    return flights.with_columns(late=pl.col("delay") > 15)


def hours(flights: pl.DataFrame) -> pl.DataFrame:
    """Add another one."""
    return flights.with_columns(hours=pl.col("delay") / 60)


def ordered(flights: pl.DataFrame) -> pl.DataFrame:
    """Sort everything."""
    return flights.sort("delay", "n")


def named(flights: pl.DataFrame) -> pl.DataFrame:
    """Change a column."""
    return flights.with_columns(pl.col("carrier").str.to_uppercase())


STEPS = (late, hours, ordered, named)


def plain(rows: int) -> pl.DataFrame:
    """Plain calls, each result written to a file that the disk has confirmed."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        table = load(rows)
        _write(table, Path(folder) / "load")
        for step in STEPS:
            table = step(table)
            _write(table, Path(folder) / step.__name__)
        return table


def ours(rows: int) -> pl.DataFrame:
    """The same functions as nodes."""

    def make() -> pl.DataFrame:
        return load(rows)

    flow = cm.workflow("bench.wide").then(cm.node(make))
    for step in STEPS:
        flow = flow.then(cm.node(step))
    run = flow.build().run()
    table: pl.DataFrame = run.output
    return table


def _write(table: pl.DataFrame, path: Path) -> None:
    with path.open("wb") as file:
        table.write_ipc_stream(file)
        file.flush()
        os.fsync(file.fileno())


def main() -> None:
    """Do what the command line says, and say what it took."""
    who, rows = sys.argv[1], int(sys.argv[2])
    work = {"plain": plain, "ours": ours}[who]
    work(10)  # imports and connections
    before = psutil.Process().memory_info().rss / 2**20
    began = time.perf_counter()
    table = work(rows)
    seconds = time.perf_counter() - began
    assert table.height == rows
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        json.dumps({"seconds": seconds, "grown": peak - before, "table": table.estimated_size() / 2**20}) + "\n"
    )


if __name__ == "__main__":
    main()

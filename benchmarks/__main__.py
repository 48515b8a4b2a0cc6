"""`python -m benchmarks`: measure, show each figure, and end with a table of the bars."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    archive,
    backlog,
    chain,
    crowd,
    growth,
    idle,
    kernel,
    latency,
    maps,
    queues,
    report,
    shards,
    starting,
    storage,
    takeover,
    wide,
)
from benchmarks.effort import FULL, QUICK, Effort
from benchmarks.figures import Finding
from benchmarks.machine import described
from benchmarks.peer import ENVIRONMENTS
from benchmarks.stand import Stand, standing

BENCHMARKS: dict[str, Callable[[Stand], Finding]] = {
    "E1": chain.measure,
    "E2": crowd.measure,
    "E3": latency.measure,
    "E4": maps.measure,
    "E5": growth.measure,
    "E6": archive.measure,
    "E7": wide.measure,
    "E8": starting.measure,
    "E9": storage.measure,
    "E10": kernel.measure,
    "P1": queues.measure_rate,
    "P2": queues.measure_latency,
    "P3": shards.measure,
    "P4": takeover.measure,
    "P5": backlog.measure,
    "P6": idle.measure,
}
RESULTS = Path("build/bench")


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out a command line."""
    asked = _parser().parse_args(arguments)
    effort = QUICK if asked.quick else FULL
    if asked.rounds is not None:
        effort = replace(effort, rounds=asked.rounds)
    run(effort, asked.only, peers=None if asked.alone else ENVIRONMENTS.absolute(), results=RESULTS.absolute())


def run(effort: Effort, names: Sequence[str], *, peers: Path | None, results: Path) -> list[Finding]:
    """Measure and show; `peers` is where their environments are, or shall be."""
    findings = []
    with standing(effort) as stand:
        if peers is not None:
            stand.invite(peers)
        machine = described(stand)
        print(report.header(machine), end="\n\n", flush=True)
        for name in names:
            findings.append(BENCHMARKS[name](stand))
            print(report.details(findings[-1]), end="\n\n", flush=True)
    machine["load afterwards"] = f"{os.getloadavg()[0]:.2f}"
    print(report.table(findings))
    path = results / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    report.save(path, machine, findings)
    print(f"\nload {machine['load']} before, {machine['load afterwards']} after; every value: {path.name} in {RESULTS}")
    return findings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=_rounds, help="measured rounds of each contender (default: 7)")
    parser.add_argument("--only", type=_names, default=list(BENCHMARKS), help="for example E1,E4")
    parser.add_argument("--quick", action="store_true", help="a first look: fewer rounds and smaller sizes")
    parser.add_argument("--alone", action="store_true", help="without the peer")
    return parser


def _rounds(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds: at least 1")
    return int(text)


def _names(text: str) -> list[str]:
    names = [name.strip().upper() for name in text.split(",")]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return names


if __name__ == "__main__":
    main()

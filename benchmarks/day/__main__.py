"""`python -m benchmarks.day`: show what the day says; `--measure` takes the costs anew."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.day import costs, measuring, report


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out a command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.day", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure the costs on this tree, and keep them")
    if parser.parse_args(arguments).measure:
        costs.save(measuring.measure())
    print(report.text(costs.load()))


if __name__ == "__main__":
    main()

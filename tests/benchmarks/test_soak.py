"""The verdict of a soak: what stays as it was is flat, what grows is said to grow."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.soak import Minute, shown, summary, verdicts

CALM = Minute(
    runs=600, p50=20.0, p95=40.0, queued=3, connections=9, dead_rows=800, database=20.0, memory=(80.0, 90.0, 95.0)
)


def test_what_stays_as_it_was_is_flat_after_a_warm_up() -> None:
    seen = [replace(CALM, p50=300.0), *[replace(CALM, database=20.0 + minute) for minute in range(14)]]
    assert all(flat for *_, flat in verdicts(seen).values())
    assert "600 runs, p50 20.0 ms" in shown(CALM)
    assert "9,000 runs" in summary(40.0, seen)
    assert "NOT FLAT" not in summary(40.0, seen)


def test_each_thing_that_grows_is_named() -> None:
    growing = {
        "memory of a process": lambda n: replace(CALM, memory=(80.0, 90.0 + 5 * n)),
        "latency p95": lambda n: replace(CALM, p95=40.0 + 5 * n),
        "queued": lambda n: replace(CALM, queued=3 + 4 * n),
    }
    for name, minute in growing.items():
        found = verdicts([minute(n) for n in range(15)])
        assert [one for one, (*_, flat) in found.items() if not flat] == [name]

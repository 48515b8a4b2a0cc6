"""Every benchmark runs on tiny sizes and does the work that it measures; what it measures then says nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest

from benchmarks import (
    archive,
    chain,
    crowd,
    flows,
    growth,
    kernel,
    latency,
    maps,
    report,
    shards,
    starting,
    storage,
    wide,
)
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.effort import TINY
from benchmarks.figures import Bar, Finding, Series, percentile, ratio
from benchmarks.peer import DBOS, Peer, PeerMissing, installed
from benchmarks.rounds import interleaved
from benchmarks.stand import Stand, standing
from tests.host.postgres.embedded.world import REPOSITORY, eventually


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    with standing(TINY) as stand:
        flows.chain(1).run()  # makes the product's tables
        yield stand


def runs_of(stand: Stand, workflow: str) -> int:
    """The runs of a workflow that have succeeded in the product's database."""
    (count,) = stand.inside("SELECT count(*) FROM runs WHERE status = 3 AND workflow = %s", workflow)
    return int(count)


@pytest.mark.parametrize(
    ("measure", "workflow", "least"),
    [
        (chain.measure, "bench.chain10", 2),
        (crowd.measure, "bench.chain10", 64),
        (latency.measure, "bench.chain3", 2),
        (growth.measure, "bench.paced16", 3),
        (wide.measure, "bench.wide", 4),
        (maps.measure, "bench.map", 4),
        (shards.measure, "bench.sharded", 2),
        (starting.measure, "begin", 3),
    ],
)
def test_a_benchmark_really_does_the_runs_that_it_measures(
    stand: Stand, measure: Callable[[Stand], Finding], workflow: str, least: int
) -> None:
    before = runs_of(stand, workflow)
    finding = measure(stand)
    stand.rest()
    assert runs_of(stand, workflow) - before >= least
    assert all(value > 0 for series in finding.series for value in series.values if series.unit in ("W10/s", "ms", "s"))
    assert finding.name in BENCHMARKS


def test_long_runs_are_counted_at_both_ends(stand: Stand) -> None:
    finding = growth.measure(stand)
    counted = {series.name: series.median for series in finding.series if " a call, " in series.name}
    assert len(counted) == 12  # of a chain and of a loop
    assert all(value > 0 for value in counted.values())


def test_an_archive_is_a_database_of_its_own_beside_an_empty_one(stand: Stand) -> None:
    finding = archive.measure(stand)
    transactions = [series.median for series in finding.series if series.name.startswith("transactions per W10")]
    assert len(transactions) == 2
    assert all(value >= 11 for value in transactions)
    with psycopg.connect(stand.database("full"), autocommit=True) as full:
        rows = full.execute("SELECT count(*), count(DISTINCT id) FROM runs").fetchone()
        journal = full.execute("SELECT count(*) FROM journal GROUP BY run_id").fetchall()
    assert rows is not None
    assert rows[0] == rows[1] > TINY.archived
    assert {count for (count,) in journal} == {11}


def test_storage_is_counted_on_a_server_that_nobody_has_used(stand: Stand) -> None:
    before = runs_of(stand, "bench.chain10")
    finding = storage.measure(stand)
    transactions, log, _ = (bar.figure for bar in finding.bars)
    assert transactions >= 11  # each W10 is a start and ten steps
    assert log > 1
    assert runs_of(stand, "bench.chain10") == before


def test_the_kernel_walks_graphs_of_exactly_the_sizes_that_it_names(stand: Stand) -> None:
    assert [len(kernel.graph(size).plan.nodes) - 1 for size in (1, 2, 3, 4, 100)] == [1, 2, 3, 4, 100]
    finding = kernel.measure(stand)
    assert len(finding.series) == 2 * len(TINY.graphs) + 1
    assert all(value > 0 for series in finding.series for value in series.values)


def test_the_floor_stores_a_row_for_each_step_and_item(stand: Stand) -> None:
    count = "SELECT count(*) FROM floor_steps"
    (before,) = stand.ask(count)
    assert stand.floor.chain(10) == {"n": 1, "name": "JFK", "late": False}
    assert stand.floor.map([{"n": 1}, {"n": 2}]) == 2
    assert stand.ask(count) == (before + 12,)


def test_a_stand_leaves_nothing_behind_and_the_folder_and_the_variables_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/")
    here = Path.cwd()
    with standing(TINY) as other, pytest.raises(psycopg.errors.UndefinedTable):
        other.ask("SELECT 1 FROM nowhere")
    folder = other.folder
    assert not folder.exists()
    assert (Path.cwd(), os.environ["DATABASE_URL"]) == (here, "postgresql://elsewhere/")


def test_a_peer_that_cannot_be_installed_is_left_out_with_a_reason(stand: Stand, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert stand.peer is None  # whatever was measured before
    assert stand.missing(DBOS) == ("DBOS was left out",)
    stand.invite(tmp_path / "file")
    assert stand.peer is None
    assert stand.missing(DBOS)[0].startswith("DBOS cannot be installed: ")


def test_a_peer_that_ends_at_once_is_left_out_with_a_reason() -> None:
    with pytest.raises(PeerMissing, match="exit code"):
        Peer(DBOS, Path("/bin/false"), url="postgresql://nowhere/")


def test_an_environment_that_is_there_is_used_as_it_is(tmp_path: Path) -> None:
    python = tmp_path / "dbos" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert installed(DBOS, tmp_path) == python


def test_contenders_take_turns_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []

    def taken(name: str) -> int:
        turns.append(name)
        return len(turns)

    contenders = {name: partial(taken, name) for name in ("floor", "ours")}
    assert interleaved(contenders, 2) == {"floor": [3, 5], "ours": [4, 6]}
    assert turns == ["floor", "ours"] * 3


def test_ratios_are_taken_round_by_round() -> None:
    one = Series(name="one", unit="s", values=(2.0, 30.0, 8.0))
    other = Series(name="other", unit="s", values=(1.0, 10.0, 2.0))
    assert ratio("one / other", one, other) == Series(name="one / other", unit="×", values=(2.0, 3.0, 4.0))
    assert (one.median, one.spread) == (8.0, (2.0, 30.0))
    assert percentile(range(1, 101), 95) == 96
    assert percentile([7.0], 95) == 7.0


def test_a_bar_is_reached_from_its_own_side(tmp_path: Path) -> None:
    fast = Bar(what="rate", figure=0.7, limit=0.65, unit="×", at_least=True)
    slow = Bar(what="seconds", figure=0.7, limit=0.65, unit="s")
    assert (fast.reached, slow.reached) == (True, False)
    finding = Finding(name="E1", title="work", series=(Series(name="ours", unit="s", values=(1.0, 2.0)),), bars=(slow,))
    lines = report.table([finding, Finding(name="E2", title="more", bars=(fast,))]).splitlines()
    assert [line.split()[-1] for line in lines] == ["REACHED", "reached"]
    assert "1.5 s" in report.details(finding)
    report.save(tmp_path / "deep" / "figures.json", {"cores": "2"}, [finding])
    saved = json.loads((tmp_path / "deep" / "figures.json").read_text())
    assert saved["findings"][0]["series"][0]["values"] == [1.0, 2.0]
    assert saved["findings"][0]["bars"][0]["reached"] is False


def test_figures_that_were_taken_on_a_busy_machine_say_so() -> None:
    bar = Bar(what="rate", figure=0.9, limit=0.65, unit="×", at_least=True)
    quiet = Series(name="floor", unit="W10/s", values=(190.0, 200.0, 210.0, 205.0, 30.0))
    busy = Series(name="floor", unit="W10/s", values=(190.0, 80.0, 210.0, 60.0, 30.0))
    findings = [Finding(name="E1", title="work", bars=(bar,), yardstick=yardstick) for yardstick in (quiet, busy)]
    assert [finding.disturbed for finding in findings] == [False, True]
    lines = report.table(findings).splitlines()
    assert lines[0].endswith(" reached")
    assert lines[1].endswith("measure again when the machine is quiet")
    assert Series(name="floor", unit="s", values=(1.0,)).steady


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rounds", "0"], "'0' is no number of rounds"),
        (["--only", "E1,E77"], "there is no E77; there are E1, E2, E3"),
    ],
)
def test_a_wrong_wish_is_answered_with_what_there_is(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert said in capsys.readouterr().err


PROGRAM = """
import json, subprocess, sys, time
sys.stdin.readline()
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(json.dumps({"version": str(worker.pid)}), flush=True)
time.sleep(600)
"""
DRIVER = """
import sys, time
from pathlib import Path
from benchmarks.peer import Peer, PeerKind

class Own(PeerKind):
    path = Path(sys.argv[1])

peer = Peer(Own(name="own", program="own", environment="own", requirements=()), Path(sys.executable))
print(peer._process.pid, peer.version, flush=True)
time.sleep(600)
"""


def test_what_stands_still_ends_with_a_benchmark_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-c", DRIVER, str(program)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        peers = [psutil.Process(int(pid)) for pid in driver.stdout.readline().split()]
        eventually(lambda: {one.status() for one in peers} == {psutil.STATUS_STOPPED})
        driver.kill()
    psutil.wait_procs(peers, timeout=30)
    assert [one for one in peers if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []

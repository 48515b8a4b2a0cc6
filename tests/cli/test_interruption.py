"""Commands as processes: signals, exit codes, streams that close, terminals, and what is imported."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.shop import Shop
from tests.host.postgres.server import GUARDED, running_server

PATIENCE = 60.0


@contextmanager
def at_work(shop: Shop, workflow: str, nodes: int = 1) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own, so many of whose nodes have begun to work."""
    process = shop.start("run", workflow)
    try:
        for _ in range(nodes):
            assert _line(process) == "at work"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return str(process.stdout.readline()).strip()


@pytest.fixture
def gate(shop: Shop) -> Iterator[Path]:
    """A file that lets the held workflow finish."""
    path = shop.folder / "go"
    yield path
    path.unlink(missing_ok=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_pauses_the_run_which_can_be_resumed(shop: Shop, gate: Path, number: int, code: int) -> None:
    with at_work(shop, "held") as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert out == "heard\n"
    paused = re.search(r"‖ run (\S+) is paused; what has finished is kept\n→ codemation runs resume (\S+)\n", err)
    assert paused is not None, err
    assert "Traceback" not in err
    listed = shop.codemation("runs", "list", "-n", "1").stdout
    assert "‖ paused" in listed
    assert "nobody works on it" in listed
    gate.touch()
    resumed = shop.codemation("runs", "resume", paused[2], "--json")
    run = json.loads(resumed.stdout)
    assert (resumed.exit_code, run["id"], run["outputs"]) == (0, paused[1], {"main": ["done"]})


def test_a_second_signal_ends_the_process_at_once_and_the_run_can_be_cancelled(shop: Shop) -> None:
    with at_work(shop, "pair", nodes=2) as process:
        process.send_signal(signal.SIGINT)
        assert _line(process) == "heard"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert err.endswith("stopped at once; what was under way is found and released by whoever resumes the run\n")
    doubtful = [check for check in json.loads(shop.codemation("doctor", "--json").stdout) if check["verdict"] != "good"]
    assert [check["name"] for check in doubtful] == ["workers"]
    assert "has died" in doubtful[0]["says"]
    assert "is cancelled" in shop.codemation("runs", "cancel", "last", "--reason", "enough of it").stderr
    row = json.loads(shop.codemation("runs", "list", "-n", "1", "--json").stdout)[0]
    assert (row["status"], row["reason"]) == ("cancelled", "enough of it")


def test_a_run_that_is_cancelled_elsewhere_ends_with_a_code_of_its_own(shop: Shop) -> None:
    with at_work(shop, "held") as process:
        listed = json.loads(shop.codemation("runs", "list", "-n", "1", "--json").stdout)
        assert (listed[0]["status"], listed[0]["reason"]) == ("running", "")
        assert "being worked on by process" in shop.codemation("runs", "resume", "last").stderr
        assert shop.codemation("runs", "cancel", "last", "--reason", "no need").exit_code == 0
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4
    assert "was cancelled: no need" in err


def test_a_run_that_is_killed_is_shown_as_left_alone_and_resumed(shop: Shop, gate: Path) -> None:
    with at_work(shop, "held") as process:
        process.kill()
        process.communicate(timeout=PATIENCE)
    assert "go on with it: codemation runs resume" in shop.codemation("runs", "show", "last").stdout
    gate.touch()
    assert shop.codemation("runs", "resume", "last").exit_code == 0


def test_a_database_that_goes_away_for_good_leaves_a_run_that_can_be_resumed(shop: Shop, gate: Path) -> None:
    with running_server() as server:
        surroundings = {"CODEMATION_DATABASE_URL": server.url(GUARDED), "CODEMATION_PATIENCE": "0"}
        process = shop.start("run", "held", environment=surroundings)
        assert _line(process) == "at work"
        server.stop("immediate")
        gate.touch()
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 3
        assert re.search(r"✗ .+\n→ .+\n→ codemation runs resume [0-9a-f]{8}\n$", err), err
        server.start()
        assert shop.codemation("runs", "resume", "last", **surroundings).exit_code == 0


def test_a_reader_who_has_seen_enough_neither_fails_the_run_nor_is_told_of_pipes(shop: Shop) -> None:
    process = shop.start("run", "orders", "--loud", "--count", "2000")
    assert _line(process) == "pricing A0"
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr as stream:
        err = stream.read()
    assert process.wait(timeout=PATIENCE) == 0
    assert "shop.orders succeeded" in err
    assert "Broken" not in err
    assert json.loads(shop.codemation("runs", "show", "last", "--json").stdout)["status"] == "succeeded"


def test_a_reader_of_both_streams_may_go_too(shop: Shop) -> None:
    reading, writing = os.pipe()
    process = shop.start("run", "orders", "--loud", "--count", "2000", stdout=writing, stderr=writing)
    os.close(writing)
    with os.fdopen(reading) as lines:
        lines.readline()
    assert process.wait(timeout=PATIENCE) == 0
    assert json.loads(shop.codemation("runs", "show", "last", "--json").stdout)["status"] == "succeeded"


def test_a_list_may_be_read_in_part(shop: Shop) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = shop.start("workflows", "list", stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")


def test_everything_is_spelled_in_ascii_where_nothing_else_can_be_shown(shop: Shop) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    process = shop.start("run", "orders", "--broken", "1", environment=environment)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert (out + err).isascii()
    assert '\nx shop.orders failed at "price"' in err
    assert "\\u" not in err


def test_an_interrupt_before_anything_has_begun_ends_quietly(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "slow.py"
    file.write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    process = shop.start("run", str(file))
    assert _line(process) == "importing"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_a_run_imports_no_library_that_it_does_not_use(shop: Shop) -> None:
    shop.codemation("run", "orders")  # migrates, if nothing else has
    assert _imported(shop, "run", "shop.orders", "--quiet") & {"sqlalchemy", "alembic", "rich", "pandas"} == set()


def test_help_and_version_import_nothing_heavy(shop: Shop) -> None:
    for words in (["--help"], ["--version"]):
        assert _imported(shop, *words) & {"pydantic", "psycopg", "sqlalchemy", "rich", "asyncio"} == set()


def _imported(shop: Shop, *words: str) -> set[str]:
    """The top-level modules that a process holds at the end of a command."""
    program = """
import json, sys
from codemation.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)
"""
    process = shop.start(*words, program=program)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return set(json.loads(err.splitlines()[-1]))


def test_on_a_terminal_nodes_are_redrawn_and_what_they_print_stays_whole(shop: Shop) -> None:
    code, shown = _on_a_terminal(shop, "run", "orders", "--loud", "--count", "30")
    assert code == 0
    assert "\x1b[" in shown
    bare = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n")
    lines = [line.rstrip() for line in bare.splitlines()]
    assert [line for line in lines if line.startswith("pricing")] == [f"pricing A{number}" for number in range(30)]
    assert re.search(r"✓ price +30 → 30", bare)
    assert "shop.orders succeeded" in bare
    log = shop.codemation("runs", "logs", "last", "price").stdout.splitlines()
    assert [line.split(maxsplit=1)[1] for line in log] == [f"pricing A{number}" for number in range(30)]


def _on_a_terminal(shop: Shop, *words: str) -> tuple[int, str]:
    """The exit code of a command on a terminal of its own, and everything that it wrote there."""
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = shop.start(*words, environment={"TERM": "xterm-256color"}, **streams)
    os.close(theirs)
    written = b""
    with suppress(OSError):  # Linux says so when the last one has closed the other side
        while piece := os.read(ours, 65536):
            written += piece
    os.close(ours)
    return process.wait(timeout=PATIENCE), written.decode()

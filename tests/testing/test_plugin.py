"""The plugin in a pytest of its own, as somebody's tests use it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = """
import socket
import pytest
import codemation as cm
from codemation.testing import assert_items

@cm.node
def double(number: int) -> int:
    return 2 * number

doubling = cm.workflow("doubling", input=int).then(double).build()

def test_right(harness):
    assert_items(harness.run(doubling, [1, 2])["double"], [2, 4])

def test_wrong(harness):
    assert_items(harness.run(doubling, [1, 2])["double"], [2, 5])

def test_alone(harness):
    with pytest.raises(ConnectionError, match="there is no network"):
        socket.create_connection(("127.0.0.1", 9))

@pytest.mark.network("127.0.0.1")
def test_let_through(harness):
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


@pytest.mark.pins("pins/doubling")
def test_pinned(harness):
    assert_items(harness.run(doubling, [1, 2])["double"], [7])
"""


def test_the_plugin_works_in_a_pytest_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(TESTS)
    (tmp_path / "pins" / "doubling").mkdir(parents=True)
    (tmp_path / "pins" / "doubling" / "double.jsonl").write_text("7\n")
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "codemation.testing.plugin", "."]
    surroundings = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
    assert "1 failed, 4 passed" in done.stdout, done.stdout + done.stderr
    assert "item 1 is 4, and not 5" in done.stdout
    assert "comparing.py" not in done.stdout, "the traceback ends in the test"


def test_pytest_finds_the_plugin_by_itself() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"codemation": "codemation.testing.plugin"}


def test_the_plugin_loads_no_engine() -> None:
    program = (
        "import codemation.testing.plugin, sys; print([n for n in sys.modules if n.startswith('codemation.host')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

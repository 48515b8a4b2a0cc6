"""The pages that are typed along, typed as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODEMATION = str(Path(sys.executable).with_name("codemation"))
_BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A line to type, and what must be seen after it: the words of each line, in order, in one line of the output."""

    line: str
    seen: tuple[str, ...]


def blocks(page: str, kind: str) -> list[str]:
    """The blocks of one kind, in the order of the page."""
    return [text for found, text in _BLOCK.findall((ROOT / page).read_text(encoding="utf-8")) if found == kind]


def commands(block: str) -> list[Command]:
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [Command(line, tuple(rest)) for line, *rest in (part.strip().splitlines() for part in parts)]


def with_discount(source: str, changed: str) -> str:
    """The workflow's file with another `discount`."""
    start = source.index("@cm.node\ndef discount")
    end = source.index("\n\n\n", start)
    return source[:start] + changed.strip() + source[end:]


def typed(command: Command, folder: Path) -> None:
    """Type a command and look for what the page shows."""
    words = shlex.split(command.line)
    assert words[0] == "codemation"
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100"}
    done = subprocess.run(
        [CODEMATION, *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    output = done.stdout + done.stderr
    for line in command.seen:
        pattern = r".*".join(re.escape(word) for word in line.split())
        assert re.search(pattern, output), f"{line!r} is not seen after {command.line!r}:\n{output}"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "workflows").mkdir()
    return tmp_path


def test_the_tour_shows_what_it_says(app: Path) -> None:
    code = blocks("README.md", "python")
    workflow, broken = code[0], next(block for block in code if "raise ValueError" in block)
    run, fail, mend = (commands(block) for block in blocks("README.md", "console"))
    file = app / "workflows" / "orders.py"
    for state, steps in ((workflow, run), (with_discount(workflow, broken), fail), (workflow, mend)):
        file.write_text(state)
        for command in steps:
            typed(command, app)


def test_the_tutorial_shows_what_it_says(app: Path) -> None:
    page = "docs/tutorials/first-workflow.md"
    (app / "workflows" / "weather.py").write_text(blocks(page, "python")[0])
    steps = [command for block in blocks(page, "console") for command in commands(block)]
    assert len(steps) == 4
    for command in steps:
        typed(command, app)


def test_the_tests_of_the_page_about_tests_pass(app: Path) -> None:
    workflow, tests, *_ = blocks("docs/how-to/test-a-workflow.md", "python")
    (app / "test_totals.py").write_text(f"{workflow}\n\n{tests}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False, timeout=120)
    assert re.search(r"^1 passed", done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_a_page_that_shows_what_is_not_there_is_noticed(app: Path) -> None:
    with pytest.raises(AssertionError, match="'nothing like it' is not seen"):
        typed(Command("codemation --version", ("codemation", "nothing like it")), app)

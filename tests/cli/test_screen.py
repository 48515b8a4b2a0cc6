"""What is written is fitted to where it is written."""

from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemation.cli.progress import Rooms, fold, line_of
from codemation.cli.screen import Screen, Stream, columns, visible
from codemation.core.definition import NodeKind
from codemation.core.ids import NodeId
from codemation.views.lettering import cells
from codemation.views.marks import NodeStatus
from codemation.views.runs import NodeRow

WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=30)


@contextmanager
def a_terminal() -> Iterator[None]:
    """Both standard streams are a terminal for a while."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, redirect_stdout(terminal), redirect_stderr(terminal):
        yield
    os.close(ours)


@pytest.mark.parametrize(
    ("environment", "wish", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_a_terminal_is_coloured_unless_somebody_does_not_want_that(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], wish: bool, coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with a_terminal():
        screen = Screen.here(colour=wish)
    assert (screen.out.colour, screen.err.colour) == (coloured, coloured)


def test_a_file_is_never_coloured_and_gets_long_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        screen = Screen.here()
    assert (screen.out.colour, screen.width) == (False, 120)


def test_a_stream_in_ascii_gets_other_marks_and_escapes() -> None:
    written = io.BytesIO()
    file = io.TextIOWrapper(written, encoding="ascii")
    Stream(file, colour=False, ascii_only=True).write("✓ 4 → 5 … ‖ ü")
    assert written.getvalue() == b"+ 4 -> 5 ... = \\xfc\n"


def test_what_nobody_reads_any_more_is_said_no_more() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    gone = os.fdopen(writing, "w")
    stream = Stream(gone, colour=False, ascii_only=False)
    screen = Screen(stream, stream)
    screen.say("once")
    screen.say("twice")
    assert stream.gone
    with pytest.raises(BrokenPipeError):
        gone.close()


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=6), st.integers(30, 100))
def test_columns_never_are_wider_than_the_line_and_stand_in_line(rows: list[tuple[str, ...]], width: int) -> None:
    lines = columns(rows, ("first", "second", "third"), width, right=(1,))
    assert len(lines) == len(rows) + 1
    assert all(cells(click.unstyle(line)) <= width for line in lines)


def test_somebody_elses_text_moves_no_cursor_and_keeps_its_blanks() -> None:
    assert visible("  a\x1b[2J  b\tc") == "  a\ufffd[2J  b c"


def test_a_firm_column_is_not_cut() -> None:
    lines = columns([("0123456789abcdef", "words that can be cut")], ("id", "said"), 24, firm=(0,))
    assert lines[1] == "0123456789abcdef  words…"


def _row(number: int, status: NodeStatus) -> NodeRow:
    return NodeRow(id=NodeId(f"node_{number:02}"), kind=NodeKind.THEN, status=status)


@given(st.lists(st.sampled_from(NodeStatus), max_size=40), st.integers(2, 30))
def test_folded_nodes_are_counted_and_what_is_at_work_is_shown(statuses: list[NodeStatus], room: int) -> None:
    rows = [_row(number, status) for number, status in enumerate(statuses)]
    shown, folded = fold(rows, room)
    assert len(shown) + len(folded) <= room
    assert [row for row in rows if row in shown] == shown
    hidden = len(rows) - len(shown)
    assert sum(int(word) for line in folded for word in line.split() if word.isdigit()) == hidden
    busy = [row for row in rows if row.status in (NodeStatus.RUNNING, NodeStatus.FAILED)]
    assert len([row for row in shown if row in busy]) >= min(len(busy), room - 1)


def test_long_workflows_fold_what_has_finished_first() -> None:
    done = [_row(number, NodeStatus.SUCCEEDED) for number in range(20)]
    now = _row(20, NodeStatus.RUNNING)
    coming = [_row(number, NodeStatus.PENDING) for number in range(21, 40)]
    shown, folded = fold([*done, now, *coming], 8)
    assert [row.id for row in shown] == [f"node_{number}" for number in range(17, 24)]
    assert folded == ["17 succeeded, 16 pending not shown"]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (_row(1, NodeStatus.PENDING), "· node_01  pending"),
        (
            NodeRow(
                id=NodeId("load"),
                kind=NodeKind.THEN,
                status=NodeStatus.SUCCEEDED,
                items_in={"rows": 1200, "prices": 3},
                items_out={"main": 1100, "error": 100},
                seconds=2.0,
            ),
            "✓ load     1,200 + 3 → 1,100, 100 error     2.0 s  600/s",
        ),
        (
            NodeRow(
                id=NodeId("loop"),
                kind=NodeKind.LOOP,
                status=NodeStatus.SUCCEEDED,
                items_in={"main": 10},
                items_out={"main": 2, "again": 6},
            ),
            "✓ loop     → 2, 6 again",
        ),
        (
            NodeRow(id=NodeId("load"), kind=NodeKind.THEN, status=NodeStatus.FAILED, error="OSError: no\nfile"),
            "✗ load     OSError: no file",
        ),
    ],
)
def test_a_node_is_told_in_one_line(row: NodeRow, line: str) -> None:
    assert click.unstyle(line_of(row, Rooms(names=7))) == line

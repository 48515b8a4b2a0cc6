"""What nodes print and log is kept, bounded, and still goes where it went."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import codemation as cm
from codemation.core.ids import ActivationId
from codemation.host.runtime.capture import CAPTURE, LINES, NODE_LOGGER, WIDTH, Capture, Sink
from tests.host.runtime.conftest import Run

ACTIVATION = ActivationId("n/1")


@contextmanager
def installed(capture: Capture = CAPTURE) -> Iterator[None]:
    """Routed for as long as this lasts."""
    capture.enter()
    try:
        yield
    finally:
        capture.leave()


def texts(sink: Sink) -> list[str]:
    """Everything that a sink has taken."""
    return [line.text for line in sink.take(last=True)]


def test_text_becomes_lines_at_its_breaks_and_the_rest_comes_last() -> None:
    sink = Sink(ACTIVATION, 2)
    sink.write("print", "one\ntw")
    sink.write("stderr", "zq9")
    sink.write("print", "o\nthr")
    (one, two) = sink.take()
    assert (one.text, two.text, two.activation, two.attempt, two.level) == ("one", "two", "n/1", 2, "print")
    assert texts(sink) == ["zq9", "thr"]
    assert texts(sink) == []


def test_lines_are_bounded_in_number_and_width_and_what_was_left_out_is_counted() -> None:
    sink = Sink(ACTIVATION, 1)
    sink.line("info", "x" * (WIDTH + 5))
    sink.write("print", "y\n" * (LINES + 4))
    lines = texts(sink)
    assert len(lines) == LINES + 1
    assert len(lines[0]) == WIDTH
    assert lines[-1] == "… 5 more lines were not kept"
    sink.line("info", "more")
    assert texts(sink) == ["… 1 more lines were not kept"]


def test_a_line_without_an_end_is_bounded_too() -> None:
    sink = Sink(ACTIVATION, 1)
    for _ in range(3):
        sink.write("print", "x" * WIDTH)
    assert [len(text) for text in texts(sink)] == [WIDTH]


def test_what_no_database_takes_is_written_as_what_it_is() -> None:
    sink = Sink(ACTIVATION, 1)
    sink.line("info", "nul \0 and half a pair \udc80")
    assert texts(sink) == ["nul ␀ and half a pair \\udc80"]


def test_prints_and_logs_go_to_the_sink_of_their_own_context(capsys: pytest.CaptureFixture[str]) -> None:
    sinks = [Sink(ACTIVATION, 1), Sink(ACTIVATION, 1)]
    both = threading.Barrier(2)

    def work(number: int) -> None:
        with CAPTURE.into(sinks[number]):
            both.wait(20)
            print(f"from {number}")  # noqa: T201 - what is tested
            print(f"error {number}", file=sys.stderr)  # noqa: T201 - what is tested
            logging.getLogger(NODE_LOGGER).info("logged %d", number)

    with installed():
        threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("from nobody")  # noqa: T201 - what is tested
    assert texts(sinks[0]) == ["from 0", "error 0", "logged 0"]
    assert texts(sinks[1]) == ["from 1", "error 1", "logged 1"]
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == ["from 0", "from 1", "from nobody"]
    assert "error 0" in err


def test_the_streams_are_put_back_when_the_last_one_leaves_unless_somebody_else_has_them() -> None:
    capture, before = Capture(), (sys.stdout, sys.stderr)
    assert not any("_Tee" in type(stream).__name__ for stream in before), "a run of another test was never left"
    with installed(capture), installed(capture):
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before
    other = io.StringIO()
    try:
        with installed(capture):
            sys.stdout = other
        assert sys.stdout is other
    finally:
        sys.stdout = before[0]


def test_a_line_is_kept_once_however_many_apps_a_process_has_and_in_whatever_order_they_leave(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink, other = Sink(ACTIVATION, 1), io.StringIO()
    before = sys.stdout
    try:
        CAPTURE.enter()
        sys.stdout = other  # put there by somebody else, as a notebook does
        with installed(), CAPTURE.into(sink):
            print("printed")  # noqa: T201 - what is tested
            logging.getLogger(NODE_LOGGER).info("logged")
            CAPTURE.leave()
            print("again")  # noqa: T201 - what is tested
        assert sys.stdout is other
    finally:
        sys.stdout = before
    assert texts(sink) == ["printed", "logged", "again"]
    assert other.getvalue() == "printed\nagain\n"
    assert capsys.readouterr().out == ""


def test_a_stream_that_is_stood_in_for_answers_as_before() -> None:
    class Console(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return 42

    before, sys.stdout = sys.stdout, Console()
    try:
        with installed():
            sys.stdout.flush()
            assert (sys.stdout.isatty(), sys.stdout.fileno(), sys.stdout.encoding) == (True, 42, "utf-8")
    finally:
        sys.stdout = before


def test_a_reader_who_has_gone_is_no_fault_of_a_node() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    sink = Sink(ACTIVATION, 1)
    before, sys.stdout = sys.stdout, Closed()
    try:
        with installed(), CAPTURE.into(sink):
            print("kept", flush=True)  # noqa: T201 - what is tested
    finally:
        sys.stdout = before
    assert texts(sink) == ["kept"]


def test_warnings_are_not_silenced_by_our_being_there(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers[:] = []
    try:
        with installed():
            logging.getLogger("library").warning("heed this")
            logging.getLogger("library").info("not this")
    finally:
        root.handlers[:] = before
    assert "heed this" in capsys.readouterr().err


def test_what_threads_and_coroutines_of_a_node_print_is_its_own(run: Run) -> None:
    meet = threading.Barrier(2)

    @cm.node(concurrency=2)
    def by_threads(n: int) -> int:
        meet.wait(20)
        print(f"thread {n}")  # noqa: T201 - what is tested
        return n

    @cm.node(concurrency=2)
    async def on_the_loop(n: int) -> int:
        print(f"loop {n}")  # noqa: T201 - what is tested
        return n

    @cm.node(timeout="20s")
    def limited(ns: list[int]) -> int:
        print("limited")  # noqa: T201 - what is tested
        return 1

    handle = run(cm.workflow("w", input=int).then(by_threads).then(on_the_loop).then(limited).build(), [1, 2])
    assert sorted(handle["by_threads"].logs.splitlines()) == ["thread 1", "thread 2"]
    assert handle["on_the_loop"].logs.splitlines() == ["loop 1", "loop 2"]
    assert handle["limited"].logs == "limited"

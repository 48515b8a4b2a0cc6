"""What a node prints and logs is kept beside its activation, and still goes where it went before."""

from __future__ import annotations

import io
import logging
import sys
import threading
from contextlib import suppress
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from codemation.core.credentials import without_secrets
from codemation.core.ids import ActivationId, RunId, node_of
from codemation.core.ports import LogLine

LINES = 10_000
"""Lines kept of one activation."""
WIDTH = 10_000
"""Characters kept of one line."""
_NO_RUN = RunId("")

NODE_LOGGER = "codemation.node"
_LOGGER = logging.getLogger(NODE_LOGGER)


class Sink:
    """Collects the lines of one activation; bounded, and says what it left out."""

    def __init__(self, activation: ActivationId, attempt: int, run: RunId = _NO_RUN) -> None:
        self._activation = activation
        self._run = run
        self._attempt = attempt
        self._guard = threading.Lock()
        self._lines: list[LogLine] = []
        self._partial: dict[tuple[str, int], str] = {}
        """What has no line break yet, by level and thread: one print is several writes."""
        self._kept = 0
        self._left_out = 0
        self._told = False

    def heard(self) -> None:
        """Called by whoever writes the first line, with nothing locked: something may be logged here as well."""

    @property
    def silent(self) -> bool:
        """Whether nothing was written yet."""
        return not (self._kept or self._partial)

    @property
    def about(self) -> tuple[str, str, str]:
        """Whose lines they are: run, node and activation."""
        return self._run, node_of(self._activation), self._activation

    def write(self, level: str, text: str) -> None:
        """Take printed text; it becomes lines at its line breaks."""
        writer = (level, threading.get_ident())
        with self._guard:
            *lines, rest = (self._partial.pop(writer, "") + text).split("\n")
            if rest:
                self._partial[writer] = rest[:WIDTH]
            for line in lines:
                self._add(level, line)
        self._tell()

    def line(self, level: str, text: str) -> None:
        """Take one message, whatever breaks it has."""
        with self._guard:
            self._add(level, text)
        self._tell()

    def take(self, *, last: bool = False) -> list[LogLine]:
        """The lines since the last time; with `last` also what has no line break yet, and what was left out."""
        with self._guard:
            if last:
                for (level, _), text in self._partial.items():
                    self._add(level, text)
                self._partial.clear()
                if self._left_out:
                    self._lines.append(self._made("warning", f"… {self._left_out} more lines were not kept"))
                    self._left_out = 0
            lines, self._lines = self._lines, []
            return lines

    def take_back(self, lines: list[LogLine]) -> None:
        """Have lines again that could not be recorded."""
        with self._guard:
            self._lines[:0] = lines

    def _add(self, level: str, text: str) -> None:
        if self._kept >= LINES:
            self._left_out += 1
            return
        self._kept += 1
        self._lines.append(self._made(level, text[:WIDTH]))

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self.heard()

    def _made(self, level: str, text: str) -> LogLine:
        return LogLine(
            at=datetime.now(UTC),
            activation=self._activation,
            attempt=self._attempt,
            level=level,
            text=without_secrets(text).replace("\0", "␀").encode("utf-8", "backslashreplace").decode(),
        )


_STREAMS: Final = {"stdout": "print", "stderr": "stderr"}
"""The streams that are stood in for, and the level under which their lines are kept."""

_sink: ContextVar[Sink | None] = ContextVar("codemation_sink", default=None)


def here() -> tuple[str, ...]:
    """Run, node and activation that are worked on where this is called; empty where none is."""
    sink = _sink.get()
    return () if sink is None else sink.about


class Into:
    """What is printed or logged within a `with` goes to a sink."""

    __slots__ = ("_sink", "_token")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def __enter__(self) -> None:
        self._token: Token[Sink | None] = _sink.set(self._sink)

    def __exit__(self, *_: object) -> None:
        _sink.reset(self._token)


class _Tee(io.TextIOBase):
    """Stands in for stdout or stderr while nodes run."""

    def __init__(self, stream: TextIO, level: str) -> None:
        self.stream = stream
        self._level = level

    def write(self, text: str) -> int:
        sink = _sink.get()
        if sink is not None:
            sink.write(self._level, text)
        # Whoever read this may have gone (`| head`). That is no fault of a node, and its lines are kept all the same.
        with suppress(BrokenPipeError):
            self.stream.write(text)
        return len(text)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # text streams have it read-only, whatever the stubs say
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # as above
        return self.stream.errors

    def flush(self) -> None:
        with suppress(BrokenPipeError):
            self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _Handler(logging.Handler):
    """Gives what a node logs to its sink."""

    def emit(self, record: logging.LogRecord) -> None:
        sink = _sink.get()
        if sink is not None:
            sink.line(record.levelname.lower(), self.format(record))
        alone = logging.getLogger().handlers == [self]
        if alone and logging.lastResort is not None and record.levelno >= logging.lastResort.level:
            logging.lastResort.handle(record)  # which our being there would otherwise silence


class Capture:
    """What stands between nodes and the streams of the process: one, however many apps it has."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._users = 0
        self._handler = _Handler()
        self._tees: dict[str, _Tee] = {}
        """What stands in for a stream, or has done so last: made anew when the process has got another stream."""

    def into(self, sink: Sink) -> Into:
        """Everything printed or logged in this context goes to the sink as well."""
        return Into(sink)

    def enter(self) -> None:
        """Route prints and logs from now on; every `enter` has its `leave`."""
        with self._guard:
            self._users += 1
            for name, level in _STREAMS.items():
                stream = getattr(sys, name)
                if type(stream) is not _Tee:  # the first one, or somebody has put another stream there since
                    tee = self._tees.get(name)
                    if tee is None or tee.stream is not stream:
                        tee = self._tees[name] = _Tee(stream, level)
                    setattr(sys, name, tee)
            if self._handler not in logging.root.handlers:
                logging.root.addHandler(self._handler)
            if _LOGGER.level == logging.NOTSET:
                _LOGGER.setLevel(logging.INFO)

    def leave(self) -> None:
        """Route them no longer, when everybody who entered has left."""
        with self._guard:
            self._users -= 1
            if self._users:
                return
            for name in _STREAMS:
                stream = getattr(sys, name)
                if type(stream) is _Tee:
                    setattr(sys, name, stream.stream)
            logging.root.removeHandler(self._handler)


CAPTURE: Final = Capture()
"""That of this process: two would each take what is printed and logged once."""

"""The contract of logs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Thread

from codemation.core.ids import ActivationId, RunId
from codemation.core.ports import LogLine, Stores
from codemation.testing.conformance.world import Contract, World

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


def _line(text: str, activation: str = "a/1") -> LogLine:
    return LogLine(at=NOON, activation=ActivationId(activation), attempt=1, level="INFO", text=text)


def _write(stores: Stores, run: RunId, activation: str) -> None:
    for number in range(25):
        stores.logs.append(run, [_line(f"{number} {part}", activation) for part in range(3)])


class LogsContract(Contract):
    """What nodes say can be read, in the order in which they said it."""

    def test_lines_come_back_as_they_were_said(self, stores: Stores, world: World) -> None:
        """A line keeps its time, activation, attempt, level and text."""
        run = world.start("a/1")
        line = LogLine(
            at=NOON + timedelta(microseconds=17),
            activation=ActivationId("a/b/1"),
            attempt=3,
            level="stdout",
            text="två\nlines\t\U0001f600 % ' \\",
        )
        stores.logs.append(run, [line])
        assert stores.logs.read(run) == (line,)

    def test_lines_are_read_oldest_first(self, stores: Stores, world: World) -> None:
        """Lines are in the order in which they were kept, whatever their clocks say."""
        run = world.start("a/1")
        early = LogLine(at=NOON - timedelta(hours=1), activation=ActivationId("a/1"), attempt=1, level="", text="late")
        stores.logs.append(run, [_line("one"), _line("two")])
        stores.logs.append(run, [])
        stores.logs.append(run, [early])
        assert [line.text for line in stores.logs.read(run)] == ["one", "two", "late"]

    def test_the_last_lines_are_read(self, stores: Stores, world: World) -> None:
        """A limit leaves away the oldest."""
        run = world.start("a/1")
        stores.logs.append(run, [_line(str(number)) for number in range(10)])
        assert [line.text for line in stores.logs.read(run, limit=3)] == ["7", "8", "9"]
        assert len(stores.logs.read(run, limit=50)) == 10

    def test_who_reads_on_is_given_every_line_once(self, stores: Stores, world: World) -> None:
        """What is read after the highest number that was read before is what has been kept since."""
        run, other = world.start("a/1"), world.start("a/1")
        stores.logs.append(run, [_line("1"), _line("2"), _line("3", "b/1")])
        stores.logs.append(other, [_line("another's")])
        first = stores.logs.read(run, limit=2, after=0)
        assert [line.text for line in first] == ["1", "2"]
        stores.logs.append(run, [_line("4")])
        assert [line.text for line in stores.logs.read(run, after=first[-1].number)] == ["3", "4"]
        assert [line.text for line in stores.logs.read(run, "a", after=first[-1].number)] == ["4"]
        latest = stores.logs.read(run, limit=1)
        assert latest[0].text == "4"
        assert stores.logs.read(run, after=latest[0].number) == ()

    def test_no_line_comes_before_one_that_was_read(self, stores: Stores, world: World) -> None:
        """Of lines that are kept at the same time none is missed by whoever reads on meanwhile."""
        run = world.start("a/1")
        writers = [Thread(target=_write, args=(stores, run, f"{name}/1")) for name in "abcd"]
        for writer in writers:
            writer.start()
        seen, cursor = 0, 0
        while True:
            over = not any(writer.is_alive() for writer in writers)
            lines = stores.logs.read(run, after=cursor)
            seen, cursor = seen + len(lines), lines[-1].number if lines else cursor
            if over and not lines:
                break
        assert seen == 4 * 25 * 3

    def test_the_lines_of_one_node_are_read(self, stores: Stores, world: World) -> None:
        """A node's lines are those of all its activations, and of no node whose name merely begins like its own."""
        run = world.start("a/1")
        stores.logs.append(run, [_line("1", "a/1"), _line("2", "ab/1"), _line("3", "a/2"), _line("4", "a/b/1")])
        assert [line.text for line in stores.logs.read(run, "a")] == ["1", "3"]
        assert [line.text for line in stores.logs.read(run, "a/b")] == ["4"]
        assert [line.text for line in stores.logs.read(run, "a", limit=1)] == ["3"]
        assert stores.logs.read(run, "c") == ()

    def test_runs_have_their_own_lines(self, stores: Stores, world: World) -> None:
        """The lines of one run are not another's."""
        run, other = world.start("a/1"), world.start("a/1")
        stores.logs.append(run, [_line("mine")])
        assert stores.logs.read(other) == ()

    def test_no_character_stops_a_line(self, stores: Stores, world: World) -> None:
        """A node may print anything; what cannot be stored as it is leaves the rest of the line readable."""
        run = world.start("a/1")
        stores.logs.append(run, [_line("before\x00after"), _line("half \ud800 pair"), _line("next")])
        nul, surrogate, following = (line.text for line in stores.logs.read(run))
        assert (nul.startswith("before"), nul.endswith("after")) == (True, True)
        assert (surrogate.startswith("half "), surrogate.endswith(" pair")) == (True, True)
        assert following == "next"

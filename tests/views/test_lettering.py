"""How text is measured and cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemation.views.lettering import cells, clipped, compact, fitted, one_line, padded, pixels


@given(st.text(), st.floats(0, 300))
def test_what_is_fitted_fits(text: str, room: float) -> None:
    assert pixels(fitted(text, room)) <= max(room, 0)


@given(st.text(), st.integers(0, 60), st.sampled_from(("…", "...")))
def test_what_is_clipped_fits_and_is_whole_when_there_is_room(text: str, room: int, mark: str) -> None:
    cut = clipped(text, room, mark)
    assert cells(cut) <= room
    assert (cut == text) == (cells(text) <= room) or text.endswith(mark)


@given(st.text(max_size=20))
def test_padding_fills_up_to_the_room(text: str) -> None:
    assert cells(padded(text, 60)) == cells(padded(text, 60, right=True)) == 60
    assert padded(text, 60, right=True).endswith(text)


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    assert cells("日本") == 4
    assert cells("e\u0301") == 1
    assert pixels("e\u0301") == pixels("e")
    assert pixels("日") > pixels("m") > pixels("n") > pixels("i")


def test_control_characters_and_breaks_never_reach_a_line() -> None:
    assert one_line("a\n\tb\x1b[31m\u202ec\ud800\uffff") == "a b\ufffd[31m\ufffdc\ufffd\ufffd"
    assert one_line("👩\u200d🔬") == "👩\u200d🔬"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (12_345, "12.3k"),
        (99_949, "99.9k"),
        (99_951, "100k"),
        (336_776, "337k"),
        (999_499, "999k"),
        (999_501, "1.0M"),
        (2_500_000_000, "2.5G"),
        (5_000_000_000_000_000, "5000T"),
    ],
)
def test_a_count_is_said_in_five_characters(count: int, said: str) -> None:
    assert compact(count) == said

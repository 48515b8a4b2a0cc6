"""Durations as people write and read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemation.core.durations import readable, seconds


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("500ms", 0.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("7d", 604800.0),
        ("1.5s", 1.5),
        (" 1h 30m ", 5400.0),
        (timedelta(minutes=2), 120.0),
    ],
)
def test_a_duration_is_read_in_seconds(written: str | timedelta, meant: float) -> None:
    assert seconds(written) == meant


@pytest.mark.parametrize("written", ["", " ", "5", "5 parsecs", "-3s", "5mm", "s", 30, None])
def test_what_is_no_duration_is_refused_with_examples(written: object) -> None:
    with pytest.raises(ValueError, match='is not a duration; write it like "500ms"'):
        seconds(written)  # type: ignore[arg-type]


@pytest.mark.parametrize("written", ["400000d", "9" * 400 + "d", timedelta.max])
def test_what_no_database_can_wait_for_is_refused(written: str | timedelta) -> None:
    with pytest.raises(ValueError, match="is longer than a thousand years"):
        seconds(written)


@pytest.mark.parametrize("written", ["0s", timedelta(0), timedelta(seconds=-1)])
def test_no_time_at_all_is_no_duration(written: str | timedelta) -> None:
    with pytest.raises(ValueError, match="is not a positive duration"):
        seconds(written)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0.0, "0 ms"),
        (0.85, "850 ms"),
        (0.9999, "1.0 s"),
        (12.34, "12.3 s"),
        (59.96, "1m 00s"),
        (245.0, "4m 05s"),
        (3599.7, "1h 00m"),
        (7800.0, "2h 10m"),
    ],
)
def test_a_duration_reads_well(duration: float, text: str) -> None:
    assert readable(duration) == text


@given(st.floats(0, 1e7))
def test_no_duration_shows_sixty_of_anything(duration: float) -> None:
    text = readable(duration)
    assert not text.startswith(("60.0 s", "60m", "1000 ms"))
    assert "m 60s" not in text
    assert "h 60m" not in text

"""Items as a table: honest about what it leaves out, and about what is nothing, empty or a number."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any
from unicodedata import category
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from codemation.core.items import Item
from codemation.views.lettering import cells
from codemation.views.tables import preview


class Flight(BaseModel):
    carrier: str
    delay: float | None = None


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    token: SecretStr = SecretStr("hunter2")
    hidden: str = Field(default="hunter2", repr=False)


@dataclass
class Line:
    sku: str
    qty: int
    key: str = field(default="hunter2", repr=False)


class Size(Enum):
    BIG = 3


class Colour(StrEnum):
    RED = "red"


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def only(value: object, width: int = 80) -> str:
    """The one cell of a table of one value."""
    return preview([{"it": value}], width=width).rows[0][0]


def test_records_of_every_kind_become_rows() -> None:
    table = preview([Flight(carrier="UA", delay=12.5), {"carrier": "AA", "dest": "MIA"}, Item(Line("a-1", 3))])
    assert table.columns == ("carrier", "delay", "dest", "sku", "qty")
    assert table.rows == (("UA", "12.5", "", "", ""), ("AA", "", "MIA", "", ""), ("", "", "", "a-1", "3"))
    assert table.right == (False, True, False, False, True)


def test_values_without_fields_stand_in_one_column() -> None:
    table = preview([1, 2.5, None])
    assert (table.columns, table.rows, table.right) == (("value",), (("1",), ("2.5",), ("None",)), (True,))


def test_what_is_left_out_is_counted() -> None:
    table = preview([{f"c{index}": index for index in range(20)}] * 30, columns=3, rows=2)
    assert (len(table.columns), len(table.rows)) == (3, 2)
    assert (table.left_out_columns, table.left_out_rows) == (17, 28)
    assert table.to_json()["left_out_rows"] == 28
    nothing = preview([{"a": 1}], columns=0, rows=0)
    assert (nothing.columns, nothing.rows, nothing.left_out_rows, nothing.left_out_columns) == ((), (), 1, 0)
    assert preview([]).rows == ()


@pytest.mark.parametrize("asked", [{"columns": -1}, {"rows": -1}, {"width": 0}])
def test_a_table_that_cannot_be_is_refused(asked: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        preview([1], **asked)


def test_nothing_empty_and_their_words_are_told_apart() -> None:
    cells_shown = [only(value) for value in (None, "", "None", "5", 5, " x", "x", True, "True", "nan", '"', "{a}")]
    assert cells_shown == ["None", '""', '"None"', '"5"', "5", '" x"', "x", "True", '"True"', '"nan"', '"\\""', '"{a}"']
    assert len(set(cells_shown)) == len(cells_shown)
    missing = preview([{"a": 1}, {}])
    assert missing.rows[1] == ("",)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1 + 0.2, "≈0.3"),
        (12.5, "12.5"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (10**30, "1" + "0" * 30),
        (1 << 300, "<integer of 301 bits>"),
        (Decimal("1.10"), "1.10"),
        (b"12345", "<5 bytes>"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02 03:04:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Size.BIG, "Size.BIG"),
        (Colour.RED, "Colour.RED"),
        ({"id": 7, "name": "x"}, '{id: 7, name: "x"}'),
        (Line("a", 1), '{sku: "a", qty: 1}'),
        ({str(index): index for index in range(9)}, "{0: 0, 1: 1, 2: 2, 3: 3, … 5 more}"),
        ([1, 2, 3, 4, 5], "[1, 2, 3, 4, … 1 more]"),
        ((1, (2, (3, 4))), "(1, (2, (… 2)))"),
        ([[{"a": 1}]], "[[{… 1}]]"),
        ({"a": {"b": {}}}, "{a: {b: {}}}"),
        ([[[]]], "[[[]]]"),
        ({3, 1, 2}, "{1, 2, 3}"),
        ("a\nb\tc\x1b[0m", "a\\nb\\tc\ufffd[0m"),
        (SecretStr("hunter2"), "**********"),
        (Mute(), "<Mute: its text cannot be shown: RuntimeError>"),
        (Mute, "<class 'tests.views.test_tables.Mute'>"),
    ],
)
def test_values_are_shown_readably(value: object, shown: str) -> None:
    assert only(value) == shown


def test_a_number_that_python_will_not_write_out_is_told_by_its_size() -> None:
    assert only(1 << 20_000) == "<integer of 20,001 bits>"


def test_fields_that_hide_from_the_repr_are_not_shown() -> None:
    table = preview([Open(more=1), Line("a", 1)])  # type: ignore[call-arg]
    assert table.columns == ("token", "more", "sku", "qty")
    assert "hunter2" not in str(table)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=6),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=12), st.integers(0, 5), st.integers(0, 5), st.integers(1, 30))
def test_a_table_is_never_more_than_was_asked_for(values: list[Any], columns: int, rows: int, width: int) -> None:
    table = preview(values, columns, rows, width=width)
    assert len(table.columns) == len(table.right) <= columns
    assert len(table.rows) <= rows
    assert len(table.rows) + table.left_out_rows == len(values)
    for row in (table.columns, *table.rows):
        assert len(row) == len(table.columns)
        for cell in row:
            assert cells(cell) <= width
            assert not any(category(character) in ("Cc", "Cs") for character in cell)

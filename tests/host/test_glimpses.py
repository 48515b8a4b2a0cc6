"""The short look at what people are asked about."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from pydantic import BaseModel, Field

from codemation.core import credentials
from codemation.host.glimpses import LETTERS, glimpse

SECRET = 'correct "horse" battery staple'


class Order(BaseModel):
    id: str
    total: float
    hidden: str = Field(default="kept out of sight", repr=False)


@dataclass
class Note:
    text: str
    code: str = field(default="kept out of sight", repr=False)


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_hidden", {SECRET: None})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Order(id="A1", total=1.5), "id=A1, total=1.5"),
        (Note("fine"), "text=fine"),
        ({"a": 1, "b": [1, 2, 3, 4, 5, 6], "c": {"d": None}}, "a=1, b=[1, 2, 3, 4, … 2 more], c={d: None}"),
        ("two\nlines", "two\\nlines"),
        (7, "7"),
        (None, "None"),
        ({}, ""),
        ({str(n): n for n in range(9)}, "0=0, 1=1, 2=2, 3=3, 4=4, 5=5, …"),
        (b"12345", "<5 bytes>"),
    ],
)
def test_a_value_is_shown_in_a_line(value: object, shown: str) -> None:
    assert glimpse(value) == shown


def test_it_is_short_whatever_the_value() -> None:
    long = glimpse({f"field-{number}" * 9: "x" * 100_000 for number in range(50)})
    assert len(long) <= LETTERS
    assert "\n" not in glimpse("a\nb\x1b[31m\u202e" * 1000)
    assert "\x1b" not in glimpse({"a": "\x1b[31m"})


@pytest.mark.parametrize("around", ["", "x" * 25, "x" * 39, "x" * 1990])
@pytest.mark.usefixtures("secret")
def test_no_part_of_a_secret_shows_wherever_it_is_cut(around: str) -> None:
    text = f"{around}{SECRET}{around}"
    for value in (text, {"a": text}, {"a": [text]}, {"a": {"b": (text,)}}, Note(text), [{"a": {"b": text}}]):
        assert not any(word in glimpse(value) for word in ("correct", "horse", "batt", "staple")), value

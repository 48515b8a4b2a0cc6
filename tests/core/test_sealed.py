"""Sealed classes are dataclasses for everybody, and cannot be changed."""

from __future__ import annotations

import copy
import gc
from collections.abc import Mapping
from dataclasses import asdict, field, fields, is_dataclass, replace

import pytest

from codemation.core.sealed import sealed


@sealed
class Place:
    """Somewhere."""

    name: str
    floor: int = 0
    marks: Mapping[str, int] = field(default_factory=dict)

    @property
    def below(self) -> Place:
        """One floor down."""
        return replace(self, floor=self.floor - 1)


@sealed
class Way:
    """From one place to another."""

    start: Place
    end: Place | None = None


HALL = Place(name="hall")


def test_fields_are_given_by_name_and_those_without_a_default_must_be() -> None:
    with pytest.raises(TypeError):
        Place("hall")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Place(floor=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Place(name="hall", roof=True)  # type: ignore[call-arg]


def test_nobody_changes_one() -> None:
    with pytest.raises(AttributeError):
        HALL.floor = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        HALL.more = 1  # type: ignore[attr-defined]


def test_they_are_compared_and_hashed_by_value() -> None:
    assert Place(name="hall", marks={}) == HALL != Place(name="hall", floor=1)
    one, other = Way(start=Place(name="a", marks=())), Way(start=Place(name="a", marks=()))  # type: ignore[arg-type]
    assert hash(one) == hash(other)


def test_each_has_a_default_of_its_own() -> None:
    assert Place(name="a").marks is not Place(name="a").marks


def test_they_are_dataclasses_for_whoever_asks() -> None:
    assert is_dataclass(HALL)
    assert [one.name for one in fields(Place)] == ["name", "floor", "marks"]
    assert HALL.below == Place(name="hall", floor=-1)
    assert asdict(Way(start=HALL)) == {"start": {"name": "hall", "floor": 0, "marks": {}}, "end": None}


def test_the_collector_of_cycles_leaves_them_alone() -> None:
    assert not gc.is_tracked(Way(start=Place(name="hall", marks={"door": 1})))


def test_they_say_what_they_are_and_where_they_come_from() -> None:
    assert repr(Way(start=HALL)) == "Way(start=Place(name='hall', floor=0, marks={}), end=None)"
    assert (Place.__doc__, Place.__module__, Place.__qualname__) == ("Somewhere.", __name__, "Place")
    assert copy.deepcopy(HALL) == HALL
    match Way(start=HALL):
        case Way(start=Place(name=name), end=None):
            assert name == "hall"
        case _:
            pytest.fail("it is not seen through")


def test_none_stands_on_another_class() -> None:
    class Tower(Way):
        name: str

    with pytest.raises(TypeError, match="Tower stands on Way"):
        sealed(Tower)

"""Typed output ports: a class declares them, an instance says what goes to which."""

from __future__ import annotations

import pickle
import typing
from typing import Any, ClassVar

import pytest

import codemation as cm
from codemation.core.outlets import declared_ports, held


class Checked(cm.Ports):
    limit: ClassVar[int] = 3
    _hidden: int = 4
    valid: str = cm.port()
    suspect: str = cm.port("outside the usual range")


class Sorted(Checked):
    late: str
    valid: str = cm.port("still fine")


def test_each_annotated_field_is_a_port_and_bases_come_first() -> None:
    assert declared_ports(Checked) == ("valid", "suspect")
    assert declared_ports(Sorted) == ("valid", "suspect", "late")
    assert Sorted.__described__ == {"valid": "still fine", "suspect": "outside the usual range", "late": ""}


def test_class_variables_are_no_ports_in_any_spelling() -> None:
    make: Any = type(cm.Ports)
    made = make(
        "Made",
        (cm.Ports,),
        {"__annotations__": {"a": ClassVar[int], "b": ClassVar, "c": "typing.ClassVar[int]", "d": int}},
    )
    assert typing.get_origin(ClassVar[int]) is ClassVar
    assert declared_ports(made) == ("d",)


def test_an_instance_gives_what_it_was_given_and_nothing_else() -> None:
    checked = Checked(valid="a")
    assert checked.valid == "a"
    assert held(checked) == {"valid": "a"}
    with pytest.raises(AttributeError):
        _ = checked.suspect


def test_a_port_that_does_not_exist_is_refused_with_a_suggestion() -> None:
    with pytest.raises(TypeError, match="Checked has no port 'vald'; did you mean 'valid'"):
        Checked(vald="a")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Ports has no port 'x'; it has none"):
        cm.Ports(x=1)


def test_ports_are_values() -> None:
    assert Checked(valid="a") == Checked(valid="a")
    assert Checked(valid="a") != Checked(suspect="a")
    assert Checked(valid="a") != Sorted(valid="a", late="")
    assert repr(Checked(valid="a")) == "Checked(valid='a')"
    assert pickle.loads(pickle.dumps(Checked(valid="a"))) == Checked(valid="a")  # noqa: S301 - dumped just now
    with pytest.raises(AttributeError, match="make a new one: Checked"):
        Checked(valid="a").valid = "b"

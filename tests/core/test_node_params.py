"""The parameters of a workflow: one model, references on the class, and every problem at once."""

from __future__ import annotations

import warnings

import pytest
from pydantic import ValidationError

import codemation as cm
from codemation.core.params import ParamRef, validated


class Params(cm.Params):
    month: int = 1
    """Month of departure."""
    names: list[str]


class Narrow(Params):
    month: int = 2
    year: int = 2013


def test_a_field_of_the_class_is_a_reference() -> None:
    reference: object = Params.month
    assert reference == ParamRef(Params, "month")
    assert repr(reference) == "Params.month"
    assert isinstance(reference, ParamRef)
    assert reference.annotation is int
    assert repr(Narrow.names) == "Narrow.names"


def test_a_field_of_an_instance_is_its_value() -> None:
    assert Params(names=["a"]).month == 1


def test_what_is_no_field_is_missing_as_usual() -> None:
    with pytest.raises(AttributeError):
        _ = Params.moth  # type: ignore[attr-defined]


def test_a_field_may_be_declared_anew_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        class Again(Params):
            month: int = 5

    assert Again(names=[]).month == 5


def test_docstrings_below_fields_are_their_help() -> None:
    assert Params.model_json_schema()["properties"]["month"]["description"] == "Month of departure."


def test_params_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Params(names=[]).month = 3


def test_every_problem_of_params_is_listed() -> None:
    with pytest.raises(cm.InputError) as caught:
        validated(Params, {"moth": 2, "month": "x", "q": 1})
    assert str(caught.value).splitlines() == [
        "these params do not fit Params:",
        "  month: Input should be a valid integer, unable to parse string as an integer",
        "  names: is missing; give names=…",
        "  moth: there is no such param; did you mean 'month'?",
        "  q: there is no such param; there are: month, names",
    ]


def test_a_problem_inside_of_a_param_is_told_by_its_path() -> None:
    with pytest.raises(cm.InputError, match=r"names\.1: Input should be a valid string"):
        validated(Params, {"names": ["a", 3]})


def test_params_that_fit_are_given_as_their_model() -> None:
    assert validated(Params, {"names": ["a"], "month": "3"}) == Params(month=3, names=["a"])

"""From params to options and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import codemation as cm
from codemation.cli.options import TAKEN, Shape, options_of, params_from, shape_of, spelling
from codemation.cli.run import run
from codemation.cli.troubles import Refused
from codemation.core.errors import InputError


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Point(BaseModel):
    x: int


@dataclass
class Plain:
    x: int


class Params(cm.Params):
    number: Annotated[int, Field(ge=1, lt=100)] = 1
    ratio: float | None = None
    colour: Colour = Colour.RED
    level: Level = Level.LOW
    step: Literal[1, 2, "x"] = 1
    levels: list[Level] = [Level.LOW]  # noqa: RUF012 - the default of a field is a value
    points: list[Point] = []  # noqa: RUF012 - as above
    where: Path = Path("a")
    price: Decimal = Decimal(1)
    pause: timedelta = timedelta(seconds=1)
    loud: bool = True
    needed: str


@pytest.mark.parametrize(
    ("annotation", "shape"),
    [
        (int, Shape(name="INT")),
        (float | None, Shape(name="NUMBER")),
        (Annotated[int, Field(ge=1)], Shape(name="INT")),
        (date, Shape(name="DATE", example="2026-01-31")),
        (list[int], Shape(many=True, name="INT")),
        (tuple[Point, ...], Shape(many=True, json=True, name="JSON")),
        (set, Shape(many=True)),
        (list[list[int]], Shape(many=True, json=True, name="JSON")),
        (dict[str, int], Shape(json=True, name="JSON")),
        (Point, Shape(json=True, name="JSON")),
        (Plain, Shape(json=True, name="JSON")),
        (bool, Shape(flag=True)),
        (Colour, Shape(choices={"red": "red", "green": "green"})),
        (int | str, Shape(name="VALUE")),
        (Any, Shape(name="VALUE")),
    ],
)
def test_a_type_is_written_in_its_way(annotation: Any, shape: Shape) -> None:
    found = shape_of(annotation)
    assert (found.many, found.flag, found.json, found.name, found.example) == (
        *(shape.many, shape.flag, shape.json, shape.name),
        shape.example,
    )
    assert list(found.choices) == list(shape.choices)


def test_every_option_that_a_run_has_is_known_to_be_taken() -> None:
    fixed = {name for one in run.params for name in one.opts if name.startswith("--")}
    assert fixed | {"--help"} == TAKEN


def test_a_param_that_is_called_like_an_option_gets_a_prefix() -> None:
    assert (spelling("key"), spelling("min_delay"), spelling("json")) == ("--param-key", "--min-delay", "--param-json")


def test_help_says_bounds_defaults_and_what_is_required() -> None:
    helps = {option.name: option.help or "" for option in options_of(Params)}
    assert helps["param_number"] == "[at least 1, less than 100; default: 1]"
    assert helps["param_needed"] == "[required]"
    assert helps["param_levels"] == "May be repeated. [default: 1]"
    assert helps["param_loud"] == "[default: yes]"


@given(st.integers(1, 99), st.sampled_from(Colour), st.sampled_from(Level), st.sampled_from([1, 2, "x"]))
def test_what_is_written_is_what_the_run_gets(
    number: int, colour: Colour, level: Level, step: Literal[1, 2, "x"]
) -> None:
    given_ = {
        "param_number": str(number),
        "param_colour": colour.value,
        "param_level": str(level.value),
        "param_step": str(step),
        "param_levels": (str(level.value),),
        "param_points": ('{"x": 1}', '{"x": 2}'),
        "param_pause": "PT5S",
        "param_needed": "",
    }
    params = params_from(Params, {}, given_)
    assert isinstance(params, Params)
    assert (params.number, params.colour, params.level, params.step) == (number, colour, level, step)
    assert (params.levels, params.points, params.needed) == ([level], [Point(x=1), Point(x=2)], "")
    assert params.pause == timedelta(seconds=5)


def test_what_does_not_fit_is_told_by_the_names_of_the_options() -> None:
    with pytest.raises(InputError) as caught:
        params_from(Params, {"colour": "blue"}, {"param_number": "0"})
    assert "  --number: Input should be greater than or equal to 1" in caught.value.message
    assert "  --colour: Input should be 'red' or 'green'" in caught.value.message
    assert "  --needed: is missing; give --needed …" in caught.value.message


def test_json_that_is_none_is_told_with_an_example() -> None:
    with pytest.raises(Refused, match="--points wants JSON"):
        params_from(Params, {"needed": "x"}, {"param_points": ("{",)})


def test_params_for_a_workflow_without_any_are_refused() -> None:
    assert params_from(None, {}, {}) is None
    with pytest.raises(Refused, match="has no params"):
        params_from(None, {"x": 1}, {})

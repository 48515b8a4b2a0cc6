"""Failures as people read them: their own lines first, the engine's not at all."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from codemation.core import durations
from codemation.core.errors import InputError
from codemation.core.items import Failure
from codemation.views.failures import FailureView, Frame, frames_of

TEXT = """\
Traceback (most recent call last):
  File "/app/lib/first.py", line 3, in first
    raise KeyError("x")
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/codemation/core/execute.py", line 90, in call
    return function(*arguments)
           ^^^^^^^^^^^^^^^^^^^^
  File "/venv/lib/python3.11/site-packages/pandas/core/frame.py", line 4000, in apply
    return op.apply()
  File "C:\\work\\orders.py", line 33, in price
    return rates[order.country]
           ~~~~~^^^^^^^^^^^^^^^
  File "<frozen importlib._bootstrap>", line 1, in find
  File "/app/orders.py", line 12
    x = = 1
KeyError: 'UK'
"""


def raised(function: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any exception will do
        function()
    return caught.value


def test_the_users_lines_come_first_and_the_engines_are_left_out() -> None:
    frames = frames_of(TEXT)
    assert [(frame.file, frame.line, frame.function, frame.library) for frame in frames] == [
        ("C:\\work\\orders.py", 33, "price", False),
        ("/app/orders.py", 12, "", False),
        ("/venv/lib/python3.11/site-packages/pandas/core/frame.py", 4000, "apply", True),
        ("<frozen importlib._bootstrap>", 1, "find", True),
    ]
    assert [frame.source for frame in frames] == ["return rates[order.country]", "x = = 1", "return op.apply()", ""]


def test_an_exception_and_its_text_give_the_same_lines() -> None:
    error = raised(lambda: json.loads("{"))
    text = "".join(traceback.format_exception(error))
    assert frames_of(error) == frames_of(text)
    own, *libraries = frames_of(error)[1:]
    assert own.file == __file__
    assert own.source == 'error = raised(lambda: json.loads("{"))'
    assert {Path(frame.file).parent.name for frame in libraries} == {"json"}
    assert all(frame.library for frame in libraries)


def test_lines_of_the_engine_itself_are_not_shown() -> None:
    error = raised(lambda: durations.seconds("soon"))
    assert [Path(frame.file).name for frame in frames_of(error)] == [Path(__file__).name] * 2


@pytest.mark.parametrize("text", ["", "no traceback at all", "Traceback (most recent call last):", '  File "x", line'])
def test_a_text_without_lines_has_none(text: str) -> None:
    assert frames_of(text) == ()


def test_an_exception_becomes_a_view_with_its_way_out() -> None:
    error = InputError("month=13 is no month", way_out="give 1 to 12")
    view = FailureView.of("load", error, attempts=2)
    assert view.headline == "InputError: month=13 is no month"
    assert view.to_json() == {
        "headline": "InputError: month=13 is no month",
        "node": "load",
        "type": "InputError",
        "message": "month=13 is no month",
        "item_index": None,
        "item_key": "",
        "frames": [],
        "attempts": 2,
        "way_out": "give 1 to 12",
    }


def test_a_recorded_failure_becomes_a_view() -> None:
    failure = Failure(item={"id": 7}, type="KeyError", error="'UK'\nmore", node="price", attempts=5, traceback=TEXT)
    view = FailureView.of_item(failure, item_index=3, item_key="price:3")
    assert (view.headline, view.item_index, view.item_key, view.attempts) == ("KeyError: 'UK'", 3, "price:3", 5)
    assert view.frames[0] == Frame(
        file="C:\\work\\orders.py", line=33, function="price", source="return rates[order.country]"
    )
    assert view.to_json()["frames"][0]["function"] == "price"


def test_an_exception_that_cannot_say_what_it_is_does_not_hide_the_failure() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    view = FailureView.of("load", Mute())
    assert view.message == "(its text cannot be shown: RuntimeError)"
    assert FailureView.of("load", ValueError()).headline == "ValueError"

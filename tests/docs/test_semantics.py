"""Every row of the page about semantics names tests that are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "semantics.md"
_ROW = re.compile(r"^\| (?!promise \|)(?P<what>.+?) \| (?P<shown>.*) \|$", re.MULTILINE)
_NAME = re.compile(r"`([^`]+)`")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def holds(body: Sequence[ast.stmt], name: str, *within: str) -> bool:
    """Whether a test of this name stands there, inside of the class that is named before it."""
    if not within:
        return any(isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == name for one in body)
    first, *rest = within
    return any(isinstance(one, ast.ClassDef) and one.name == first and holds(one.body, name, *rest) for one in body)


def is_there(test: str) -> bool:
    """Whether `path.py::test_name` or `path.py::Class::test_name` exists."""
    path, *names = test.split("::")
    if not names or not names[-1].startswith("test_") or not (ROOT / path).is_file():
        return False
    return holds(parsed(ROOT / path).body, names[-1], *names[:-1])


def faults(text: str) -> Iterator[str]:
    """What is wrong with each row."""
    for row in _ROW.finditer(text):
        tests = _NAME.findall(row["shown"])
        if not tests:
            yield f"no test shows: {row['what']}"
        yield from (f"{test} is not there, and should show: {row['what']}" for test in tests if not is_there(test))


def test_every_promise_names_tests_that_are_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| promise |")]
    assert lines
    assert len(_ROW.findall(text)) == len(lines), "a row has two columns"
    assert list(faults(text)) == []


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "`tests/docs/test_semantics.py`",
        "`tests/docs/test_semantics.py::test_that_nobody_wrote`",
        "`tests/docs/test_semantics.py::is_there`",
        "`tests/docs/nowhere.py::test_every_promise_names_tests_that_are_there`",
        "`codemation/testing/conformance/claims.py::test_the_higher_priority_comes_first`",
        "`codemation/testing/conformance/claims.py::NoContract::test_the_higher_priority_comes_first`",
    ],
)
def test_a_promise_that_no_test_shows_is_noticed(shown: str) -> None:
    good = "`codemation/testing/conformance/claims.py::ClaimContract::test_the_higher_priority_comes_first`"
    assert list(faults(f"| What is kept | {good} |")) == []
    (fault,) = faults(f"| What is kept | {good} |\n| What is not | {shown} |")
    assert fault.endswith("What is not")

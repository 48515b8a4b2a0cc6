"""What is written stays small enough to be read: modules, classes, functions and their parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tests.architecture.tree import ROOT, files

MODULE, CLASS, FUNCTION, POSITIONAL = 300, 200, 40, 5
MEASURED = ("codemation", "app_template", "benchmarks")

EXCEPTIONS: dict[str, str] = {
    "codemation/core/flow.py": "the class of all verbs, whose overloads checkers have to see in one place",
    "codemation/core/flow.py:Flow": "every verb in one class, so that checkers see the overloads",
    "codemation/nodes/http.py:http": "more than half of it are its arguments, each a word of what can be asked",
    "codemation/host/postgres/tables.py": "the schema, once and whole: a table apart from its neighbours says less",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """Something that is longer or wider than its budget."""

    place: str
    what: str
    size: int
    budget: int

    def __str__(self) -> str:
        return f"{self.place}: {self.size} {self.what}, the budget is {self.budget}"


def _excesses(place: str, source: str) -> Iterator[Excess]:
    """Everything in one module that is over its budget."""
    lines = len(source.splitlines())
    if lines > MODULE:
        yield Excess(place=place, what="lines in the module", size=lines, budget=MODULE)
    for path, node in _definitions(ast.parse(source)):
        where = f"{place}:{path}"
        if isinstance(node, ast.ClassDef):
            if (size := _lines(node)) > CLASS:
                yield Excess(place=where, what="lines in the class", size=size, budget=CLASS)
            continue
        if (size := _lines(node)) > FUNCTION:
            yield Excess(place=where, what="lines in the function", size=size, budget=FUNCTION)
        if (size := _positional(node)) > POSITIONAL:
            yield Excess(place=where, what="positional parameters", size=size, budget=POSITIONAL)


def _definitions(parent: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.ClassDef | Function]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node
            yield from _definitions(node, f"{prefix}{node.name}.")
        else:
            yield from _definitions(node, prefix)


def _lines(node: ast.ClassDef | Function) -> int:
    """Lines from the `def` or `class` to the end; explaining what it does in a docstring costs nothing."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is None:
        return lines
    return lines - ((node.body[0].end_lineno or 0) - node.body[0].lineno + 1)


def _positional(node: Function) -> int:
    names = [given.arg for given in (*node.args.posonlyargs, *node.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def _found() -> list[Excess]:
    return [
        excess
        for path in files(*MEASURED, suffix=".py")
        for excess in _excesses(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    ]


def test_nothing_is_over_its_budget_without_a_reason() -> None:
    assert [str(excess) for excess in _found() if excess.place not in EXCEPTIONS] == []


def test_every_exception_is_still_needed_and_has_a_reason() -> None:
    over = {excess.place for excess in _found()}
    assert {place for place, reason in EXCEPTIONS.items() if place not in over or not reason.strip()} == set()


def test_the_measure_sees_what_is_too_long_and_too_wide() -> None:
    body = "\n".join("        pass" for _ in range(CLASS))
    source = f"class Big:\n    def wide(self, a, b, c, d, e, f):\n{body}\n"
    assert [(excess.place, excess.what, excess.size) for excess in _excesses("m.py", source)] == [
        ("m.py:Big", "lines in the class", CLASS + 2),
        ("m.py:Big.wide", "lines in the function", CLASS + 1),
        ("m.py:Big.wide", "positional parameters", 6),
    ]
    assert [excess.what for excess in _excesses("m.py", "x = 1\n" * (MODULE + 1))] == ["lines in the module"]


def test_a_docstring_and_keyword_parameters_cost_nothing() -> None:
    words = "\n".join("    word" for _ in range(FUNCTION))
    source = f'def f(a, b, c, d, e, *, g, h):\n    """Say.\n\n{words}\n    """\n    return a\n'
    assert list(_excesses("m.py", source)) == []

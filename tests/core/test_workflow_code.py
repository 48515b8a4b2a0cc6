"""The digest of what a node executes: behaviour changes it; comments, layout and docstrings do not."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import codemation as cm
from codemation.core.code import code_of, code_of_model
from codemation.core.sources import written

Load = Callable[[str], ModuleType]

BASE = """
    import codemation as cm

    LIMIT = 3

    def helper(x):
        return x + LIMIT

    @cm.node
    def work(order: int) -> int:
        return helper(order) * 2
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """A module of the same name from each text."""
    count = iter(range(1000))

    def make(source: str) -> ModuleType:
        path = tmp_path / f"written_{next(count)}.py"
        path.write_text(textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location("written_by_test", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "written_by_test", module)
        spec.loader.exec_module(module)
        return module

    return make


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return helper(order) * 2", "return helper(order) * 2  # twice"),
        ("return helper(order) * 2", "return (helper( order )\n                * 2)"),
        ("return helper(order) * 2", '"""Say why."""\n        return helper(order) * 2'),
        ("return x + LIMIT", '"""Say how."""\n        return x + LIMIT'),
        ("@cm.node", "@cm.node(timeout='1s')"),
        ("@cm.node", "# a comment\n    @cm.node"),
        ("@cm.node", "import codemation\n    @codemation.node"),
        ("@cm.node", "decorator = cm.node(timeout='1s')\n    @decorator"),
        ("LIMIT = 3", "LIMIT = 3\n    OTHER = 4"),
        ("LIMIT = 3", "LIMIT = 3\n    def other(): return 1"),
    ],
)
def test_what_does_not_change_behaviour_does_not_change_the_digest(old: str, new: str, load: Load) -> None:
    assert code_of(load(BASE.replace(old, new)).work) == code_of(load(BASE).work)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("* 2", "* 3"),
        ("order: int", "order: float"),
        ("x + LIMIT", "x - LIMIT"),
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMIT = (3, 'x')"),
        ("LIMIT = 3", "LIMIT = frozenset({3, 4})"),
        ("@cm.node", "import functools\n    @cm.node\n    @functools.cache"),
        ("@cm.node", "@cm.node\n    @(lambda f: f)"),
        ("@cm.node", "def kept(f): return f\n    @cm.node\n    @kept"),
        ("def work(order: int)", "def work(order: int, more=1)"),
    ],
)
def test_what_changes_behaviour_changes_the_digest(old: str, new: str, load: Load) -> None:
    assert code_of(load(BASE.replace(old, new)).work) != code_of(load(BASE).work)


def test_functions_that_call_one_another_in_a_circle_have_a_digest(load: Load) -> None:
    source = "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n > {} and even(n - 1)\n"
    assert code_of(load(source.format(0)).even) == code_of(load(source.format(0)).even)
    assert code_of(load(source.format(0)).even) != code_of(load(source.format(1)).even)


def test_a_node_that_another_one_calls_counts(load: Load) -> None:
    source = "import codemation as cm\n@cm.node\ndef one(x): return x + {}\ndef two(x): return one(x)\n"
    assert code_of(load(source.format(1)).two) != code_of(load(source.format(2)).two)


@pytest.mark.parametrize(
    "source",
    [
        "@functools.lru_cache\ndef one(x): return x + {}\ndef two(x): return one(x)\n",
        "def add(k, x): return x + k\none = functools.partial(add, {})\ndef two(x): return one(x)\n",
        "def add(x): return x + {}\none = functools.partial(add)\ndef two(x): return one(x)\n",
    ],
)
def test_a_function_that_is_kept_in_something_else_counts(load: Load, source: str) -> None:
    def code(number: int) -> str:
        return code_of(load("import functools\n" + source.format(number)).two)

    assert code(1) == code(1) != code(2)


def test_functions_of_other_modules_do_not_count(load: Load) -> None:
    source = "from textwrap import dedent\ndef one(x): return dedent(x)\n"
    assert code_of(load(source).one) == code_of(load(source).one)


def test_lambdas_on_one_line_are_told_apart(load: Load) -> None:
    module = load("pair = (lambda x: x + 1), (lambda x: x + 2)\nsame = lambda x: x + 1\n")
    first, second = module.pair
    assert code_of(first) != code_of(second)
    assert code_of(first) == code_of(module.same)
    assert written(first) is not None


def test_a_lambda_of_several_lines_is_read_from_its_source(load: Load) -> None:
    module = load("f = (lambda x:\n    x +\n    1)\ng = lambda x: x + 1\n")
    assert code_of(module.f) == code_of(module.g)


def test_two_functions_of_one_name_are_told_apart(load: Load) -> None:
    module = load("def a():\n    def f(): return 1\n    return f\ndef b():\n    def f(): return 2\n    return f\n")
    assert code_of(module.a()) != code_of(module.b())


def test_what_a_function_encloses_counts(load: Load) -> None:
    source = """
        def adder(n, extra=None):
            def add(x): return x + n + helped(x)
            def helped(x): return extra
            return add
        def late():
            def f(): return missing
            if False: missing = 1
            return f
    """
    module = load(source)
    assert code_of(module.adder(1)) == code_of(module.adder(1))
    assert code_of(module.adder(1)) != code_of(module.adder(2))
    assert code_of(module.adder(1, "a")) != code_of(module.adder(1, "b"))
    assert code_of(module.adder(object())) == code_of(module.adder(object()))
    assert code_of(module.late()) == code_of(module.late())


def test_default_values_count(load: Load) -> None:
    module = load("fs = [lambda x, n=n: x + n for n in range(2)]\nks = [lambda x, *, n=n: x + n for n in range(2)]\n")
    assert code_of(module.fs[0]) != code_of(module.fs[1])
    assert code_of(module.ks[0]) != code_of(module.ks[1])


def test_partials_methods_and_callable_objects_have_digests(load: Load) -> None:
    module = load(
        """
        import functools
        def f(x, n): return x + n
        one, two, named = functools.partial(f, 1), functools.partial(f, 2), functools.partial(f, n=1)
        class C:
            def m(self, x): return x
            def k(self, x): return x + 1
            def __call__(self, x): return x
        class D:
            def __call__(self, x): return x + 1
        """
    )
    digests = {code_of(one) for one in (module.f, module.one, module.two, module.named)}
    digests |= {code_of(one) for one in (module.C().m, module.C().k, module.C(), module.D(), module.C)}
    assert len(digests) == 9


def test_built_in_functions_are_known_by_name() -> None:
    assert code_of(len) == code_of(len)
    assert code_of(len) != code_of(sum)
    assert code_of(functools.partial(len)) != code_of(len)


def test_a_function_that_wraps_something_built_in_is_known_by_it() -> None:
    @functools.wraps(len)
    def wrapper(value: Any) -> int:
        return len(value)

    assert code_of(wrapper) == code_of(len)


FALLBACK = """
def work(x, n=(1, 2), *, k=frozenset({"a", "b"})):
    '''Say why.'''
    inner = lambda y: y + 1
    return inner(x) in (1, (2.5, b"c", ...)) or x in {3, 4} or helper(x) == LIMIT
def helper(x):
    return x
LIMIT = 3
"""


def executed(source: str) -> Any:
    scope: dict[str, Any] = {"__name__": "executed"}
    exec(source, scope)  # noqa: S102 - without a file there is no source
    return scope["work"]


def test_without_source_the_compiled_code_stands_for_a_function() -> None:
    work = executed(FALLBACK)
    assert written(work) is None
    assert code_of(work) == code_of(executed(FALLBACK))
    assert code_of(work) == code_of(executed("\n\n" + FALLBACK.replace("return x\n", "return x  # same\n")))
    assert code_of(work) != code_of(executed(FALLBACK.replace("y + 1", "y + 2")))
    assert code_of(work) != code_of(executed(FALLBACK.replace("return x\n", "return -x\n")))
    assert code_of(work) != code_of(executed(FALLBACK.replace("LIMIT = 3", "LIMIT = 4")))


def test_a_source_that_has_changed_since_is_not_taken_for_the_function(load: Load) -> None:
    module = load("def work(x): return x\n")
    before = code_of(module.work)
    path = Path(str(module.__file__))
    path.write_text("def work(x): return x + 100\n")
    assert written(module.work) is None
    assert code_of(module.work) != before
    path.write_text("def work(x: return x\n")
    assert written(module.work) is None


def test_a_digest_is_the_same_in_every_process(load: Load) -> None:
    module = load(BASE + "\n    VALUES = frozenset({'a', 'b', 'c'})\n    def use(x): return x in VALUES, work(x)\n")
    program = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('written_by_test', sys.argv[1])\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "from codemation.core.code import code_of; print(code_of(module.use))"
    )
    command = [sys.executable, "-c", program, str(module.__file__)]
    root = Path(__file__).parent.parent.parent
    found = {
        subprocess.run(
            command, cwd=root, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {code_of(module.use)}


def test_a_function_that_has_run_often_keeps_its_digest(load: Load) -> None:
    module = load("LIMIT = 3\ndef work(n): return sum(i * LIMIT + 1.5 for i in range(n))\n")
    before = code_of(module.work)
    for _ in range(2000):
        module.work(3)
    assert code_of(module.work) == before
    assert written(module.work) is not None


def test_a_model_stands_for_what_it_reads() -> None:
    class Order(BaseModel):
        id: str

    class Longer(BaseModel):
        id: str
        total: int

    assert code_of_model(Order) == code_of_model(Order)
    assert code_of_model(Order) != code_of_model(Longer)


def test_a_model_that_json_has_no_words_for_stands_for_its_name() -> None:
    assert code_of_model(Callable[[int], int]) == code_of_model(Callable[[int], int])


@given(st.lists(st.sampled_from(["# why", "", "   ", "# and so on"]), max_size=6))
def test_comments_and_empty_lines_never_matter(lines: list[str]) -> None:
    plain = "def work(x):\n    y = x + 1\n    return y\n"
    noisy = plain.replace("    return", "\n".join([*lines, "    return"]))
    assert code_of(executed(plain)) == code_of(executed(noisy))


def test_comments_leave_the_digest_of_a_workflow_alone(load: Load) -> None:
    node = "import codemation as cm\n@cm.node\ndef work(x: int) -> int: return x\n"
    source = node + "w = cm.workflow('w').then(work).build()\n"
    first, second = load(source).w, load("# moved\n\n" + source).w
    assert first.digest == second.digest
    assert first.definition.nodes[1].place != second.definition.nodes[1].place
    assert load(source.replace("return x", "return x + 1")).w.definition.code_digest != first.definition.code_digest
    assert isinstance(first, cm.Workflow)

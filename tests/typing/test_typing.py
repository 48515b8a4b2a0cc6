"""What users write passes mypy and pyright in strict mode, and what cannot work is refused with words that help."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import codemation as cm
from codemation.core.ids import START
from tests.corpus.available import NEEDS, missing

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
REFUSED = HERE / "mistakes" / "refused.py"
CORPUS = [str(ROOT / f"tests/corpus/{name}.py") for name in NEEDS if not missing(name)]
BOTH = [str(HERE / "snippets"), str(REFUSED.parent), *CORPUS]
SAID = re.compile(r"(.+?):(\d+): (error|note): (.*)")

Said = Mapping[tuple[str, int], str]
"""What a checker says about a line of a file."""

REFUSALS = {
    "flow.then(by_flight)": ('"Flight" is not a supertype of "Order"', 'expected "Node[list[Order], Flight]"'),
    "flow.tap(by_flight)": ('"Flight" is not a supertype of "Order"', 'expected "Node[list[Order], Any]"'),
    "flow.branch(is_big, yes=archive)": (
        'Parameter 1: type "Order" is incompatible with type "Flight"',
        'incompatible type "Callable[[Flight], bool]"',
    ),
    'flow.then(fetch, on_error="prot")': (
        "\"Literal['prot']\" is not assignable to",
        'No overload variant of "then" of "Flow" matches argument types',
    ),
    "cm.node(retries=3)": ('No overloads for "__call__" match', 'Unexpected keyword argument "retries"'),
    "flow.loop(fetch, next=another, max=3)": (
        'Type "str | None" is not assignable to type "Order | None"',
        'expected "Callable[[Flight], Order | None]"',
    ),
    "flow.loop(plain, until=is_done)": ('No overloads for "loop" match', 'No overload variant of "loop" of "Flow"'),
    "flow.loop(plain, until=is_big, max=3)": (
        'is incompatible with type "Flight"',
        'expected "Callable[[Order], bool]"',
    ),
    'flow.merge(by="key")': (
        "\"Literal['key']\" is not assignable to type \"Literal['append', 'origin', 'position']\"",
        "expected \"Literal['append', 'origin', 'position']\"",
    ),
    'flow.then(plain).on(cm.every("1h"))': (
        'Cannot access attribute "on" for class "Flow[',
        'has no attribute "on"',
    ),
    'cm.cron("0 6 * * *", overlap="skp")': (
        "\"Literal['skp']\" is not assignable to type",
        "has incompatible type \"Literal['skp']\"",
    ),
    'cm.node(writes="sales.orders")': ("is not assignable to", "No overload variant of"),
    "flow.map(lambda order: order.idd)": ('Cannot access attribute "idd" for class "Order"', 'maybe "id"?'),
    "flow.aggregate(lambda orders: orders[0].idd)": (
        'Cannot access attribute "idd" for class "Order"',
        'maybe "id"?',
    ),
    "built.run(moth=2)": ('No parameter named "moth"', 'did you mean "month"?'),
    'Checked(vald=Order(id="1"))': ('No parameter named "vald"', 'did you mean "valid"?'),
    "flow.then(is_big)": ('is not assignable to "Node[Order,', 'No overload variant of "then" of "Flow" matches'),
    'flow.parse("Order")': ('is not assignable to type "type[U@parse]"', 'has incompatible type "str"'),
    'flow.join(flow, how="left")': ('Argument missing for parameter "on"', 'Missing named argument "on"'),
    'cm.workflow("orders.typed", parms=Params)': ('No parameter named "parms"', 'did you mean "params"?'),
    "flow.wait(5)": ('"Literal[5]" cannot be assigned to parameter', 'expected "str | timedelta | datetime'),
    "flow.wait_for_event(paid, key=is_big)": (
        'Parameter 1: type "Order" is incompatible with type "Flight"',
        'expected "Callable[[Order], str | int]"',
    ),
    "flow.wait_for_event(paid, key=lambda order: order.idd)": (
        'Cannot access attribute "idd" for class "Order"',
        'maybe "id"?',
    ),
    "flow.wait_for_event(paid, key=lambda order: order.id).then(plain)": (
        '"Order" is not a supertype of "Received[Order, Payment]"',
        'expected "Node[list[Received[Order, Payment]], Order]"',
    ),
    "flow.approve(Payment).then(plain)": (
        '"Order" is not a supertype of "Decided[Order, Payment]"',
        'expected "Node[list[Decided[Order, Payment]], Order]"',
    ),
    'flow.approve(Payment, on_expiry="aprove")': (
        "\"Literal['aprove']\" is not assignable to type \"Literal['reject', 'accept', 'fail']\"",
        'No overload variant of "approve" of "Flow"',
    ),
    'flow.approve(Payment, per="order")': (
        "\"Literal['order']\" is not assignable to type \"Literal['item', 'batch']\"",
        'No overload variant of "approve" of "Flow"',
    ),
    'paid.send("a", Order(id="1"))': ('"Order" is not assignable to "Payment"', 'expected "Payment | dict[str, Any]"'),
    "built.run()[plain].item.idd": ('Cannot access attribute "idd" for class "Order"', 'maybe "id"?'),
}
"""For each line that must be refused: some of what pyright says, and some of what mypy says."""


@pytest.fixture(scope="module")
def mypy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """What mypy says about all snippets, from one run."""
    kept = getattr(request.config, "cache", None)  # absent when pytest is told to keep nothing
    cache = kept.mkdir("mypy") if kept is not None else tmp_path_factory.mktemp("mypy")
    strict = ["--strict", "--disable-error-code", "empty-body", "--no-error-summary", "--cache-dir"]
    output = _ran([sys.executable, "-m", "mypy", *strict, str(cache), *BOTH])
    found = [line for line in map(SAID.fullmatch, output.splitlines()) if line is not None]
    return _gathered((str(ROOT / line[1]), int(line[2]), line[4]) for line in found if line[3] == "error")


@pytest.fixture(scope="module")
def pyright() -> Said:
    """What pyright says about all snippets, from one run."""
    output = _ran([sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, *BOTH])
    told = json.loads(output)["generalDiagnostics"]
    return _gathered((one["file"], one["range"]["start"]["line"] + 1, one["message"]) for one in told)


def test_mypy_passes_what_users_write(mypy: Said) -> None:
    assert _about(mypy, "snippets") == {}
    assert _about(mypy, "corpus") == {}


def test_pyright_passes_what_users_write(pyright: Said) -> None:
    assert _about(pyright, "snippets") == {}
    assert _about(pyright, "corpus") == {}


@pytest.mark.parametrize("line", REFUSALS)
def test_pyright_refuses_with_helpful_words(line: str, pyright: Said) -> None:
    assert REFUSALS[line][0] in pyright[str(REFUSED), _number(line)].replace("\u00a0", " ")


@pytest.mark.parametrize("line", REFUSALS)
def test_mypy_refuses_with_helpful_words(line: str, mypy: Said) -> None:
    assert REFUSALS[line][1] in mypy[str(REFUSED), _number(line)]


def test_nothing_else_is_refused(mypy: Said, pyright: Said) -> None:
    wanted = {_number(line) for line in REFUSALS}
    assert {line for _, line in _about(mypy, "mistakes")} == wanted
    assert {line for _, line in _about(pyright, "mistakes")} == wanted


@pytest.mark.parametrize("snippet", sorted((HERE / "snippets").glob("*.py")), ids=lambda path: path.stem)
def test_what_users_write_builds(snippet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location(f"snippet_{snippet.stem}", snippet)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    spec.loader.exec_module(module)
    workflows = [value for value in vars(module).values() if isinstance(value, cm.Workflow)]
    assert workflows
    for workflow in workflows:
        assert workflow.definition.plan.rank[START] == 0
        assert workflow.text()


def _ran(command: list[str]) -> str:
    """The output of a checker, which ends with a status of its own when it has something to say."""
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def _gathered(told: Iterator[tuple[str, int, str]]) -> Said:
    said: dict[tuple[str, int], str] = {}
    for file, line, message in told:
        said[file, line] = f"{said.get((file, line), '')}\n{message}"
    return said


def _about(said: Said, folder: str) -> Said:
    return {place: message for place, message in said.items() if Path(place[0]).parent.name == folder}


def _number(line: str) -> int:
    return REFUSED.read_text().splitlines().index(line) + 1

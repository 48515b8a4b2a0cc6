"""An app whose files change: what is written takes over as a whole, what is broken leaves all as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codemation.core.ids import NodeId
from codemation.host.builds.reloading import Reloader
from codemation.host.settings import Settings
from tests.host.builds.shop import SHOP, write_app

ORDERS = "workflows/orders.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_app(tmp_path)


@pytest.fixture
def reloader(root: Path) -> Reloader:
    reloader = Reloader(Settings(root, {}, {}))
    assert reloader.load().changes == ("+ shop.orders",)
    return reloader


def _total(reloader: Reloader) -> int:
    """What the node gives for an amount of 1."""
    function = reloader.catalog.workflows["shop.orders"].workflow.code[NodeId("total")].function
    result: int = function(function.__globals__["Price"](amount=1))
    return result


def test_what_is_written_takes_over(root: Path, reloader: Reloader) -> None:
    assert _total(reloader) == 7
    (root / ORDERS).write_text(SHOP[ORDERS].replace("* 2", "* 3"))
    assert reloader.load().changes == ("~ shop.orders: rewritten: total",)
    assert _total(reloader) == 8


def test_what_it_imports_is_reloaded_too_and_old_code_keeps_what_it_had(root: Path, reloader: Reloader) -> None:
    old = reloader.catalog.workflows["shop.orders"].workflow.code[NodeId("total")].function
    (root / "goods/late.py").write_text("RATE = 100\n")
    reloader.load()
    assert _total(reloader) == 102
    assert old(old.__globals__["Price"](amount=1)) == 7


@pytest.mark.parametrize(
    ("file", "broken", "said"),
    [
        (ORDERS, "def (\n", "SyntaxError"),
        (ORDERS, SHOP[ORDERS].replace(".then(total)", ".then(totl)"), "NameError"),
        (ORDERS, SHOP[ORDERS].replace(".then(total)", ".then(total, limt=3)"), "mistakes"),
        ("goods/prices.py", "import nowhere\n", "ModuleNotFoundError"),
    ],
)
def test_a_broken_edit_keeps_what_was_whole_and_a_mended_one_takes_over(
    root: Path, reloader: Reloader, file: str, broken: str, said: str
) -> None:
    (root / file).write_text(broken)
    reload = reloader.load()
    (problem,) = reload.catalog.problems
    assert problem.file == Path(ORDERS)
    assert said in f"{problem.message} {problem.detail}"
    assert str(root / file) in problem.detail or "limt" in problem.detail
    assert ".codemation" not in problem.detail
    assert _total(reloader) == 7
    (root / file).write_text(SHOP[file])
    assert reloader.load().mended == (Path(ORDERS),)
    assert reloader.catalog.problems == []


def test_a_file_that_is_gone_takes_its_workflow_along(root: Path, reloader: Reloader) -> None:
    (root / ORDERS).unlink()
    assert reloader.load().changes == ("- shop.orders",)


def test_nothing_of_it_is_imported_under_the_names_of_the_app(reloader: Reloader) -> None:
    assert all(name.startswith("_build_") for name, module in sys.modules.items() if _is_of(module, reloader))


def _is_of(module: object, reloader: Reloader) -> bool:
    return str(getattr(module, "__file__", None)).startswith(str(reloader.catalog.root))

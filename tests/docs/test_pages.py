"""The reference says what the code says, and leaves nothing public out."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import codemation
import codemation as cm
from codemation.core.flow import Flow
from codemation.core.node import NodeOptions
from codemation.core.run import NodeResult, Run
from codemation.core.workflow import Workflow

DOCS = Path(__file__).parents[2] / "docs"
_EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def loaded(path: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = loaded(DOCS / "generate.py")


def examples(*pages: Path) -> str:
    return "\n".join(code for page in pages for code in _EXAMPLE.findall(page.read_text(encoding="utf-8")))


def members(kind: type) -> list[str]:
    """What a class gives its users by name."""
    return sorted(name for name in vars(kind) if not name.startswith("_"))


@pytest.mark.parametrize(("page", "part"), sorted(GENERATOR.PARTS), ids=lambda word: word.rsplit("/")[-1])
def test_a_generated_part_is_what_the_code_gives(page: str, part: str) -> None:
    write: Callable[[], str] = GENERATOR.PARTS[page, part]
    text = (DOCS / page).read_text(encoding="utf-8")
    assert GENERATOR.filled(text, part, write()) == text, "run: python docs/generate.py"


def test_a_page_without_the_marks_of_a_part_is_refused() -> None:
    with pytest.raises(ValueError, match="no part 'errors'"):
        GENERATOR.filled("# A page", "errors", "nothing")


def test_every_public_name_stands_in_an_example() -> None:
    shown = examples(*DOCS.rglob("*.md"))
    missing = [name for name in codemation.__all__ if not re.search(rf"\bcm\.{name}\b", shown)]
    assert missing == []


@pytest.mark.parametrize(
    ("kind", "page"),
    [(Flow, "flow-verbs"), (Workflow, "workflow"), (Run, "run-and-results"), (NodeResult, "run-and-results")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_member_stands_in_an_example_of_its_page(kind: type, page: str) -> None:
    shown = examples(DOCS / "reference" / f"{page}.md")
    internal = {"stand", "code", "find", "with_code", "launch", "gives", "fixed", "params_of"}
    missing = [name for name in members(kind) if name not in internal and not re.search(rf"\.{name}\b", shown)]
    assert missing == []


@pytest.mark.parametrize("name", sorted(cm.nodes.__all__))
def test_every_ready_node_has_a_page_with_an_example_that_is_run(name: str) -> None:
    node = getattr(cm.nodes, name)
    page = DOCS / "reference" / "nodes" / f"{name}.md"
    pages = [page] if isinstance(node, cm.FunctionNode) else [*page.parent.glob("*.md")]
    assert re.search(rf"\bcm\.nodes\.{name}\b", examples(*pages))


def test_every_option_of_a_node_is_explained() -> None:
    text = (DOCS / "reference" / "nodes-and-calling-rules.md").read_text(encoding="utf-8")
    assert [name for name in NodeOptions.__annotations__ if f"| `{name}` |" not in text] == []

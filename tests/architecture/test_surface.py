"""What `import codemation` shows, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import codemation

PUBLIC = (
    "Attachment",
    "AuthorError",
    "Branch",
    "CodemationError",
    "Concurrency",
    "Config",
    "Context",
    "Credential",
    "Dataset",
    "Decided",
    "Diff",
    "Expression",
    "FailedRun",
    "Failure",
    "Flow",
    "FunctionNode",
    "InputError",
    "Item",
    "Limits",
    "NamedEvent",
    "Node",
    "NodeOptions",
    "NodeResult",
    "Params",
    "Pin",
    "Ports",
    "Received",
    "Retention",
    "Retry",
    "Run",
    "RunCancelled",
    "RunFailed",
    "RunInTheWay",
    "Secret",
    "Session",
    "Start",
    "Trigger",
    "Workflow",
    "__version__",
    "attach",
    "connect",
    "cron",
    "dataset",
    "event",
    "every",
    "expr",
    "hmac",
    "last_run",
    "node",
    "nodes",
    "poll",
    "port",
    "token",
    "use",
    "watch",
    "webhook",
    "workflow",
)

LIBRARIES = {"sqlalchemy", "alembic", "psycopg", "pyarrow", "pandas", "polars", "numpy", "click", "rich", "matplotlib"}
MACHINERY = {"asyncio", "concurrent", "multiprocessing", "subprocess"}
"""Parts of the standard library that take time to load and that only the host has a use for."""
AUTHORED = "import codemation as cm; cm.node, cm.workflow, cm.Params, cm.Ports, cm.Retry"
"""What a module of an author asks for: names are looked for when they are used."""
ENGINE = {"codemation.core.engine", "codemation.core.advance", "codemation.core.snapshot", "codemation.core.ports"}
"""What only a run has a use for."""


def _modules(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after a statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def _loaded(statement: str) -> set[str]:
    """The top-level ones of them."""
    return {name.partition(".")[0] for name in _modules(statement)}


def test_the_public_names_are_these_and_stand_in_order() -> None:
    assert tuple(codemation.__all__) == PUBLIC
    assert list(codemation.__all__) == sorted(codemation.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(codemation, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = codemation.no_such_name


def test_importing_codemation_loads_nothing_heavy() -> None:
    assert _loaded("import codemation") & (LIBRARIES | MACHINERY) == set()


def test_what_an_author_imports_loads_no_engine() -> None:
    loaded = _modules(AUTHORED)
    assert loaded & (ENGINE | {"codemation.host"}) == set()
    assert _loaded(AUTHORED) & LIBRARIES == set()


def test_the_check_sees_a_heavy_module() -> None:
    assert "click" in _loaded("import codemation, click")
    assert _modules("import codemation.core.engine") >= ENGINE

"""Every test finds the process without the modules of the apps of others."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """Let go of what was imported."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("workflows", "goods", "flights") or name.startswith("_build_"):
            del sys.modules[name]

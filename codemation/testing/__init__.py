"""What helps to test workflows, and adapters of the ports."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codemation.testing.comparing import assert_items
    from codemation.testing.harness import Harness, context
    from codemation.testing.network import NetworkRefused

__all__ = ["Harness", "NetworkRefused", "assert_items", "context"]

_HOMES = {"Harness": "harness", "NetworkRefused": "network", "assert_items": "comparing", "context": "harness"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'codemation.testing' has no attribute {name!r}", name=name, obj=None)
    found: object = getattr(importlib.import_module(f"codemation.testing.{_HOMES[name]}"), name)
    globals()[name] = found
    return found

"""Each page is a module to its examples, as a notebook is to its cells: what it defines can be found by name."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest


class Page(ModuleType):
    """The examples of a page as a module."""

    def __init__(self, name: str, namespace: dict[str, Any]) -> None:
        super().__init__(name)
        self._namespace = namespace

    def __getattr__(self, name: str) -> Any:
        if name in self._namespace:
            return self._namespace[name]
        raise AttributeError(f"the page {self.__name__} defines no {name!r}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Name the module before the first example of its page runs."""
    example = getattr(item, "example", None)
    if example is not None and "__name__" not in example.namespace:
        name = f"page_{item.path.stem.replace('-', '_')}"
        example.namespace["__name__"] = name
        sys.modules[name] = Page(name, example.namespace)

"""A defect: stores that do one thing wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from codemation.core.ports import Stores
from codemation.host.memory import Tables, stores_on
from tests.testing.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """Ports that do something wrong, and the contract that has to find out."""

    name: str
    contract: type
    ports: dict[str, Callable[[Tables], Any]]

    def stores(self, clock: Clock) -> Stores:
        """Stores with this defect and no other."""
        tables = Tables(clock)
        return replace(stores_on(tables), **{port: broken(tables) for port, broken in self.ports.items()})


def defects(contract: type, port: str, **named: Callable[[Tables], Any]) -> list[Defect]:
    """A defect of one port for each name."""
    return [
        Defect(name=name.replace("_", " "), contract=contract, ports={port: broken}) for name, broken in named.items()
    ]

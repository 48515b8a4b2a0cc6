"""An app that is written anew again and again: each version has other nodes, in another order, with other types."""

from __future__ import annotations

from dataclasses import dataclass

_HEAD = '''
from __future__ import annotations

import os
import time
from pathlib import Path

from pydantic import BaseModel

import codemation as cm

VERSION = "{name}"
MACHINE = os.environ.get("MACHINE", "as it should be")


class Go(BaseModel):
    """Lets a traveller go on."""


class Travel(cm.Params):
    """What a run is asked for."""

    key: str
    ledger: Path
    gate: Path = Path("/nonexistent")
    """While this file is there, `hold` does not come to its end."""


class Trail(BaseModel):
    """Where a value has been; what it weighs has another type in some versions."""

    version: str
    key: str
    stamps: list[str]
    {field}


def stamped(trail: Trail, name: str, params: Travel) -> Trail:
    if type(trail) is not Trail or trail.version != VERSION or trail.key != params.key or not MACHINE:
        raise TypeError(f"{{name}} of {{VERSION}} was given {{trail!r}}")
    descriptor = os.open(params.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{{params.key}} {{name}} {{VERSION}} {{os.getpid()}}\\n".encode())
    os.close(descriptor)
    return trail.model_copy(update={{"stamps": [*trail.stamps, f"{{name}} {{VERSION}}"]}})


@cm.node
def pack(params: Travel) -> Trail:
    return stamped(Trail(version=VERSION, key=params.key, stamps=[], {value}), "pack", params)


@cm.node
def hold(trail: Trail, params: Travel) -> Trail:
    given = stamped(trail, "hold", params)
    while params.gate.exists():
        time.sleep(0.02)
    return given


@cm.node
def opened(received: cm.Received[Trail, Go], params: Travel) -> Trail:
    return stamped(received.item, "opened", params)

'''
_NODE = """
@cm.node
def {name}(trail: Trail, params: Travel) -> Trail:
    return stamped(trail, "{name}", params)

"""
_TAIL = """
go = cm.event("versions.go", Go)
travel = cm.workflow("versions.travel", params=Travel).then(pack){before}.then(hold)
travel = travel.wait_for_event(go, key=lambda trail: trail.key).then(opened){after}.build()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What the file holds at some time."""

    name: str
    before: tuple[str, ...]
    """The nodes before the middle, in which runs wait."""
    after: tuple[str, ...]
    field: str = "weight: int"
    value: str = "weight=3"

    @property
    def text(self) -> str:
        """The file."""
        nodes = "".join(_NODE.format(name=name) for name in sorted({*self.before, *self.after}))
        chains = ("".join(f".then({name})" for name in names) for names in (self.before, self.after))
        before, after = chains
        head = _HEAD.format(name=self.name, field=self.field, value=self.value)
        return head + nodes + _TAIL.format(before=before, after=after)

    @property
    def stamps(self) -> list[str]:
        """What a run of this version brings home."""
        return [f"{name} {self.name}" for name in ("pack", *self.before, "hold", "opened", *self.after)]


FIRST = Version(name="v1", before=("a",), after=("b", "c", "d"))
LATER = (
    Version(name="v2", before=("a", "added"), after=("b", "c_renamed", "d")),
    Version(name="v3", before=("d",), after=("c", "a"), field='weight: str = ""', value='weight="three"'),
    Version(name="v4", before=("a",), after=("b", "c", "d"), field="load: list[int]", value="load=[3, 4]"),
)
"""With a node added and one renamed; with one removed, others moved and a type that is another; with other fields."""

"""The workflows that workers are disturbed at; what their nodes do is noted in a file, whoever does it."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import codemation as cm


class Job(cm.Params):
    """What a run is asked for."""

    ledger: Path
    """Where each call is noted, a line for each: name, process."""
    gate: Path = Path("/nonexistent")
    """While this file is there, a call does not come to its end."""
    doom: Path = Path("/nonexistent")
    """While this file is there, a call ends its process."""
    how: str = "exit"
    """In what way a call ends its process."""
    times: int = 1
    """How many calls do so."""


def note(params: Job, what: str) -> None:
    """Note a call; a line is written whole."""
    descriptor = os.open(params.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{what} {os.getpid()}\n".encode())
    os.close(descriptor)


def calls(ledger: Path, what: str) -> list[int]:
    """The processes that have made a call, in order."""
    lines = ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []
    return [int(line.split()[1]) for line in lines if line.split()[0] == what]


@cm.node
def first(params: Job) -> int:
    note(params, "first")
    return 1


@cm.node
def held_first(params: Job, context: cm.Context) -> int:
    """Waits at the gate, unless it is told to stop."""
    note(params, "began")
    while params.gate.exists() and not context.cancelled:
        time.sleep(0.02)
    return 1


@cm.node
def held(number: int, params: Job, context: cm.Context) -> int:
    """Waits at the gate, unless it is told to stop."""
    note(params, "held")
    while params.gate.exists():
        if context.cancelled:
            note(params, "gave-up")
            raise RuntimeError("stopped")
        time.sleep(0.02)
    if params.doom.exists():
        os._exit(9)
    return number + 1


@cm.node
def last(number: int, params: Job) -> int:
    note(params, "last")
    return number + 1


@cm.node
def falling(number: int, params: Job) -> int:
    """Takes its process with it, so many times; after that it waits at the gate."""
    note(params, "falling")
    if len(calls(params.ledger, "falling")) <= params.times:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        {"exit": leave, "overflow": overflow, "limit": exceed}[params.how]()
    while params.gate.exists():
        time.sleep(0.02)
    return number + 1


def leave() -> None:
    """End as a library does that thinks that it owns the process."""
    os._exit(3)


def overflow() -> None:
    """Go deeper than the stack of C is, with Python's own guard out of the way."""
    sys.setrecursionlimit(1_000_000_000)
    nested: Any = []
    for _ in range(1_000_000):
        nested = [nested]
    try:
        repr(nested)
    except RecursionError:  # newer ones have a guard that nobody can move
        os.kill(os.getpid(), signal.SIGSEGV)


def exceed() -> None:
    """Ask for more memory than the process may have, in code that knows no other way out than to end it."""
    import polars as pl

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    pl.zeros(1 << 30, eager=True)


@cm.node
def greedy(params: Job) -> int:
    """Asks for more memory than there is, in Python, which says so."""
    note(params, "greedy")
    return len(bytearray(1 << 60))


@cm.node
def deaf(params: Job) -> int:
    """Takes no notice of being stopped."""
    note(params, "deaf")
    while params.gate.exists():
        time.sleep(0.02)
    return 1


@cm.node
def burning(params: Job) -> int:
    """Keeps all threads of its process waiting, for some seconds at a time."""
    note(params, "burning")
    length, took = 18, 0.0
    while took < 2.5:
        began = time.monotonic()
        re.match(r"(a+)+$", "a" * length + "b")
        took = time.monotonic() - began
        length += 1 if took > 0.5 else 2
    note(params, "burnt")
    return 1


def clinging(ledger: Path) -> Iterator[int]:
    """A resource that does not let itself be closed."""
    yield 1
    while True:
        time.sleep(1)


@cm.node
def clung(params: Job, thing: Annotated[int, cm.use(clinging, ledger=Job.ledger)]) -> int:
    note(params, "clung")
    return thing


@cm.node(timeout="300ms")
def late(params: Job) -> int:
    """A call that goes on after its time."""
    note(params, "late")
    time.sleep(30)
    return 1


@cm.node(queue="there")
def there(number: int, params: Job) -> int:
    """Done by workers of another queue."""
    note(params, "there")
    return number + 1


@cm.node
def one_more(number: int) -> int:
    return number + 1


@cm.node
def hundred(params: Job) -> list[int]:
    return list(range(100))


@cm.node
def leisurely(number: int, params: Job) -> int:
    """Takes its time while the gate is there."""
    if params.gate.exists():
        time.sleep(0.1)
    return number


def _ten_steps() -> cm.Workflow[..., Any]:
    flow = cm.workflow("mill.quick", params=Job).then(first)
    for step in range(9):
        flow = flow.then(one_more, id=f"step-{step}")
    return flow.build()


gated = cm.workflow("mill.gated", params=Job, concurrency=cm.Concurrency(1)).then(held_first).then(there).build()
mill = cm.workflow("mill", params=Job).then(first).then(held).then(last).build()
deadly = cm.workflow("mill.deadly", params=Job).then(first).then(falling).then(last).build()
hungry = cm.workflow("mill.hungry", params=Job).then(greedy).build()
stubborn = cm.workflow("mill.stubborn", params=Job).then(deaf).build()
hot = cm.workflow("mill.hot", params=Job).then(burning).then(last).build()
fond = cm.workflow("mill.fond", params=Job).then(clung).build()
slow = cm.workflow("mill.slow", params=Job).then(late).build()
wide = cm.workflow("mill.wide", params=Job).then(hundred).map(leisurely).build()
quick = _ten_steps()

"""An app to run commands in: parallel branches, nodes that work on one item at a time, and one that can be held up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from codemation.cli.main import main
from tests.host.postgres.embedded.world import REPOSITORY, temporary_project

ORDERS = '''
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, Field

import codemation as cm


class Order(BaseModel):
    id: str
    total: float


class Params(cm.Params):
    count: Annotated[int, Field(ge=0, le=5000)] = 4
    """How many orders to make up."""
    broken: int = -1
    """Number of the order that cannot be priced; -1 for none."""
    rates: dict[str, float] = {"DE": 1.19}
    """Tax by country."""
    tags: list[str] = []
    """Written on the report."""
    day: date = date(2026, 1, 31)
    pace: Literal["fast", "careful"] = "fast"
    """How to price."""
    loud: bool = False
    """Print a line for each order."""
    key: str = "plain"
    """Called like an option of the command."""


@cm.node
def make(params: Params) -> list[Order]:
    return [Order(id=f"A{number}", total=number * 1.5) for number in range(params.count)]


@cm.node
def price(order: Order, params: Params) -> Order:
    if params.loud:
        print("pricing", order.id)
    if order.id == f"A{params.broken}":
        raise ValueError("there is no price\\nfor this order")
    return order


@cm.node
def check(order: Order) -> Order:
    return order


@cm.node
def report(priced: list[Order], checked: list[Order], params: Params) -> dict[str, object]:
    asked = {"tags": params.tags, "key": params.key, "rates": params.rates}
    return {"priced": len(priced), "checked": len(checked), **asked}


@cm.workflow("shop.orders", params=Params, title="Orders of a day")
def orders(start: cm.Flow):
    """Price what was ordered."""
    return start.then(make).parallel(priced=price, checked=check).into(report)


class Line(BaseModel):
    sku: str
    amount: int


@cm.node
def double(line: Line) -> Line:
    return Line(sku=line.sku, amount=line.amount * 2)


stock = cm.workflow("shop.stock", input=Line).then(double).build()


class Sorted(cm.Ports):
    few: Line = cm.port()
    many: Line = cm.port()


@cm.node
def sort(line: Line) -> Sorted:
    return Sorted(few=line) if line.amount < 5 else Sorted(many=line)


parted = cm.workflow("stock.sorted", input=Line).then(sort).route(few=double).build()
'''
WAITING = """
import time
from pathlib import Path

import codemation as cm


@cm.node
def wait(ctx: cm.Context) -> str:
    deadline = time.monotonic() + 60
    try:
        print("at work\\n", end="", flush=True)  # in one piece: others say the same at the same time
        while not (ctx.cancelled or Path("go").exists() or time.monotonic() > deadline):
            time.sleep(0.02)
    except KeyboardInterrupt:
        print("heard", flush=True)
        raise
    return "done"


@cm.node
def one() -> int:
    return 1


@cm.node
def stubborn(n: int, ctx: cm.Context) -> int:
    deadline = time.monotonic() + 60
    try:
        print("at work\\n", end="", flush=True)
        while time.monotonic() < deadline:
            time.sleep(0.02)
    except KeyboardInterrupt:
        print("heard", flush=True)
        raise
    return n


held = cm.workflow("held").then(wait).build()


@cm.workflow("pair")
def pair(start: cm.Flow):
    first = start.then(one)
    return first.then(stubborn, id="left").merge(first.then(stubborn, id="right"))
"""
HIDDEN = ("CODEMATION_", "DATABASE_URL", "NO_COLOR", "COLUMNS", "LINES", "PYTHONIOENCODING")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The app's folder."""

    folder: Path

    def codemation(self, *words: str, given: str | bytes = "", **environment: str) -> Result:
        """Carry out a command in this process."""
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            hidden: dict[str, str | None] = {name: None for name in os.environ if name.startswith(HIDDEN)}
            runner = CliRunner(env={**hidden, **environment})
            return runner.invoke(main, list(words), input=given)
        finally:
            os.chdir(before)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Carry out a command in a process of its own."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
        environment |= {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"} | options.pop("environment", {})
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | options
        program = options.pop("program", "from codemation.cli.main import main; main()")
        command = [sys.executable, "-c", program, *words]
        return subprocess.Popen(command, cwd=self.folder, env=environment, text=True, encoding="utf-8", **options)


@contextmanager
def open_shop() -> Iterator[Shop]:
    """The app in a folder of its own, whose database runs until the block ends."""
    with temporary_project() as project:
        workflows = project.folder / "workflows"
        workflows.mkdir()
        (workflows / "orders.py").write_text(ORDERS)
        (workflows / "waiting.py").write_text(WAITING)
        with project.open():
            yield Shop(folder=project.folder)

"""E8: what it costs to begin: the import, the first node of `codemation run`, and a process that has nothing to do."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no types of its own

from benchmarks.figures import Bar, Finding, Series, ratio
from benchmarks.rounds import interleaved
from benchmarks.stand import OURS, Stand
from codemation.host.postgres.embedded import watchdog

_AUTHOR = "import codemation as cm; cm.node, cm.workflow, cm.Params, cm.Ports, cm.Retry"
"""An import alone loads little, since names are found late; an author's module uses these."""
_FIRST = """
import os
import time
from pathlib import Path

import codemation as cm


@cm.node
def first() -> int:
    Path(os.environ["FIRST_NODE"]).write_text(str(time.monotonic()))
    return 1


begin = cm.workflow("begin").then(first).build()
"""
_IDLE = """
import os, runpy, sys
os.environ["FIRST_NODE"] = os.devnull
runpy.run_path("workflows/begin.py")["begin"].run()
print("idle", flush=True)
sys.stdin.read()
"""
_TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"


def measure(stand: Stand) -> Finding:
    """Whole processes for the imports, the command from its start to its first node, and an idle process."""
    app = stand.folder / "workflows"
    app.mkdir(exist_ok=True)
    (app / "begin.py").write_text(_FIRST)
    stand.rest()
    processes = interleaved(_contenders(stand), stand.effort.rounds)
    series = {name: Series(name=name, unit="ms", values=tuple(values)) for name, values in processes.items()}
    imported = ratio("author's import / pydantic", series["author's import"], series["import pydantic"])
    bare = ratio("import codemation / pydantic", series["import codemation"], series["import pydantic"])
    idle = _idle(stand)
    first = series["first node of codemation run"]
    return Finding(
        name="E8",
        title="start and rest",
        series=(*series.values(), bare, imported, *idle),
        bars=(
            Bar(what="author's import / import pydantic", figure=imported.median, limit=3.0, unit="×"),
            Bar(what=first.name, figure=first.median / 1000, limit=0.8, unit="s"),
            Bar(what="idle process", figure=idle[0].median, limit=60.0, unit="MiB"),
            Bar(what="idle process, per second", figure=idle[1].median, limit=1.0, unit="transactions"),
        ),
        yardstick=series["python -c pass"],
        notes=("The imports are whole processes, the interpreter's own start included.",),
    )


def _contenders(stand: Stand) -> dict[str, Callable[[], float]]:
    count = stand.effort.processes

    def process(code: str) -> Callable[[], float]:
        return lambda: sum(_milliseconds([sys.executable, "-c", code]) for _ in range(count)) / count

    return {
        "python -c pass": process("pass"),
        "import pydantic": process("import pydantic; pydantic.BaseModel"),
        "import codemation": process("import codemation"),
        "author's import": process(_AUTHOR),
        "first node of codemation run": lambda: sum(_first_node(stand.folder) for _ in range(count)) / count,
    }


def _milliseconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def _first_node(folder: Path) -> float:
    """Milliseconds from starting the command to the first line of its first node; both read the same clock."""
    note = folder / "first-node"
    note.unlink(missing_ok=True)
    command = Path(sysconfig.get_path("scripts")) / "codemation"
    began = time.monotonic()
    subprocess.run(
        [command, "run", "begin", "--quiet"],
        check=True,
        cwd=folder,
        env=os.environ | {"FIRST_NODE": str(note)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    return (float(note.read_text()) - began) * 1000


def _idle(stand: Stand) -> tuple[Series, Series, Series]:
    """A process that has done a run and waits: its memory, its transactions, and the watchdog's memory."""
    with subprocess.Popen(
        [sys.executable, "-c", _IDLE], cwd=stand.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "idle"
        time.sleep(stand.effort.settle_seconds)  # the hourly duties come after half a minute
        (before,), began = stand.ask(_TRANSACTIONS, OURS), time.monotonic()
        time.sleep(stand.effort.idle_seconds)
        (after,), seconds = stand.ask(_TRANSACTIONS, OURS), time.monotonic() - began
        memory = _mebibytes(psutil.Process(process.pid))
        process.communicate()
    return (
        Series(name="idle process", unit="MiB", values=(memory,)),
        Series(name="idle process", unit="transactions/s", values=((after - before) / seconds,)),
        Series(name="watchdog beside it", unit="MiB", values=(_watchdog(stand.folder),)),
    )


def _watchdog(folder: Path) -> float:
    """The memory of the process that ends the server after its last user."""
    words = {watchdog.__file__, str(folder.resolve() / ".codemation" / "postgres")}
    found = [process for process in psutil.process_iter(["cmdline"]) if words <= set(process.info["cmdline"] or ())]
    return sum(_mebibytes(process) for process in found)


def _mebibytes(process: psutil.Process) -> float:
    """The memory that a process has in use, shared pages included."""
    return float(process.memory_info().rss) / 2**20

"""Run the main job on real data; then run it again, kill it half-way from outside, and let it go on.

    python demo.py

It uses the command line as a person would, and looks into the database only to choose the moment of the kill and to
count what was repeated afterwards.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from codemation.host.app import App
from codemation.host.handles import RunHandle

HERE = Path(__file__).resolve().parent
OUT = HERE / "build" / "flights"
CODEMATION = str(Path(sys.executable).with_name("codemation"))
HALF = 0.75
"""Part of the nodes that have succeeded when the run is killed: the long ones are still at work then."""
PATIENCE = 600.0
"""Seconds that a run may take to get that far."""


def main() -> int:
    """The whole story; exits with 1 if any of it is not true."""
    os.chdir(HERE)
    say("1 · The main job: a year of flights out of New York, from CSV files to a report")
    command("run", "flights.delays")
    before = digests()
    say("2 · The same again, killed half-way: kill -9 from outside, no time to say goodbye")
    with App.open() as app:
        run, recorded = killed_run(app)
        say("3 · Resumed: what had succeeded is taken from the database, the rest is worked on")
        command("runs", "resume", run)
        return verdict(app.attach(run), recorded, before)


def killed_run(app: App) -> tuple[str, dict[str, int]]:
    """Start a run, kill it half-way; its id, and the revision at which each node had succeeded by then."""
    known = {row.id for row in app.stores.runs.page(limit=1)}
    with subprocess.Popen([CODEMATION, "run", "flights.delays", "--quiet"], start_new_session=True) as process:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            rows = [row for row in app.stores.runs.page(limit=1) if row.id not in known]
            done = succeeded(app.attach(rows[0].id)) if rows else {}
            if rows and len(done) >= HALF * len(app.attach(rows[0].id).definition.nodes):
                process.send_signal(signal.SIGKILL)
                process.wait()
                run = rows[0].id
                done = succeeded(app.attach(run))
                print(f"kill -9 {process.pid}: {len(done)} nodes had succeeded, the others had not")
                return run, done
            time.sleep(0.05)
    sys.exit("the run ended before it could be killed; is something else using its output folder?")


def succeeded(run: RunHandle) -> dict[str, int]:
    """The revision at which each node has succeeded."""
    return {node: record.revision for node, record in run.snapshot.nodes.items() if record.status == "succeeded"}


def verdict(run: RunHandle, recorded: dict[str, int], before: dict[str, str]) -> int:
    """Say what the resumed run repeated, and whether its files are the same to the byte."""
    after = succeeded(run)
    repeated = [node for node, revision in recorded.items() if after.get(node) != revision]
    same = digests() == before
    say("4 · What that shows")
    print(
        f"{tick(not repeated)} {len(recorded)} nodes had succeeded before the kill; {len(repeated)} of them ran again"
    )
    print(f"{tick(len(after) > len(recorded))} {len(after) - len(recorded)} nodes ran after it")
    print(f"{tick(same)} the report, the table and the rejects are the same to the byte as in the quiet run")
    for name, digest in digests().items():
        print(f"    {digest[:16]}  {(OUT / name).relative_to(HERE)}")
    prefix = f"cd {HERE.name} && {os.path.relpath(CODEMATION, HERE)}"
    print(
        f"""
Open the report:        {os.path.relpath(OUT / "report.html", HERE.parent)}
Look at the run:        {prefix} runs show last
See it drawn:           {prefix} render flights.delays --as svg -o delays.svg
Ask for less:           {prefix} run flights.delays --months 1 --months 2
Read how it is written: {HERE.name}/workflows/flights/delays.py"""
    )
    return 0 if same and not repeated else 1


def command(*arguments: str) -> None:
    """Show a command and run it; the demo ends where it fails."""
    print(f"$ codemation {' '.join(arguments)}", flush=True)
    done = subprocess.run([CODEMATION, *arguments], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def digests() -> dict[str, str]:
    """What the files of the result contain, by name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(OUT.iterdir())}


def say(headline: str) -> None:
    """A headline."""
    print(f"\n{headline}\n{'─' * len(headline)}", flush=True)


def tick(good: bool) -> str:
    """A mark for what is true and what is not."""
    return "✓" if good else "✗"


if __name__ == "__main__":
    sys.exit(main())

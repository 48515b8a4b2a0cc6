"""Make the pictures of the README anew: the graph of the demo's workflow, and the top of its report.

    python docs/images/make.py

The graph is drawn by codemation itself. The report is that of a whole run, photographed by Chromium.
"""  # noqa: INP001 - a script, and no part of a package

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from codemation.host.catalog import discover
from codemation.views.canvas import graph_view
from codemation.views.svg import svg

HERE = Path(__file__).resolve().parent
APP = HERE.parents[1] / "app_template"
WORKFLOW = "flights.delays"
WIDTH, HEIGHT = 1200, 1000
"""Pixels of the photograph: the width that the report is made for, and its first screen."""
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
LARGEST = 250_000
"""Bytes that a picture may have."""


def main() -> int:
    """Make both pictures; exits with 1 and says why when one cannot be made."""
    browser = shutil.which("chromium")
    if browser is None:
        return failed("chromium is not there; on Debian: apt install chromium fonts-dejavu")
    graph(HERE / "flights.svg")
    with tempfile.TemporaryDirectory(prefix="codemation-pictures-") as folder:
        report = reported(Path(folder))
        photograph(browser, report, HERE / "report.png")
    for picture in (HERE / "flights.svg", HERE / "report.png"):
        size = picture.stat().st_size
        sys.stdout.write(f"{picture.name}: {size:,} bytes\n")
        if size > LARGEST:
            return failed(f"{picture.name} has more than {LARGEST:,} bytes; make its frame smaller")
    return 0


def graph(target: Path) -> None:
    """Draw the workflow from top to bottom, which a page's width suits best."""
    workflow = discover(APP).find(WORKFLOW).workflow
    target.write_text(svg(graph_view(workflow.definition, direction="TB")), encoding="utf-8")


def reported(folder: Path) -> Path:
    """The report of a run over the whole year; it leaves nothing in the app but the run itself."""
    codemation = Path(sys.executable).with_name("codemation")
    subprocess.run([codemation, "run", WORKFLOW, "--quiet", "--out", folder], cwd=APP, check=True)
    return folder / "report.html"


def photograph(browser: str, page: Path, target: Path) -> None:
    """The top of a page as a browser shows it."""
    profile = f"--user-data-dir={page.parent / 'profile'}"
    frame = [f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={target}"]
    subprocess.run([browser, *FLAGS, profile, *frame, page.as_uri()], check=True, capture_output=True, timeout=90)


def failed(why: str) -> int:
    """Say what is in the way."""
    sys.stderr.write(f"{why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""The log of a process that serves: the same for workers and for the web."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, sys
import codemation as cm
from codemation.core.credentials import Credential
from codemation.host.log_lines import write_log

class Door(Credential):
    key: cm.Secret

Door(key="unmistakable-key")
write_log(sys.argv[1], heard=("codemation",))
logging.getLogger("codemation.access").info("opened with unmistakable-key", extra={"fields": {"who": "ann", "ms": 1.5}})
logging.getLogger("codemation.worker").warning("late", extra={"run": "r1", "node": "n"})
logging.getLogger("others").info("not heard")
try:
    raise ValueError("unmistakable-key")
except ValueError:
    logging.getLogger("others").exception("broken")
"""


def said(form: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, form], capture_output=True, text=True, check=True)
    assert "unmistakable-key" not in done.stderr
    assert "not heard" not in done.stderr
    return done.stderr.splitlines()


def test_lines_are_for_people_and_say_which_run_they_are_about() -> None:
    access, late, broken, *traceback = said("text")
    assert access.endswith("INFO    access: opened with ••••••")
    assert late.endswith("WARNING worker: late run=r1 node=n")
    assert broken.endswith("ERROR   others: broken")
    assert traceback[-1] == "ValueError: ••••••"


def test_objects_are_for_programs_and_have_what_the_line_has_beside_its_words() -> None:
    access, late, broken = map(json.loads, said("json"))
    assert (access["logger"], access["level"], access["who"], access["ms"]) == ("codemation.access", "info", "ann", 1.5)
    assert (late["run"], late["node"], late["message"]) == ("r1", "n", "late")
    assert broken["traceback"].endswith("ValueError: ••••••")

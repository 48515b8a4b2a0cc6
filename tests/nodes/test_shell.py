"""Programs are run within limits: what they may see, how long they may take, how much they may say."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import ContractError, NodeError, RunFailed
from codemation.host.handles import RunHandle

Run = Callable[..., RunHandle]


class Job(BaseModel):
    name: str


def test_a_program_gives_what_it_wrote_and_its_code(tmp_path: Path) -> None:
    done = cm.nodes.shell({}, command=["sh", "-c", "pwd; echo oops >&2; exit 3"], cwd=str(tmp_path), ok_codes=[0, 3])
    assert (done.code, done.stdout.strip(), done.stderr.strip(), done.cut) == (3, str(tmp_path), "oops", False)


def test_arguments_are_taken_for_nothing_else_than_they_are() -> None:
    assert cm.nodes.shell({}, command=["echo", "$HOME; rm -rf /", "*"]).stdout == "$HOME; rm -rf / *\n"
    assert cm.nodes.shell({}, script="echo one | tr o 0").stdout == "0ne\n"
    for wrong in ({}, {"command": []}, {"command": ["true"], "script": "true"}):
        with pytest.raises(ContractError, match="which program"):
            cm.nodes.shell({}, **wrong)  # type: ignore[arg-type]


def test_of_the_environment_it_sees_what_was_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush")
    assert "TOKEN" not in cm.nodes.shell({}, command=["env"]).stdout
    seen = cm.nodes.shell({}, command=["/usr/bin/env"], keep_env=["TOKEN"], env={"MORE": "x"}).stdout.split()
    assert sorted(seen) == ["MORE=x", "TOKEN=hush"]


def test_the_item_or_a_text_is_sent_to_it() -> None:
    assert cm.nodes.shell(Job(name="a"), command=["cat"], send_item=True).stdout == '{"name":"a"}'
    assert cm.nodes.shell({"n": 1}, command=["cat"], send_item=True).stdout == '{"n": 1}'
    assert cm.nodes.shell("plain", command=["cat"], send_item=True).stdout == "plain"
    assert cm.nodes.shell({}, command=["wc", "-c"], stdin="x" * 300_000).stdout.strip() == "300000"
    assert cm.nodes.shell({}, command=["true"], stdin="x" * 300_000).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"command": ["sh", "-c", "echo why; echo because >&2; exit 2"]}, "'sh' gave 2: because"),
        ({"command": ["sh", "-c", "kill -9 $$"]}, "was ended by SIGKILL"),
        ({"command": ["no-such-program"]}, "'no-such-program' cannot be started"),
        ({"command": ["true"], "cwd": "/no/such/folder"}, "cannot be started in /no/such/folder"),
    ],
)
def test_what_goes_wrong_is_said(arguments: Any, said: str) -> None:
    with pytest.raises(NodeError, match=said):
        cm.nodes.shell({}, **arguments)


def test_much_output_is_read_to_its_end_and_kept_and_logged_up_to_a_limit(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        done = cm.nodes.shell({}, script="yes | head -c 5000000; echo end >&2", max_output=1000)
    assert (len(done.stdout), done.cut, done.stderr) == (1000, True, "end\n")
    assert len(caplog.records) == 10_002
    assert "… 2490000 more lines were not kept" in [record.message for record in caplog.records[-2:]]


def alive(marker: str) -> list[int]:
    running = psutil.process_iter(["cmdline"])
    return [process.pid for process in running if marker in " ".join(process.info["cmdline"] or [])]


@pytest.mark.parametrize("deaf", ["", "trap '' TERM; "])
def test_what_takes_too_long_is_stopped_with_all_that_it_has_started(deaf: str) -> None:
    marker = f"31{os.getpid()}"
    began = time.monotonic()
    with pytest.raises(NodeError, match=r"was stopped after 0.3 s: begun"):
        cm.nodes.shell({}, script=f"{deaf}echo begun; sleep {marker} & sleep {marker}", time_limit="300ms")
    assert time.monotonic() - began < 20
    assert alive(f"sleep {marker}") == []


def test_what_it_leaves_behind_is_stopped_when_it_ends() -> None:
    marker = f"32{os.getpid()}"
    done = cm.nodes.shell({}, script=f"sleep {marker} & echo gone")
    assert done.stdout == "gone\n"
    assert alive(f"sleep {marker}") == []


def test_it_is_stopped_when_the_run_is_cancelled() -> None:
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    with pytest.raises(NodeError, match="was cancelled"):
        cm.nodes.shell({}, command=["sleep", "600"], ctx=cm.Context(stopping=cancelled.is_set))


def test_what_it_writes_is_in_the_log_line_by_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        cm.nodes.shell({}, script="echo one; echo two; printf three", ctx=cm.Context())
    assert [record.message for record in caplog.records] == ["one", "two", "three"]


@cm.node
def jobs() -> list[Job]:
    return [Job(name="a"), Job(name="b")]


def test_it_runs_for_each_item_of_a_flow(run: Run) -> None:
    flow = cm.workflow("shell.each").then(jobs)
    command = cm.expr(lambda job: ["echo", job.name])
    done = run(flow.then(cm.nodes.shell, command=command).map(lambda done: done.stdout.strip()).build())
    assert done.output == ["a", "b"]
    assert done["shell"].logs.splitlines() == ["a", "b"]
    with pytest.raises(RunFailed, match="'false' gave 1"):
        run(flow.then(cm.nodes.shell, command=["false"]).build())

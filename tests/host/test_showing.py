"""How workflows, runs, results and differences show themselves."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import codemation as cm
from codemation.core.differing import Diff, ParamChange
from codemation.testing import Harness
from codemation.testing.plugin import harness

__all__ = ["harness"]
HOSTILE = "<script>alert(1)</script>"


class Asked(cm.Params):
    title: str = HOSTILE


@cm.node(title=HOSTILE)
def rows(params: Asked) -> list[dict[str, object]]:
    return [{"number": at, "name": HOSTILE, "long": "x" * 500} for at in range(1000)]


@cm.node
def total(rows: list[dict[str, object]]) -> int:
    return len(rows)


counting = cm.workflow("count", params=Asked).then(rows).then(total).build()


@cm.node
def broken(number: int) -> int:
    raise ValueError(HOSTILE)


def html(shown: object) -> str:
    bundle: dict[str, str] = shown._repr_mimebundle_()  # type: ignore[attr-defined]
    assert set(bundle) == {"text/plain", "text/html"}
    return bundle["text/html"]


def alone(text: str) -> bool:
    """Whether nothing is asked from outside, and nothing is executed."""
    return not re.search(r"<script|<img|<link|@import|url\(|src=|javascript:", text)


def test_a_workflow_is_its_graph() -> None:
    text = html(counting)
    assert "<svg" in text
    assert alone(text)


def test_a_run_is_its_graph_with_the_states_of_its_nodes(harness: Harness) -> None:
    run = harness.run(counting)
    text = html(run)
    assert "cm-succeeded" in text
    assert alone(text)
    assert len(text) < 60_000
    assert str(run.id) in run._repr_mimebundle_()["text/plain"]  # type: ignore[attr-defined]


def test_a_result_is_a_table_of_its_beginning_and_says_what_is_left_out(harness: Harness) -> None:
    text = html(harness.run(counting)["rows"])
    assert "990 more rows" in text
    assert "&lt;script&gt;" in text
    assert alone(text)
    assert len(text) < 20_000


def test_a_failed_run_says_why(harness: Harness) -> None:
    with pytest.raises(cm.RunFailed) as caught:
        harness.run(cm.workflow("failing", input=int).then(broken).build(), [1])
    text = html(caught.value.run)
    assert "ValueError: &lt;script&gt;" in text
    assert alone(text)


def test_a_difference_is_its_text() -> None:
    text = html(Diff(before="a", after="b", params=(ParamChange(name="x", before="<b>", after=2),)))
    assert "&lt;b&gt;" in text


def test_a_run_is_written_as_one_page_that_needs_nothing_else(harness: Harness, tmp_path: Path) -> None:
    run = harness.run(counting)
    written = run.to_html(tmp_path / "run.html")
    text = written.read_text(encoding="utf-8")
    assert alone(text)
    assert "default-src 'none'" in text
    assert "total.main" in text
    assert "@media print" in text
    assert len(text) < 80_000


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no browser")
def test_a_browser_shows_the_page_without_a_word_of_the_hostile_script(harness: Harness, tmp_path: Path) -> None:
    written = harness.run(counting).to_html(tmp_path / "run.html")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", written.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "990 more rows" in done.stdout


def test_what_is_too_large_is_counted_and_not_read(harness: Harness) -> None:
    @cm.node
    def huge() -> list[str]:
        return ["x" * 1000] * 6000

    text = html(harness.run(cm.workflow("huge").then(huge).build())["huge"])
    assert "too large to be shown here" in text
    assert "6,000" in text

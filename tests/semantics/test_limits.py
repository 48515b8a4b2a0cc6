"""What a host allows and what a workflow asks for: rows of docs/reference/semantics.md."""

from __future__ import annotations

from pathlib import Path

import pytest

import codemation as cm
from codemation.core.errors import InputError, RunFailed
from codemation.core.launch import Launch
from codemation.core.ports import Stores
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.settings import Settings


@cm.node
def same(n: int) -> int:
    return n


@pytest.mark.parametrize(("asked", "counts"), [(5, 2), (None, 2), (1, 1)])
def test_of_what_the_host_allows_and_the_workflow_asks_for_the_smaller_counts(
    stores: Stores, tmp_path: Path, asked: int | None, counts: int
) -> None:
    settings = Settings(tmp_path, {"max_items": 2, "max_activations": 2}, {})
    with App(Backend(stores=stores, close=lambda: None, describes="memory"), settings) as app:
        start = cm.workflow("w", input=int, limits=cm.Limits(items=asked, activations=asked))
        with pytest.raises(InputError, match=f"the limit is {counts}"):
            app.launch(Launch(workflow=start.then(same).build(), items=[1, 2, 3]))
        long = start.then(same).then(same, id="b").then(same, id="c").build()
        handle = app.launch(Launch(workflow=long, items=[1]))
        with pytest.raises(RunFailed, match=f"it may ask nodes to work {counts} times"):
            handle.wait()

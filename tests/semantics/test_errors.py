"""Acceptance 15: retries count, items are tried again alone, failures go where they are sent, and are followed."""

from __future__ import annotations

import pytest

import codemation as cm
from codemation.core.ports import Stores
from codemation.core.states import RunStatus
from tests.host.runtime.conftest import PATIENCE, Run

calls: list[int] = []
told: list[cm.FailedRun] = []


@pytest.fixture(autouse=True)
def nothing_yet() -> None:
    calls.clear()
    told.clear()


@cm.node(retry=cm.Retry(3, delay="10ms", jitter=False))
def ask(number: int) -> int:
    """The first item comes through at once, the second one at its last try, the third one never."""
    calls.append(number)
    if number == 3 or (number == 2 and calls.count(2) < 3):
        raise ConnectionError(f"{number} is busy")
    return number


@cm.node
def explain(failure: cm.Failure[int]) -> str:
    return f"{failure.item}: {failure.error} after {failure.attempts}"


@cm.node
def refuse(texts: list[str]) -> list[str]:
    raise LookupError(f"nobody reads {texts}")


@cm.node
def tell(failed: cm.FailedRun) -> str:
    told.append(failed)
    return failed.run


alert = cm.workflow("errors.alert", input=cm.FailedRun).map(tell).build()


def test_what_fails_is_tried_again_alone_then_goes_to_its_port_then_to_the_error_workflow(
    launch: Run, stores: Stores
) -> None:
    start = cm.workflow("errors.shop", input=int, on_failure=alert)
    flow = start.then(ask, on_error=lambda failed: failed.then(explain).then(refuse).end()).build()
    run = launch(flow, [1, 2, 3])
    with pytest.raises(cm.RunFailed, match="nobody reads"):
        run.wait(PATIENCE)
    assert {number: calls.count(number) for number in (1, 2, 3)} == {1: 1, 2: 3, 3: 3}
    assert run["ask"].output == [1, 2]
    assert run["explain"].output == ["3: 3 is busy after 3"]
    (failed,) = told
    assert (failed.run, failed.node, failed.error) == (run.id, "refuse", "LookupError")
    (row,) = stores.runs.page(workflow="errors.alert")
    assert row.status is RunStatus.SUCCEEDED

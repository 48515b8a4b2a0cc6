"""A workflow that is started when a run of another one fails: once, also after a kill in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import codemation as cm
from codemation.core.ids import RunId
from codemation.core.ports import FollowUp, RunRow, Stores
from codemation.core.signals import ErrorInfo, Failed
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.opening import asked, begin
from tests.host.runtime.conftest import PATIENCE, Run, opened

told: list[cm.FailedRun] = []


@pytest.fixture(autouse=True)
def nothing_told() -> Iterator[None]:
    told.clear()
    yield
    told.clear()


def tell(failed: cm.FailedRun) -> str:
    told.append(failed)
    return failed.run


alert = cm.workflow("shop.alert", input=cm.FailedRun).map(tell, id="tell").build()
broken = [True]


def work(number: int) -> int:
    if number < 0 and broken:
        raise ValueError("less than nothing")
    return number


shop = cm.workflow("shop.sync", input=int, on_failure=alert).map(work, id="work").build()


@pytest.fixture(autouse=True)
def breaks() -> Iterator[None]:
    broken[:] = [True]
    yield
    broken[:] = [True]


def alerts(stores: Stores) -> tuple[RunRow, ...]:
    return stores.runs.page(workflow="shop.alert")


def fail(launch: Run) -> RunHandle:
    handle = launch(shop, [1, -1])
    with pytest.raises(cm.RunFailed):
        handle.wait(PATIENCE)
    return handle


def test_it_is_given_the_failed_run_and_done_when_the_failure_is_raised(app: App, launch: Run, stores: Stores) -> None:
    handle = fail(launch)
    (failed,) = told
    assert failed == cm.FailedRun(
        run=handle.id,
        workflow="shop.sync",
        reason=handle.reason,
        node="work",
        error="ValueError",
        message="less than nothing",
        item=1,
    )
    (row,) = alerts(stores)
    assert row.status is RunStatus.SUCCEEDED
    assert app.attach(row.id).output == [handle.id]
    assert app.last is handle
    assert stores.follow_ups.due([alert.id]) == ()


def test_threads_of_the_process_see_to_it_when_nobody_waits(launch: Run, stores: Stores) -> None:
    launch(shop, [-1]).serve()
    while not told:
        pass
    assert len(alerts(stores)) == 1


ANOTHER = cm.FailedRun(run="r", workflow="w", reason="")


def left_by_the_killed(app: App) -> RunId:
    """A run that has failed in a process which did nothing more after that."""
    run, outcome = app.engine.start(shop.definition, asked(app, shop.launch([-1])))
    assert outcome.next is not None
    error = ErrorInfo(type="ValueError", message="less than nothing")
    app.engine.deliver(run, outcome.next, Failed(activation=outcome.next.activation, attempt=1, error=error))
    assert app.stores.follow_ups.due([alert.id]) == (FollowUp(run=run.id, revision=2, workflow=alert.id),)
    return run.id


@pytest.mark.parametrize("begun", [False, True])
def test_a_process_that_was_killed_in_between_leaves_it_to_the_next(
    stores: Stores, tmp_path: Path, begun: bool
) -> None:
    with opened(stores, tmp_path) as app:
        run = left_by_the_killed(app)
        if begun:  # and killed before it could say so
            record = app.lookout.followers.record(stores.follow_ups.due([alert.id])[0])
            app.launch(alert.options(key=f"failure-of:{run}:2").launch([record])).wait(PATIENCE)
    with opened(stores, tmp_path) as other:
        assert other.launch(shop.launch([5])).result(PATIENCE) == [5]
        other.lookout.followers.after(run)
    assert len(alerts(stores)) == 1
    assert [one.run for one in told] == [run]
    assert stores.follow_ups.due([alert.id]) == ()


def test_each_failure_of_a_resumed_run_is_told_once(launch: Run) -> None:
    handle = fail(launch)
    with pytest.raises(cm.RunFailed):
        handle.resume()
    broken.clear()
    handle.resume()
    assert [one.run for one in told] == [handle.id, handle.id]


def test_a_cancelled_run_is_followed_by_nothing(app: App, launch: Run, stores: Stores) -> None:
    slow = cm.workflow("shop.slow", input=int, on_failure=alert).map(work, id="work").wait("1h", id="later").build()
    handle = launch(slow, [1]).go()
    handle.cancel()
    assert handle.status is RunStatus.CANCELLED
    app.lookout.look()
    assert (told, alerts(stores)) == ([], ())


def test_a_run_whose_time_is_over_is_followed_by_it(launch: Run) -> None:
    late = cm.workflow("shop.late", input=int, on_failure=alert, timeout="0.2s").wait("1h", id="later").build()
    handle = launch(late, [1])
    with pytest.raises(cm.RunFailed):
        handle.wait(PATIENCE)
    ((node, reason),) = [(one.node, one.reason) for one in told]
    assert (node, reason) == ("", handle.reason)


def test_an_error_workflow_that_fails_starts_nothing_and_hides_nothing(launch: Run, stores: Stores) -> None:
    def refuse(failed: cm.FailedRun) -> str:
        raise LookupError(failed.run)

    mute = cm.workflow("shop.mute", input=cm.FailedRun).map(refuse, id="refuse").build()
    flow = cm.workflow("shop.unheard", input=int, on_failure=mute).map(work, id="work").build()
    with pytest.raises(cm.RunFailed, match="less than nothing"):
        launch(flow, [-1]).wait(PATIENCE)
    assert [row.status for row in stores.runs.page(workflow="shop.mute")] == [RunStatus.FAILED]
    assert stores.follow_ups.due([mute.id, flow.id]) == ()


def test_a_run_that_was_pruned_before_is_followed_by_nothing(
    app: App, launch: Run, stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    app.know(shop)
    gone = FollowUp(run=RunId("00000000-0000-7000-8000-000000000000"), revision=2, workflow=alert.id)
    app.lookout.followers.start(gone)
    assert (alerts(stores), caplog.records) == ((), [])


def test_what_cannot_be_started_is_said_and_left(app: App, stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    left_by_the_killed(app)
    other = cm.workflow("shop.alert", input=cm.FailedRun).map(tell, id="tell").build()
    once = app.launch(other.options(key=f"failure-of:{stores.follow_ups.due([alert.id])[0].run}:2").launch([ANOTHER]))
    once.wait(PATIENCE)
    app.lookout.followers.know(shop)
    app.lookout.look()
    assert '"shop.alert" could not be started after run' in caplog.text
    assert len(stores.follow_ups.due([alert.id])) == 1


def test_a_session_is_followed_by_nothing(app: App, stores: Stores) -> None:
    session = begin(app, shop.launch([-1]))
    with pytest.raises(cm.RunFailed):
        session.step()
    assert (session.status, stores.follow_ups.due([alert.id])) == (RunStatus.FAILED, ())

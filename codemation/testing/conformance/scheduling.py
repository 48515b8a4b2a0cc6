"""The contract of schedulers: whoever works on runs, the same workflows come to the same ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from codemation.core.errors import RunFailed
from codemation.core.launch import Launch
from codemation.core.states import RunStatus
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.asking import send
from codemation.host.handles import RunHandle
from codemation.testing.conformance import errands

PATIENCE = 60.0
"""Seconds after which what was waited for is taken for never; the machine may be busy."""


class SchedulerContract:
    """An app submits runs, and somebody brings them to their ends.

    The fixture `app` is an app whose runs are worked on by whatever is tested, with the workflows of
    `codemation.testing.conformance.errands` at hand wherever that is.
    """

    def _submitted(self, app: App, workflow: Workflow[Any, ...], *, key: str | None = None, **params: Any) -> RunHandle:
        return app.submit(Launch(workflow=workflow, params=errands.Load(**params), key=key))

    def _output(self, app: App, workflow: Workflow[Any, ...], **params: Any) -> Any:
        return self._submitted(app, workflow, **params).result(PATIENCE)

    def _until(self, handle: RunHandle, says: Callable[[RunHandle], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not says(handle):
            assert time.monotonic() < deadline, f"run {handle.id} is {handle.status}: {handle.reason}"
            time.sleep(0.02)

    def test_a_chain_gives_what_its_last_node_gives(self, app: App) -> None:
        """Each node sees what the one before has given."""
        assert self._output(app, errands.chain, size=10) == 90

    def test_branches_meet_again(self, app: App) -> None:
        """What is ready side by side may be worked on by anybody, and the join sees all of it."""
        assert self._output(app, errands.beside, size=5) == [10, 4]

    def test_a_failure_is_told_with_node_and_item(self, app: App) -> None:
        """The run has failed, and whoever waits for it is told why."""
        with pytest.raises(RunFailed, match="no twos here"):
            self._output(app, errands.failing)

    def test_a_failed_run_can_be_resumed(self, app: App) -> None:
        """It fails again, since nothing has changed, and what had succeeded is not done again."""
        handle = self._submitted(app, errands.failing)
        with pytest.raises(RunFailed):
            handle.wait(PATIENCE)
        revision = handle.revision
        with pytest.raises(RunFailed, match="no twos here"):
            app.resume(handle.id, errands.failing).wait(PATIENCE)
        assert app.attach(handle.id).revision > revision
        assert app.attach(handle.id)["numbers"].attempts == 1

    def test_a_retry_comes_when_its_time_has_come(self, app: App) -> None:
        """The delay is a row; whoever tries again knows which try it is."""
        assert self._output(app, errands.retrying) == 3

    def test_a_wait_is_over_when_its_time_has_come(self, app: App) -> None:
        """Nobody holds anything meanwhile."""
        assert self._output(app, errands.waiting, size=4) == 6

    def test_an_event_goes_to_who_waits_for_it(self, app: App) -> None:
        """Also to who waits only after it was sent."""
        self._send(app, "parcel 0", 5)
        handle = self._submitted(app, errands.listening, size=2)
        self._until(handle, lambda run: run.status == RunStatus.WAITING)
        self._send(app, "parcel 1", 7)
        assert handle.result(PATIENCE) == 12

    def test_a_decision_lets_a_run_go_on(self, app: App) -> None:
        """Item by item, whoever decides, in whichever process."""
        handle = self._submitted(app, errands.asking, size=2)
        self._until(handle, lambda run: run.status == RunStatus.WAITING)
        for wait, reason in zip(handle.waits, ("one", "two"), strict=True):
            handle.approve(wait, who="ann", reason=reason)
        assert handle.result(PATIENCE) == ["one", "two"]

    def test_children_work_for_their_parent(self, app: App) -> None:
        """A run for each item, and what they give comes back in order."""
        handle = self._submitted(app, errands.nesting, size=4)
        assert handle.result(PATIENCE) == 12
        assert [child.status for child in handle.children] == ["succeeded"] * 4

    def test_shards_are_joined_once(self, app: App) -> None:
        """The parts of an activation are put together in the order of its items."""
        found: Sequence[errands.Stay] = self._output(app, errands.sharded, size=40)
        assert [stay.who for stay in found] == [str(number // 2) for number in range(40)]

    def test_a_cancelled_run_stops(self, app: App) -> None:
        """Wherever its node is at work."""
        handle = self._submitted(app, errands.cancelling)
        self._until(handle, lambda run: any(row.state == "running" for row in app.stores.runs.tickets(run.id)))
        app.cancel(handle.id, who="ann", reason="enough")
        self._until(handle, lambda run: run.status == RunStatus.CANCELLED)
        assert app.stores.runs.tickets(handle.id) == ()

    def test_a_run_that_takes_too_long_fails(self, app: App) -> None:
        """The time of a run is over by the clock of the database, whoever works on it."""
        handle = self._submitted(app, errands.late)
        with pytest.raises(RunFailed):
            handle.wait(PATIENCE)

    def test_a_key_gives_one_run(self, app: App) -> None:
        """However often, and by whomever it is started."""
        first = self._submitted(app, errands.chain, key="once")
        second = self._submitted(app, errands.chain, key="once")
        assert first.id == second.id
        assert second.result(PATIENCE) == first.result(PATIENCE) == 30

    def test_a_pool_is_shared_by_all(self, app: App) -> None:
        """No two activations that need its one slot are ever at work together."""
        self._check_apart([self._submitted(app, errands.pooled, pace=0.05, who=str(number)) for number in range(4)])

    def test_runs_of_a_workflow_take_turns(self, app: App) -> None:
        """As many as it says at a time, and those that are queued come in the order in which they were started."""
        runs = [self._submitted(app, errands.queueing, pace=0.05, who=str(number)) for number in range(4)]
        assert [stay.who for stay in self._check_apart(runs)] == ["0", "1", "2", "3"]

    def test_a_failure_is_followed(self, app: App) -> None:
        """The workflow that is named for it is started once."""
        handle = self._submitted(app, errands.followed)
        with pytest.raises(RunFailed):
            handle.wait(PATIENCE)
        self._until(handle, lambda _: bool(app.stores.runs.page(workflow="errands.report")))
        (row,) = app.stores.runs.page(workflow="errands.report")
        report = app.attach(row.id)
        report.wait(PATIENCE)
        assert report.output == ["broken: no twos here"]

    def test_a_node_may_name_a_queue(self, app: App) -> None:
        """A run goes from queue to queue, as its nodes want it."""
        handle = self._submitted(app, errands.routed, who="ann")
        handle.wait(PATIENCE)
        assert handle["elsewhere"].item.who == "ann"

    def test_what_is_left_is_nothing(self, app: App) -> None:
        """When runs are over, no ticket is left, and nobody is unattended."""
        handles = [self._submitted(app, errands.beside, size=3) for _ in range(5)]
        for handle in handles:
            handle.wait(PATIENCE)
        assert [app.stores.runs.tickets(handle.id) for handle in handles] == [()] * 5
        ours = {handle.id for handle in handles}
        assert [one for one in app.stores.runs.unattended() if one.run in ours] == []

    def _check_apart(self, runs: Sequence[RunHandle]) -> list[errands.Stay]:
        stays = [run.result(PATIENCE) for run in runs]
        stays = sorted((one[0] if isinstance(one, list) else one for one in stays), key=lambda stay: stay.began)
        for before, after in pairwise(stays):
            assert before.ended <= after.began, "two were at work together"
        return stays

    def _send(self, app: App, key: str, weight: int) -> None:
        send(app, errands.shipped, key, errands.Shipped(parcel=key, weight=weight), None)

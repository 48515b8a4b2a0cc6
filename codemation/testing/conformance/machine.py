"""Random walks: stores and a model are given the same commands, and must answer and end up the same.

An adapter's test calls `walk_at_random` with a function that gives empty stores and the fixture `later` for them. Each
walk asks for new ones: adapters for which that is dear delete every row instead of making a database. It needs
hypothesis, which nothing else of this package does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from codemation.core.ids import ActivationId, TicketId
from codemation.core.ports import Chunk, Claim, Commit, Drop, GoOn, Leave, Reopening
from codemation.core.states import FINISHED, RunStatus
from codemation.testing.conformance.model import ModelRun
from codemation.testing.conformance.walk import HOUR, Ground, Walk, canonical, chosen, some
from codemation.testing.conformance.world import gone_on

MOST_RUNS = 5
POISON_AFTER = 2
STEPS = ("on", "on", "leave", "wait", "again", "drop", "end")
MOSTLY = st.sampled_from((True, True, True, False))
SELDOM = st.sampled_from((False, False, False, True))
LANES = st.sampled_from((15, 15, 15, 0, 5, 10, 12))


class RunCommands(Walk):
    """What is done to runs."""

    @initialize()
    def begin(self) -> None:
        """Start two runs, one of them in hand."""
        self.start(2, 0, held=False, who=0)
        self.start(3, 5, held=True, who=1)

    @precondition(lambda self: len(self.model.runs) < MOST_RUNS)
    @rule(count=st.integers(1, 3), shape=some, held=st.booleans(), who=some)
    def start(self, count: int, shape: int, held: bool, who: int) -> None:
        """Start a run, and lose the answer."""
        worker = chosen(self.workers, who) if held else None
        new = self.world.new_run(
            digest=chosen(self.digests, shape),
            priority=shape % 2,
            tickets=self.tickets(count, shape),
            claimed_by=worker,
        )
        assert self.stores.journal.start(new) == new.id
        assert self.stores.journal.start(new) == new.id
        self.model.start(new)
        self.begun(self.model.runs[new.id], new.tickets, worker)

    @precondition(lambda self: self.claims)
    @rule(which=some, what=st.sampled_from(STEPS), knows=MOSTLY, more=st.integers(0, 2), shape=some)
    def step(self, which: int, what: str, knows: bool, more: int, shape: int) -> None:
        """Write a revision, with a claim that may be good and a revision that may be the latest."""
        self.write(self.claim_at(which), what, knows=knows, more=more, shape=shape)

    def write(self, claim: Claim, what: str, *, knows: bool, more: int, shape: int) -> None:
        """Write a revision with a claim."""
        run = self.model.runs[claim.run]
        commit = self._commit(claim, run, what, knows=knows)
        if commit.status not in FINISHED:
            commit = replace(commit, more=self.tickets(more, shape))
        letters = self.stores.inbox.pending(run.id)[: shape % 4] if claim.is_fold else ()
        commit = replace(commit, consumed=tuple(letter.id for letter in letters))
        expected = self.is_good(claim) and self.model.allows(commit)
        if claim.is_fold or shape % 2:
            assert self.stores.journal.step(commit) == expected
        else:
            assert self.stores.journal.steps([commit]) == ({commit.new_head} if expected else set())
        if not expected:
            return
        self.model.step(commit, [canonical(letter.body) for letter in letters])
        if isinstance(commit.then, GoOn) and commit.status not in FINISHED:
            self.claims.append(gone_on(claim, commit.then.activation))

    def _commit(self, claim: Claim, run: ModelRun, what: str, *, knows: bool) -> Commit:
        commit = Commit(
            run=run.id,
            holding=claim.holding,
            revision=len(run.deltas) if knows else len(run.deltas) - 1,
            head=run.heads[-1] if knows else run.heads[max(0, len(run.heads) - 2)],
            new_head=self.world.head(),
            delta=self.world.delta(f"d/{len(run.deltas)}"),
        )
        if claim.is_fold:
            return replace(commit, cancelling=run.stop, status=RunStatus.CANCELLED if run.stop else RunStatus.RUNNING)
        others = [one for one in self.stores.runs.tickets(run.id) if one.state == "running"]
        if what == "end" and all(one.id == claim.holding.ticket for one in others):
            return replace(commit, status=(RunStatus.SUCCEEDED, RunStatus.FAILED)[len(run.deltas) % 2])
        following = ActivationId(f"f/{self.made}/{len(run.deltas)}")
        match what:
            case "on" | "end":
                return replace(commit, then=GoOn(activation=following))
            case "leave":
                return replace(commit, then=Leave(activation=following, queue="slow", priority=1))
            case "wait":
                return replace(commit, then=Leave(activation=following, delay=2 * HOUR), status=RunStatus.WAITING)
            case "again":
                return replace(commit, then=Leave(activation=claim.activation, queue=claim.queue, delay=HOUR))
            case _:
                return replace(commit, then=Drop())

    @precondition(lambda self: self.model.runs)
    @rule(which=some, knows=SELDOM)
    def cancel(self, which: int, knows: bool) -> None:
        """Ask a run to stop."""
        run = self.run_at(which)
        row, head, delta = self.world.row(run.id), self.world.head(), self.world.delta("cancel/1")
        row = row if knows else replace(row, head=head)
        expected = knows and not run.stop and run.status not in FINISHED
        assert self.stores.journal.cancel(run.id, row, head, delta, TicketId(self.world.number())) == expected
        if expected:
            self.model.cancel(run, head, delta)
            assert all(fold.state != "waiting" for fold in self.folds(run.id))

    @precondition(lambda self: any(run.status in FINISHED for run in self.model.runs.values()))
    @rule(which=some, knows=MOSTLY, held=st.booleans(), who=some)
    def reopen(self, which: int, knows: bool, held: bool, who: int) -> None:
        """Let a run go on, perhaps with another definition."""
        run = self.run_at(which)
        worker = chosen(self.workers, who) if held else None
        reopening = Reopening(
            run=run.id,
            revision=len(run.deltas),
            head=run.heads[-1] if knows else self.world.head(),
            new_head=self.world.head(),
            delta=self.world.delta("again/1"),
            digest=chosen(self.digests, who),
            tickets=self.tickets(1 + who % 2, who),
            claimed_by=worker,
        )
        expected = knows and run.status in (RunStatus.FAILED, RunStatus.CANCELLED)
        assert self.stores.journal.reopen(reopening) == expected
        if expected:
            self.model.reopen(reopening)
            self.begun(run, reopening.tickets, worker)

    @precondition(lambda self: self.model.runs)
    @rule(which=some, key=st.sampled_from("abc"))
    def post(self, which: int, key: str) -> None:
        """Leave a letter."""
        run = self.run_at(which)
        body = canonical(json.dumps({"key": key, "at": len(run.deltas)}))
        expected = run.status not in FINISHED and key not in run.keys
        assert self.world.post(run.id, key, body) == expected
        if expected:
            run.letters.append(body)
            run.keys.append(key)
            assert all(fold.state != "waiting" for fold in self.folds(run.id))


class TicketCommands(RunCommands):
    """What is done to tickets."""

    @rule(who=some, lanes=LANES, which=st.none() | st.none() | some)
    def claim(self, who: int, lanes: int, which: int | None) -> None:
        """Claim the most urgent ticket of some lanes, or a certain one."""
        worker = chosen(self.workers[-4:], who)
        served = [lane for number, lane in enumerate(self.lanes) if lanes >> number & 1]
        live = [row.id for run in self.model.runs for row in self.stores.runs.tickets(run)]
        ticket = chosen(live, which) if live and which is not None else None
        candidates = [one.id for one in self.model.candidates(worker, served, ticket)]
        folds = [fold.id for fold in self.all_folds("ready") if ticket in (None, fold.id)]
        claim = self.stores.tickets.claim(worker, served, ticket)
        if worker in self.model.buried:
            assert claim is None
        elif claim is None:
            assert not candidates
            assert not folds
        else:
            assert claim.holding.ticket in (folds if claim.is_fold else candidates)
            self.claims.append(claim)
            if not claim.is_fold:
                self.model.claimed(claim)

    @rule(who=some, lanes=LANES, what=st.sampled_from(STEPS), more=st.integers(0, 2), shape=some)
    def work(self, who: int, lanes: int, what: str, more: int, shape: int) -> None:
        """Claim, and write a revision at once, as workers do."""
        before = len(self.claims)
        self.claim(who, lanes, None)
        if len(self.claims) > before:
            self.write(self.claims[-1], what, knows=True, more=more, shape=shape)

    @precondition(lambda self: self.claims)
    @rule(which=st.lists(some, min_size=1, max_size=3))
    def hand_back(self, which: list[int]) -> None:
        """Give tickets back, with claims that may be good."""
        claims = [self.claim_at(number) for number in which]
        good = {claim.holding: claim for claim in claims if self.is_good(claim)}
        assert self.stores.tickets.hand_back([claim.holding for claim in claims]) == len(good)
        for holding in good:
            ticket = self.model.holds(holding)
            if ticket is not None:
                self.model.hand_back(ticket)

    @precondition(lambda self: self.claims)
    @rule(who=st.lists(some, min_size=1, max_size=2), dies=SELDOM)
    def take_over(self, who: list[int], dies: bool) -> None:
        """Take over from workers, some of which live."""
        dead = list(dict.fromkeys(self.claim_at(number).holding.worker for number in who))
        if dies and dead[0] not in self.model.buried:
            self.stores.workers.bury(dead[:1])
            self.model.buried.add(dead[0])
            self.workers.append(self.world.worker())
        held = [fold for fold in self.all_folds("running") if fold.worker in dead]
        folds = sum(not self.model.is_over(fold.run) for fold in held)
        taken = self.stores.tickets.take_over(dead, POISON_AFTER)
        released, stopped, poisoned = self.model.take_over(dead, POISON_AFTER)
        assert taken.released == released + folds
        assert set(taken.stopped) == stopped
        assert {activation for _, activation, _ in taken.poisoned} == poisoned
        for run, activation, times in taken.poisoned:
            assert times == POISON_AFTER
            body = {"kind": "Lost", "activation": activation, "times": times}
            self.model.runs[run].letters.append(canonical(json.dumps(body)))
            self.model.runs[run].keys.append(f"lost:{activation}")

    @precondition(lambda self: self.claims)
    @rule(which=some, hours=st.integers(1, 3))
    def postpone(self, which: int, hours: int) -> None:
        """Put a ticket off, with a claim that may be good."""
        claim = self.claim_at(which)
        good, ticket = self.is_good(claim), self.model.holds(claim.holding)
        assert self.stores.tickets.postpone(claim.holding, hours * HOUR) == good
        if ticket is not None:
            self.model.postpone(ticket, hours * HOUR)

    @precondition(lambda self: any(one.state == "waiting" for one in self.model.tickets.values()))
    @rule(hours=st.integers(0, 3), fires=MOSTLY)
    def wait(self, hours: int, fires: bool) -> None:
        """Let time pass, and perhaps make ready what is due."""
        self.pass_by(hours * HOUR)
        self.model.now += hours * HOUR
        if fires:
            self.fire()

    def fire(self) -> None:
        """Make ready what is due."""
        soon = self.stores.tickets.fire()
        rows = {row.id: row.state for run in self.model.runs for row in self.stores.runs.tickets(run)}
        for ticket in self.model.fire():
            ticket.state = rows[ticket.id]
        if any(one.state == "waiting" and not one.stop for one in self.model.tickets.values()):
            assert soon is not None
            assert soon >= 0

    @precondition(lambda self: self.claims)
    @rule(which=some, number=st.integers(0, 2))
    def save_progress(self, which: int, number: int) -> None:
        """Record progress, with a claim that may be good."""
        claim = self.claim_at(which)
        if claim.is_fold:
            return
        chunk = Chunk(number=number, items=(number, which), data=b"%d" % which)
        good, ticket = self.is_good(claim), self.model.holds(claim.holding)
        assert self.stores.tickets.save_progress(claim.holding, claim.activation, chunk) == good
        if ticket is not None:
            ticket.chunks[number] = chunk.data


def walk_at_random(
    ground: Callable[[], Ground], *, walks: int = 100, commands: int = 40, simplify: bool = True
) -> None:
    """Give stores and model the same commands, on so many walks of at most so many commands each.

    When they differ, the walk is repeated with fewer commands until it cannot be simpler, which takes minutes on a
    database over a network. Without `simplify` it is not, and the walks are the same each time.
    """
    machine = type("RandomWalk", (TicketCommands,), {"ground": staticmethod(ground)})
    calm = settings(
        max_examples=walks, stateful_step_count=commands, deadline=None, suppress_health_check=list(HealthCheck)
    )
    quick = settings(calm, phases=[Phase.generate], database=None, derandomize=True)
    run_state_machine_as_test(machine, settings=calm if simplify else quick)

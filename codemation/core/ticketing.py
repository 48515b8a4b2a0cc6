"""The tickets that a step leads to: for what is due, for what is waited for, and what becomes of the claim's own."""

from __future__ import annotations

from codemation.core.definition import Plan
from codemation.core.ids import ActivationId, RunId, TicketId, node_of
from codemation.core.means import Means
from codemation.core.outcome import SESSION
from codemation.core.ports import Claim, Drop, GoOn, Leave, NewTicket, WaitTicket
from codemation.core.settling import Step
from codemation.core.snapshot import Snapshot


class Ticketing:
    """Makes tickets."""

    def __init__(self, means: Means) -> None:
        self._entropy = means.entropy

    def new(self) -> TicketId:
        """An id for a ticket."""
        return TicketId(self._entropy())

    def for_due(self, plan: Plan, due: tuple[ActivationId, ...], *, session: bool) -> tuple[NewTicket, ...]:
        """A ticket for each activation that is due, the most urgent first."""
        if not due:
            return ()
        policies = [(activation, plan.nodes[node_of(activation)].policy) for activation in due]
        if len(due) > 1:
            policies.sort(key=lambda one: -one[1].priority)
        return tuple(
            [
                NewTicket(
                    id=self.new(),
                    activation=activation,
                    queue=SESSION if session else policy.queue,
                    priority=policy.priority,
                    pool=policy.pool,
                )
                for activation, policy in policies
            ]
        )

    def waits(self, run: RunId, claim: Claim, step: Step) -> tuple[WaitTicket, ...]:
        """A ticket for each thing that the claim's activation waits for."""
        return tuple(
            WaitTicket(
                id=self.new(),
                activation=claim.activation,
                wait=wait.key,
                kind=wait.kind,
                wait_key=wait.wait_key(run, claim.activation),
                delay=wait.delay,
                until=wait.until,
                detail=wait.detail,
            )
            for wait in step.waits
        )

    def then(self, snapshot: Snapshot, claim: Claim, step: Step) -> tuple[GoOn | Leave | Drop, tuple[NewTicket, ...]]:
        """What becomes of the claim's ticket, and the tickets beside it.

        The most urgent due activation of the same queue is gone on with, among equals the first; but what needs a slot
        is claimed by itself, and whoever has one gives it back.
        """
        plan, session = snapshot.plan, snapshot.session
        if claim.is_fold:
            return Drop(), self.for_due(plan, step.due, session=session)
        if step.retry_in is not None:
            queue, priority = claim.queue, claim.priority
            return Leave(activation=claim.activation, queue=queue, priority=priority, delay=step.retry_in), ()
        own = plan.nodes.get(node_of(claim.activation))
        if not step.due or (own is not None and own.policy.pool):
            return Drop(), self.for_due(plan, step.due, session=session)
        same, urgent = None, 0
        for one in step.due:
            policy = plan.nodes[node_of(one)].policy
            ours = (session or policy.queue == claim.queue) and not policy.pool
            if ours and (same is None or policy.priority > urgent):
                same, urgent = one, policy.priority
        if same is None:
            return Drop(), self.for_due(plan, step.due, session=session)
        if len(step.due) == 1:
            return GoOn(activation=same), ()
        return GoOn(activation=same), self.for_due(
            plan, tuple([one for one in step.due if one != same]), session=session
        )

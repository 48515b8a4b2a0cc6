"""The journal alone: the statements of a run, sent as the engine sends them, with nothing before and after them.

What lies between it and the floor is what the protocol costs; what lies between it and ours is everything in Python.
"""

from __future__ import annotations

from codemation.core.ids import ActivationId, Head, TicketId
from codemation.core.ports import Commit, Drop, GoOn, Holding, NewRun, NewTicket
from codemation.core.states import RunStatus
from codemation.core.workflow import Workflow
from codemation.host.default_app import default_app
from codemation.host.identity import entropy, new_run_id


class JournalAlone:
    """Writes again and again what a run of a chain has written."""

    def __init__(self, workflow: Workflow) -> None:
        """Run the chain once, to see what it writes."""
        app = default_app()
        self._app = app
        self._workflow = workflow
        run = workflow.run()
        _, entries = app.stores.journal.load(run.id)
        self._deltas = [entry.delta for entry in entries]
        self._nodes = [ActivationId(f"{node}#1") for node in workflow.nodes]
        self._output = b"." * 40

    def chain(self) -> None:
        """One run."""
        journal, worker = self._app.stores.journal, self._app.engine.worker
        run, ticket, head = new_run_id(), TicketId(entropy()), Head(entropy())
        first, *rest = self._deltas
        journal.start(
            NewRun(
                id=run,
                workflow=self._workflow.id,
                digest=self._workflow.digest,
                params="{}",
                head=head,
                delta=first,
                output=self._output,
                tickets=(NewTicket(id=ticket, activation=self._nodes[0]),),
                claimed_by=worker,
            )
        )
        for number, delta in enumerate(rest, start=1):
            last, new_head = number == len(rest), Head(entropy())
            stands = journal.step(
                Commit(
                    run=run,
                    holding=Holding(ticket=ticket, worker=worker, fence=number),
                    revision=number,
                    head=head,
                    new_head=new_head,
                    delta=delta,
                    output=self._output,
                    then=Drop() if last else GoOn(activation=self._nodes[number]),
                    status=RunStatus.SUCCEEDED if last else RunStatus.RUNNING,
                    progressed=False,
                )
            )
            assert stands
            head = new_head

"""What a handle of a run says of what the run waits for and how its holder answers, and of its parent and children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codemation.core.ids import RunId
from codemation.host import asking, links
from codemation.host.asking import RunWait

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.handles import RunHandle


class Asked:
    """A run that may be asked what it waits for, and whom it lets work."""

    app: App

    @property
    def id(self) -> RunId:
        """Names the run."""
        raise NotImplementedError

    @property
    def parent(self) -> RunHandle | None:
        """The run that has started this one to let it do some of its work."""
        parent = self.app.engine.open(self.id).snapshot.parent
        return self.app.attach(RunId(parent.partition("/")[0])) if parent else None

    @property
    def children(self) -> list[RunHandle]:
        """The runs that this one has started to let them do some of its work, oldest first."""
        engine = self.app.engine
        return [self.app.attach(row.id) for row in engine.persist(engine.stores.children.of, self.id)]

    @property
    def waits(self) -> list[RunWait]:
        """What the run waits for: times, decisions, events; the most pressing first."""
        return asking.waits_of(self.app, self.app.engine.open(self.id))

    def approve(self, wait: RunWait | str | None = None, /, *, who: str | None = None, **fields: Any) -> None:
        """Approve what is asked: a wait, a node of which one is open, or the only one; `fields` fill in its form.

        Raises:
            AlreadyDecided: somebody was faster.
            DecisionExpired: the time is over.
            InvalidDecision: the fields do not fit the form.
        """
        asking.decide(self.app, asking.chosen(self.waits, wait), approved=True, who=who, fields=fields)

    def reject(self, wait: RunWait | str | None = None, /, *, who: str | None = None, **fields: Any) -> None:
        """Reject what is asked; takes and raises what `approve` does."""
        asking.decide(self.app, asking.chosen(self.waits, wait), approved=False, who=who, fields=fields)

    def decision_token(self, wait: RunWait | str | None = None, /, *, who: str) -> str:
        """What entitles `who` to decide what is asked, once; takes what `approve` does.

        Raises:
            UnknownWait: nothing of the kind is asked.
        """
        return links.link_token(self.app.settings.links, asking.chosen(self.waits, wait), who)

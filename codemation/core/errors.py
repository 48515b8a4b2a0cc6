"""Every error that codemation raises; the branch says whose fault it is.

CodemationError
├── AuthorError          the workflow as written cannot work           core/mistakes.py
├── InputError           what was given to a run does not fit          (params, items)
├── NodeError            a node failed while it worked
│   ├── Unstorable       it returned something that cannot be stored   core/values
│   ├── ContractError    what reached it does not fit its annotations
│   └── LimitExceeded    it gave more than a run may hold
├── RunError             a run cannot do what was asked
│   ├── RunFailed        the run ended in failure
│   ├── RunCancelled     the run was cancelled
│   ├── RunInTheWay      no further run is started beside those that there are
│   ├── UnknownRun       no run has that id
│   ├── UnknownWait      nothing waits that is called so
│   ├── AlreadyDecided   somebody has decided before
│   ├── DecisionExpired  the time to decide is over
│   ├── InvalidDecision  what was decided does not fit the form
│   ├── InvalidLink      the link entitles nobody to decide
│   ├── UnreadableRun    what is stored of the run means nothing here
│   ├── AmbiguousStart   several nodes could be meant to begin at
│   ├── SourcePruned     what is to be taken over is not there any more
│   └── DefinitionDrift  the code has changed since the run started
└── HostError            the machine, the database or the set-up
    ├── StoreUnavailable the database does not answer
    ├── SchemaMismatch   the database has another schema
    └── PayloadLost      a payload cannot be read or written
"""

from __future__ import annotations

import inspect


class CodemationError(Exception):
    """Something went wrong in codemation."""

    def __init__(self, message: str | None = None, *, way_out: str = "") -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or "")
        self.way_out = way_out
        super().__init__(self.message if not way_out else f"{self.message}\n→ {way_out}")


class InputError(CodemationError):
    """What was given to the run does not fit its workflow."""


class NodeError(CodemationError):
    """A node failed while it worked."""


class ContractError(NodeError):
    """What reached a node does not fit its annotations."""


class LimitExceeded(NodeError):
    """A node gave more than a run may hold."""


class RunError(CodemationError):
    """The run cannot do what was asked."""


class UnknownRun(RunError):
    """No run has that id."""


class RunInTheWay(RunError):
    """No further run is started beside those that there are; `run` is the id of the one that has begun first."""

    def __init__(self, message: str, *, run: str = "", way_out: str = "") -> None:
        super().__init__(message, way_out=way_out)
        self.run = run


class UnreadableRun(RunError):
    """What is stored of the run means nothing to this release of codemation."""


class AmbiguousStart(RunError):
    """Several nodes could be meant to begin at, or to end at."""


class UnwantedChild(RunError):
    """Nobody waits for the child run that was to be started, or somebody else has started it."""


class ChildFailed(NodeError):
    """A run of a sub-workflow has failed, or was cancelled."""

    def __init__(self, message: str, *, run: str = "", way_out: str = "") -> None:
        super().__init__(message, way_out=way_out)
        self.run = run
        """The id of the child."""


class SourcePruned(RunError):
    """What is to be taken over from another run is not there any more."""


class DefinitionDrift(RunError):
    """The code of the workflow has changed since the run started."""


class UnknownWait(RunError):
    """Nothing waits that is called so."""

    status = 404


class AlreadyDecided(RunError):
    """Somebody has decided before."""

    status = 409


class DecisionExpired(RunError):
    """The time to decide is over."""

    status = 410


class InvalidDecision(RunError):
    """What was decided does not fit the form."""

    status = 422


class InvalidLink(RunError):
    """The link does not entitle anybody to decide."""

    status = 403


class HostError(CodemationError):
    """The machine, the database or the set-up does not allow it."""


class StoreUnavailable(HostError):
    """The database does not answer."""


class SchemaMismatch(HostError):
    """The database has another schema than this release of codemation."""


class PayloadLost(HostError):
    """A stored payload cannot be read or written."""


class RunFailed(RunError):
    """The run ended in failure; `run` is the handle of it."""

    def __init__(self, message: str, *, run: object = None, way_out: str = "") -> None:
        super().__init__(message, way_out=way_out)
        self.run = run


class RunCancelled(RunError):
    """The run was cancelled; `run` is the handle of it."""

    def __init__(self, message: str, *, run: object = None, way_out: str = "") -> None:
        super().__init__(message, way_out=way_out)
        self.run = run


class RunPaused(KeyboardInterrupt):
    """Ctrl-C while a run was worked on here: its work was handed back, and anybody may go on with it."""

    def __init__(self, run: str) -> None:
        super().__init__(f"run {run} is paused; go on with it: codemation runs resume {run}")
        self.run = run

"""What an activation waits for in the world, and what the world answers. Plain data.

How a kind of wait comes about: whoever performs an activation ends it with the signal `Suspended`, which carries a
`Wait` for each thing that is waited for. The step that records it leaves one waiting ticket for each. Whoever has an
answer takes that ticket and leaves a letter, in one statement, so that each wait is answered once; the fold turns the
letter into a fact that carries the `Answer`. When the last wait of an activation is answered, the same activation is
due again, and whoever performs it then finds the answers in `Snapshot.answers`.

So a kind of wait needs: a name in `WaitKind`, a signal with an `answer`, a letter that is read as that signal, and
somebody who takes the ticket. It can be answered before it is recorded only if the answer lies somewhere meanwhile: as
events do, whose waits look for them as soon as they are recorded (`Events.meet`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from codemation.core.ids import ActivationId, RunId
from codemation.core.items import Batch

WaitKind: TypeAlias = Literal["timer", "approval", "event", "child"]
Reply: TypeAlias = Literal["fired", "approved", "rejected", "arrived", "ended", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One thing that an activation waits for."""

    key: str
    """Names it within the activation: the position of the item, or nothing where one wait stands for all."""
    kind: WaitKind
    wakes: str = ""
    """What wakes it: `<name>:<key>` of an event. Where this says nothing, its own address does."""
    delay: float | None = None
    """Seconds after which its time is over."""
    until: float | None = None
    """When its time is over, in seconds since 1970; the later of the two where both are said."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What people are shown, as small JSON."""

    def wait_key(self, run: RunId, activation: ActivationId) -> str | None:
        """What the waiting ticket is found by; `None` for what only a time wakes."""
        if self.kind == "timer":
            return None
        return self.wakes or address(run, activation, self.key)


DEADLINE = "deadline"
"""The wait of a run as a whole for the end of its time; it stands at what the run was given."""


def address(run: RunId, activation: ActivationId, key: str) -> str:
    """Names a wait among those of all runs; survives being asked again after a resume."""
    return f"{run}/{activation}/{key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the world has said to one wait."""

    reply: Reply
    at: float = 0.0
    """In seconds since 1970, by the clock of the database."""
    who: str = ""
    body: Any = None
    """As JSON, and small."""
    outputs: Mapping[str, Batch] = field(default_factory=dict)
    """What a child run has given."""


def again(answer: Answer) -> Answer:
    """What is known of a wait when its activation is tried again: a child that has failed is left to go on with."""
    failed = answer.reply == "ended" and (answer.body or {}).get("status") != "succeeded"
    return replace(answer, reply="left") if failed else answer


CHILD = "child"
"""Where the detail of a wait for a child names it."""


def noted(wait: Wait) -> Wait:
    """The wait as the journal keeps it: of a child its id, and nothing of what it is started with."""
    return replace(wait, detail={CHILD: wait.detail.get(CHILD, "")}) if wait.kind == "child" else wait


def left(waits: Mapping[str, Wait]) -> dict[str, Answer]:
    """What is known of waits when their run is over before they are: the children are left to go on with."""
    named = {key: str(wait.detail.get(CHILD, "")) for key, wait in waits.items() if wait.kind == "child"}
    return {key: Answer(reply="left", who=child) for key, child in named.items()}

"""Breadth-first exploration of every interleaving of a small model.

Theory of operation. A model is a set of actors that share one world. Its state is one hashable value; `moves` lists
everything that could happen next, whoever does it. The exploration visits each reachable state once, nearest first,
so no way to a flaw is shorter than the one it reports. Three kinds of flaw are looked for:

* a *violation*: a state that must never be, however it came about (a result recorded twice);
* an *unsettled rest*: nobody owes a move any more, and a promise is not kept (an unfinished run that nobody will
  touch);
* a *circle*: moves are owed for ever, but none of them leads to a rest (two actors that undo each other's work).

A move is either *owed* (a live process will make it sooner or later) or a *fault* (a kill, a loss, an operator's
whim). A fault may happen and is never owed: a protocol that only a fault saves is broken, so rest and circle are
judged by owed moves alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Generic[State]):
    """One thing that can happen: what it is called, the state after it, and whether it is a fault (never owed)."""

    label: str
    after: State
    fault: bool = False


class Model(Protocol[State]):
    """What an exploration needs to know of a protocol."""

    def initial(self) -> State:
        """Return the state in which the story begins."""

    def moves(self, state: State) -> Iterable[Move[State]]:
        """List every move that any actor, or any fault, can make from here."""

    def violation(self, state: State) -> str | None:
        """Say what must never be and is, or None."""

    def unsettled(self, state: State) -> str | None:
        """Say which promise is not kept when nobody owes a move any more, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A promise that the model breaks, with a shortest way to get there."""

    promise: str
    trace: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{number:3d}. {label}" for number, label in enumerate(self.trace, start=1)]
        return "\n".join([f"{self.promise} (after {len(self.trace)} moves)", *lines])


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What an exploration found: how many states it visited, and the nearest flaw if there is one."""

    states: int
    flaw: Flaw | None

    def __str__(self) -> str:
        return f"{self.states} states: {'clean' if self.flaw is None else self.flaw}"


class TooManyStates(Exception):
    """The exploration met its limit before it had seen every state, so it can promise nothing."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} states: give the model smaller fault budgets, or raise the limit")


class _Exploration(Generic[State]):
    """The states met so far, numbered in the order of discovery, and how each was reached."""

    def __init__(self, model: Model[State], limit: int) -> None:
        self.model = model
        self.limit = limit
        self.numbers: dict[State, int] = {}
        self.reached: list[tuple[int, str]] = []
        self.owed_from: list[list[int]] = []
        self.resting: list[int] = []
        self.queue: deque[State] = deque()

    def discover(self, state: State, *, origin: int, label: str) -> int:
        """Return the number of a state, queueing it if it is new."""
        number = self.numbers.setdefault(state, len(self.reached))
        if number == len(self.reached):
            if number == self.limit:
                raise TooManyStates(self.limit)
            self.reached.append((origin, label))
            self.owed_from.append([])
            self.queue.append(state)
        return number

    def visit(self, state: State) -> str | None:
        """Expand one state; return the promise that it breaks, if it breaks one."""
        here = self.numbers[state]
        broken = self.model.violation(state)
        if broken is not None:
            return broken
        owed = False
        for move in self.model.moves(state):
            there = self.discover(move.after, origin=here, label=move.label)
            if not move.fault:
                owed = True
                self.owed_from[there].append(here)
        if owed:
            return None
        self.resting.append(here)
        return self.model.unsettled(state)

    def circle(self) -> int | None:
        """Return the nearest state from which owed moves alone never lead to a rest."""
        settles = bytearray(len(self.reached))
        pending = list(self.resting)
        while pending:
            number = pending.pop()
            if not settles[number]:
                settles[number] = 1
                pending.extend(self.owed_from[number])
        nearest = settles.find(0)
        return None if nearest < 0 else nearest

    def trace(self, number: int) -> tuple[str, ...]:
        """Return the labels of a shortest way to a state."""
        labels: list[str] = []
        while number != 0:
            number, label = self.reached[number]
            labels.append(label)
        return tuple(reversed(labels))


def explore(model: Model[State], *, limit: int = 400_000) -> Finding:
    """Visit every reachable state and return the nearest flaw.

    Raises:
        TooManyStates: the model has more than `limit` states.
    """
    search = _Exploration(model, limit)
    search.discover(model.initial(), origin=0, label="")
    while search.queue:
        state = search.queue.popleft()
        broken = search.visit(state)
        if broken is not None:
            trace = search.trace(search.numbers[state])
            return Finding(states=len(search.reached), flaw=Flaw(promise=broken, trace=trace))
    circle = search.circle()
    if circle is not None:
        flaw = Flaw(promise="from here the owed moves never come to a rest", trace=search.trace(circle))
        return Finding(states=len(search.reached), flaw=flaw)
    return Finding(states=len(search.reached), flaw=None)

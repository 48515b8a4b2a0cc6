"""What the journal holds: facts to apply, never signals to decide again, and their compact spelling."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import msgspec

from codemation.core.ids import ActivationId, NodeId
from codemation.core.items import EMPTY, Batch
from codemation.core.limits import UNLIMITED, Limits
from codemation.core.sealed import sealed
from codemation.core.signals import ErrorInfo, error_row
from codemation.core.spelling import (
    answer_row,
    batch_row,
    outputs_row,
    read_answer,
    read_batch,
    read_outputs,
    read_wait,
    wait_row,
)
from codemation.core.standing import Standing, read_standing, standing_row
from codemation.core.states import RunStatus
from codemation.core.waits import Answer, Wait


@sealed
class Began:
    """The run has its input, and may use so much."""

    input: Batch
    session: bool = False
    """It goes on only when somebody says so, and may go back."""
    source: str = ""
    """The run that this one is a replay of."""
    limits: Limits = UNLIMITED
    """What it may use at the most."""
    parent: str = ""
    """The address of the wait that its end answers, if it is a child."""
    depth: int = 0
    """How many runs stand above it."""
    fresh: bool = False
    """Nothing is taken from other runs: all that is due is executed."""


@sealed
class Done:
    """A node has given its outputs. A batch without a `ref` is stored beside this very fact."""

    activation: ActivationId
    outputs: Mapping[str, Batch]
    attempt: int = 1
    milliseconds: int = 0
    items: int = 0
    failures: int = 0
    how: str = ""
    """`cached:<run>` where the outputs are what another run has recorded."""


@sealed
class Skipped:
    """Nothing reached these nodes."""

    nodes: tuple[NodeId, ...]
    why: str = ""
    """Said where it does not matter what reaches them."""


@sealed
class Due:
    """These activations may be worked on."""

    activations: tuple[ActivationId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """An activation failed and is tried again after `delay` seconds as number `attempt`."""

    activation: ActivationId
    attempt: int
    delay: float
    error: ErrorInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An activation is suspended until each of these waits is answered."""

    activation: ActivationId
    attempt: int
    waits: tuple[Wait, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A wait of an activation is over."""

    activation: ActivationId
    wait: str
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Broke:
    """An activation failed for good."""

    activation: ActivationId
    attempt: int
    error: ErrorInfo
    milliseconds: int = 0
    partial: Batch = EMPTY
    """Items that were finished before, as a payload of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelling:
    """Somebody asked the run to stop; nothing is claimed from now on."""

    who: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """A finished run goes on; `digest` names the definition that it moved to, if it did, and `was` the one before."""

    who: str = ""
    digest: str = ""
    was: str = ""


@sealed
class Ended:
    """The run is over."""

    status: RunStatus
    reason: str = ""


Fact = Began | Done | Skipped | Due | Retrying | Waiting | Answered | Broke | Cancelling | Reopened | Ended | Standing
Delta = tuple[Fact, ...]


_encode = json.JSONEncoder(separators=(",", ":")).encode
_fast = msgspec.json.Encoder().encode
"""Several times as quick, but not for every text and number that people can give."""
_OURS = frozenset({Done, Due, Skipped})
"""Facts that hold nothing but ids and counts."""
_LARGE = 2**53


def encode_delta(delta: Delta) -> bytes:
    """The facts of one revision as compact JSON."""
    rows = [_row(fact) for fact in delta]
    ours = _OURS.issuperset(map(type, delta)) or all(map(_is_ours, delta))
    return _fast(rows) if ours else _encode(rows).encode()


def _is_ours(fact: Fact) -> bool:
    """Whether a fact holds nothing but ids and counts, that is no text of a person's and no number without bound."""
    kind = type(fact)
    if kind is Began:
        return max(fact.limits.to_json().values(), default=0) < _LARGE  # type: ignore[union-attr]
    return kind in _OURS or (kind is Ended and not fact.reason)  # type: ignore[union-attr]


def decode_delta(data: bytes) -> Delta:
    """The facts that `encode_delta` wrote.

    Raises:
        ValueError: it did not write this, or a newer release did.
    """
    try:
        return tuple(_fact(row) for row in json.loads(data))
    except (TypeError, AttributeError) as error:  # JSON of another shape
        raise ValueError(f"the journal holds what is no fact: {error}") from error


def _began_rest(fact: Began) -> list[Any]:
    """What is said of a beginning beside its input, as far as there is anything to say."""
    rest: list[Any] = [int(fact.session), fact.source, fact.limits.to_json(), fact.parent, fact.depth, int(fact.fresh)]
    while rest and not rest[-1]:
        rest.pop()
    return rest


def _row(fact: Fact) -> list[Any]:
    match fact:
        case Done():
            row = ["ok", fact.activation, outputs_row(fact.outputs), fact.milliseconds, fact.items]
            if fact.how:
                return [*row, fact.attempt, fact.failures, fact.how]
            return row if fact.attempt == 1 and not fact.failures else [*row, fact.attempt, fact.failures]
        case Due():
            return ["due", *fact.activations]
        case Skipped():
            return ["pass", fact.why, *fact.nodes] if fact.why else ["skip", *fact.nodes]
        case Began():
            return ["begin", batch_row(fact.input), *_began_rest(fact)]
        case Retrying():
            return ["retry", fact.activation, fact.attempt, fact.delay, error_row(fact.error)]
        case Waiting() | Answered():
            return _waiting_row(fact)
        case Broke():
            row = ["broke", fact.activation, fact.attempt, error_row(fact.error), fact.milliseconds]
            return [*row, batch_row(fact.partial)] if fact.partial.size else row
        case Cancelling() | Reopened() | Ended():
            return _turn_row(fact)
        case _:
            return standing_row(fact)


def _turn_row(fact: Cancelling | Reopened | Ended) -> list[Any]:
    match fact:
        case Ended():
            return ["end", fact.status.value, fact.reason]
        case Cancelling():
            return ["cancel", fact.who, fact.reason]
        case Reopened():
            return ["reopen", fact.who, fact.digest, fact.was]
        case _:
            assert_never(fact)


def _fact(row: list[Any]) -> Fact:
    match row:
        case ["ok", activation, outputs, milliseconds, items, *rest]:
            attempt, failures, *how = rest or (1, 0)
            return Done(
                activation=activation,
                outputs=read_outputs(outputs),
                attempt=attempt,
                milliseconds=milliseconds,
                items=items,
                failures=failures,
                how=how[0] if how else "",
            )
        case ["due", *activations]:
            return Due(activations=tuple(activations))
        case ["skip", *nodes]:
            return Skipped(nodes=tuple(nodes))
        case ["pass", why, *nodes]:
            return Skipped(nodes=tuple(nodes), why=why)
        case ["begin", cells, *rest]:
            return _began(cells, rest)
        case ["retry", activation, attempt, delay, error]:
            return Retrying(activation=activation, attempt=attempt, delay=delay, error=ErrorInfo(**error))
        case ["wait" | "answer", *_]:
            return _waiting(row)
        case ["broke", activation, attempt, error, milliseconds, *partial]:
            return Broke(
                activation=activation,
                attempt=attempt,
                error=ErrorInfo(**error),
                milliseconds=milliseconds,
                partial=read_batch(partial[0]) if partial else EMPTY,
            )
        case _:
            return _turn(row)


def _began(cells: list[Any], rest: list[Any]) -> Began:
    session, source, limits, parent, depth, fresh = rest + [0, "", {}, "", 0, 0][len(rest) :]
    beside = {"source": source, "parent": parent, "depth": depth, "fresh": bool(fresh)}
    return Began(input=read_batch(cells), session=bool(session), limits=Limits.from_json(limits), **beside)


def _turn(row: list[Any]) -> Fact:
    match row:
        case ["end", status, reason]:
            return Ended(status=RunStatus(status), reason=reason)
        case ["cancel", who, reason]:
            return Cancelling(who=who, reason=reason)
        case ["reopen", who, digest, was]:
            return Reopened(who=who, digest=digest, was=was)
        case _:
            fact = read_standing(row)
            if fact is None:
                raise ValueError(f"the journal holds a fact that this release does not know: {row!r}")
            return fact


def _waiting_row(fact: Waiting | Answered) -> list[Any]:
    if isinstance(fact, Waiting):
        return ["wait", fact.activation, fact.attempt, *map(wait_row, fact.waits)]
    return ["answer", fact.activation, fact.wait, *answer_row(fact.answer)]


def _waiting(row: list[Any]) -> Waiting | Answered:
    kind, activation, what, *rest = row
    if kind == "wait":
        return Waiting(activation=activation, attempt=what, waits=tuple(map(read_wait, rest)))
    return Answered(activation=activation, wait=what, answer=read_answer(rest))

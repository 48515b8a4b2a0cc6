"""Facts survive their spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemation.core.facts import (
    Answered,
    Began,
    Broke,
    Cancelling,
    Delta,
    Done,
    Due,
    Ended,
    Fact,
    Reopened,
    Retrying,
    Skipped,
    Waiting,
    decode_delta,
    encode_delta,
)
from codemation.core.items import EMPTY, Batch
from codemation.core.signals import ErrorInfo
from codemation.core.states import RunStatus
from codemation.core.waits import Answer, Wait

NUMBERS = st.integers(0, 2**40)
BATCHES = st.just(EMPTY) | st.builds(
    Batch, ref=st.sampled_from(["", "b:1"]), count=NUMBERS, kind=st.sampled_from(["items", "table"]), size=NUMBERS
)
ERRORS = st.builds(
    ErrorInfo, type=st.text(), message=st.text(), traceback=st.text(), item=st.none() | st.integers(0, 9)
)
ACTIVATIONS = st.text(min_size=1)
SMALL = st.none() | st.dictionaries(st.text(), st.text() | NUMBERS, max_size=2)
WAITS = st.builds(
    Wait,
    key=st.text(),
    kind=st.sampled_from(["timer", "approval", "event", "child"]),
    wakes=st.text(),
    delay=st.none() | st.floats(0, 1e9),
    until=st.none() | st.floats(0, 1e12),
    detail=st.dictionaries(st.text(), st.text(), max_size=2),
)
ANSWERS = st.builds(
    Answer,
    reply=st.sampled_from(["fired", "approved", "rejected", "arrived", "ended"]),
    at=st.floats(0, 1e12),
    who=st.text(),
    body=SMALL,
    outputs=st.dictionaries(st.text(), BATCHES, max_size=2),
)
FACTS: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Began, input=BATCHES),
    st.builds(
        Done,
        activation=ACTIVATIONS,
        outputs=st.dictionaries(st.text(), BATCHES, max_size=3),
        attempt=st.integers(1, 9),
        milliseconds=NUMBERS,
        items=NUMBERS,
        failures=NUMBERS,
    ),
    st.builds(Skipped, nodes=st.lists(st.text()).map(tuple)),
    st.builds(Due, activations=st.lists(ACTIVATIONS).map(tuple)),
    st.builds(Retrying, activation=ACTIVATIONS, attempt=st.integers(1, 9), delay=st.floats(0, 1e6), error=ERRORS),
    st.builds(
        Broke, activation=ACTIVATIONS, attempt=st.integers(1, 9), error=ERRORS, milliseconds=NUMBERS, partial=BATCHES
    ),
    st.builds(Waiting, activation=ACTIVATIONS, attempt=st.integers(1, 9), waits=st.lists(WAITS, max_size=3).map(tuple)),
    st.builds(Answered, activation=ACTIVATIONS, wait=st.text(), answer=ANSWERS),
    st.builds(Cancelling, who=st.text(), reason=st.text()),
    st.builds(Reopened, who=st.text(), digest=st.text(), was=st.text()),
    st.builds(Ended, status=st.sampled_from(RunStatus), reason=st.text()),
)


def settled(fact: Fact) -> Fact:
    """A partial result without bytes is no partial result."""
    if isinstance(fact, Broke) and not fact.partial.size:
        return Broke(activation=fact.activation, attempt=fact.attempt, error=fact.error, milliseconds=fact.milliseconds)
    return fact


@given(st.lists(FACTS, max_size=5).map(tuple))
def test_what_is_decoded_is_what_was_encoded(delta: Delta) -> None:
    assert decode_delta(encode_delta(delta)) == tuple(settled(fact) for fact in delta)


def test_half_a_pair_of_surrogates_in_a_message_is_stored_as_it_is() -> None:
    delta = (Cancelling(who="\udc80", reason="\0"),)
    assert decode_delta(encode_delta(delta)) == delta


def test_a_fact_of_a_later_release_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match=r"a fact that this release does not know: \['waits', 3\]"):
        decode_delta(b'[["waits",3]]')


@pytest.mark.parametrize("data", [b"nonsense", b"7", b'[["broke","a/1",1,7,0]]', b'[["retry","a/1",1,0,{"kind":"x"}]]'])
def test_what_is_no_journal_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"Expecting value|no fact|does not know"):
        decode_delta(data)

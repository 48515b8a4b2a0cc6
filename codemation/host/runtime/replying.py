"""What a node answers to the request that started its run. It is kept as what nodes give is, and goes with the run."""

from __future__ import annotations

import hashlib
import json

from codemation.core.engine import Engine
from codemation.core.errors import LimitExceeded
from codemation.core.ids import RunId
from codemation.core.values import decode, encode

LARGEST = 1_000_000
"""Letters that an answer may have as JSON."""


def reply(engine: Engine, run: RunId, value: object) -> None:
    """Answer the request; of several answers the first counts, and one that is sent again changes nothing.

    Raises:
        Unstorable: the value cannot be stored.
        LimitExceeded: it is too large.
    """
    text = json.dumps(encode(value))
    if len(text) > LARGEST:
        raise LimitExceeded(
            f"an answer of {len(text):,} letters is more than {LARGEST:,}", way_out="answer a link to it"
        )
    if engine.persist(engine.stores.recall.recall, _key(run)) is None:
        engine.persist(engine.stores.recall.remember, _key(run), run, text)


def replied(engine: Engine, run: RunId) -> tuple[object] | None:
    """What a node has answered, alone in a tuple; `None` where none has yet."""
    found = engine.persist(engine.stores.recall.recall, _key(run))
    return None if found is None else (decode(json.loads(found[1])),)


def _key(run: RunId) -> bytes:
    """Unlike that of anything that nodes are called with."""
    return hashlib.sha256(f"reply to {run}".encode()).digest()

"""What a node gave, on its way to where it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping

from codemation.core.engine import Engine, Stored
from codemation.core.errors import LimitExceeded
from codemation.core.ids import RunId
from codemation.core.limits import Limits
from codemation.core.spelling import outputs_row


def check_output(node: str, limits: Limits, *, items: int, payload: int) -> None:
    """See that an output is no larger than a run may hold.

    Raises:
        LimitExceeded: it is; says by what.
    """
    if said := limits.objection(items=items, payload=payload):
        raise LimitExceeded(
            f'"{node}" gave {said} for one output of a node',
            way_out="give less at a time, or raise the limit: cm.Limits(…) of the workflow, within the host's settings",
        )


def part_given(engine: Engine, run: RunId, encoded: Mapping[str, Stored], failures: int) -> bytes:
    """What a part of a batch gave, as its shard records it: failures and ports, then what is small enough to lie here.

    What is larger is stored with the run before.
    """
    batches, inline = engine.store_outputs(run, encoded)
    line = json.dumps([failures, outputs_row(batches)], separators=(",", ":"))
    return line.encode() + b"\n" + (inline or b"")

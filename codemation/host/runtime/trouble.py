"""What is remembered of an exception, and whether it is worth another try."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import traceback
from inspect import getfile
from pathlib import Path
from types import TracebackType

import codemation
from codemation.core.credentials import MissingCredential, without_secrets
from codemation.core.definition import NodePlan
from codemation.core.errors import ContractError, LimitExceeded, StoreUnavailable
from codemation.core.expression import ExpressionError
from codemation.core.outputs import message_of
from codemation.core.retry import delay_before
from codemation.core.signals import ErrorInfo
from codemation.core.signature import NodeCode
from codemation.core.values import Unstorable

_OURS, *_AWAITING = (f"{Path(getfile(one)).parent}{os.sep}" for one in (codemation, asyncio, concurrent.futures))
TRACE_LIMIT = 16_000
"""Characters kept of a traceback."""
MESSAGE_LIMIT = 2_000


_FINAL = (ContractError, ExpressionError, LimitExceeded, MissingCredential, Unstorable, StoreUnavailable)
"""What another try changes nothing about."""


class Interrupted(BaseException):
    """The work was given up: the run stops, the process ends, or its ticket is lost; nothing is wrong with the node."""


class ItemFailed(Exception):
    """One item failed for good, which fails its node."""

    def __init__(self, position: int, error: Exception, attempts: int) -> None:
        super().__init__(message_of(error))
        self.position = position
        self.error = error
        self.attempts = attempts


def trace_of(error: BaseException) -> str:
    """The traceback as text: from the first frame that is not ours."""
    described = traceback.TracebackException(type(error), error, theirs(error.__traceback__))
    chain: traceback.TracebackException | None = described
    while chain is not None:
        kept = [frame for frame in chain.stack if not frame.filename.startswith(_OURS)]
        chain.stack = traceback.StackSummary.from_list(kept)
        chain = chain.__cause__ or chain.__context__
    text = without_secrets("".join(described.format()))
    return text if len(text) <= TRACE_LIMIT else f"{text[: TRACE_LIMIT // 2]}\n…\n{text[-TRACE_LIMIT // 2 :]}"


def theirs(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is neither ours nor on the way from ours to an `async def` node.

    It is cut and not filtered, because each frame that is read costs a look at its file.
    """
    first = trace
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(_OURS):
            first = trace.tb_next
        elif not file.startswith(tuple(_AWAITING)):
            break
        trace = trace.tb_next
    return first


def info_of(error: BaseException, item: int | None = None) -> ErrorInfo:
    """What the journal keeps of an exception."""
    message = message_of(error)
    return ErrorInfo(
        type=type(error).__name__,
        message=message if len(message) <= MESSAGE_LIMIT else f"{message[:MESSAGE_LIMIT]}…",
        traceback=trace_of(error),
        item=item,
    )


def retry_delay(node: NodePlan, code: NodeCode | None, error: Exception, attempt: int, seed: str) -> float | None:
    """Seconds until try `attempt + 1`, or `None` when the failure is final.

    What does not fit, cannot be stored or computed, or is missing would be so the next time, and an absent database is
    no fault of the node.
    """
    if code is None or attempt >= node.policy.retry.attempts or not code.retry.applies_to(error):
        return None
    if isinstance(error, _FINAL):
        return None
    return delay_before(node.policy.retry, attempt + 1, seed)

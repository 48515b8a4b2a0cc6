"""How much time a call has left: within its node's `timeout`, and within what is left of the `total_timeout`."""

from __future__ import annotations

import time
from collections.abc import Callable

from codemation.core.definition import NodePlan
from codemation.core.durations import readable
from codemation.core.errors import NodeError
from codemation.core.outputs import message_of
from codemation.host.runtime.calling import CallTimeout


class TotalTimeout(NodeError, TimeoutError):
    """A node was not done within its `total_timeout`."""

    def __init__(self, node: NodePlan, last: BaseException | None = None) -> None:
        limit = readable(node.policy.total_timeout or 0.0)
        tried = f"; the last try: {type(last).__name__}: {message_of(last)}" if last is not None else ""
        super().__init__(
            f'"{node.id}" was not done within its total_timeout of {limit}{tried}',
            way_out="give the node a longer total_timeout=, fewer tries, or shorter delays between them",
        )


class Allowance:
    """The time that one activation has."""

    def __init__(self, node: NodePlan, age: Callable[[], float]) -> None:
        """`age` says for how many seconds the activation has been due, by the clock of the database."""
        self._node = node
        self._ends: float | None = None
        if node.policy.total_timeout is not None:
            self._ends = time.monotonic() + node.policy.total_timeout - age()

    @property
    def left(self) -> float | None:
        """Seconds left of the total; `None` where there is none."""
        return None if self._ends is None else self._ends - time.monotonic()

    def limit(self) -> float | None:
        """Seconds that a call may take which begins now.

        Raises:
            TotalTimeout: none are left.
        """
        own = self._node.policy.timeout
        if self._ends is None:
            return own
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TotalTimeout(self._node)
        return left if own is None else min(own, left)

    def judged(self, error: Exception, delay: float | None) -> tuple[Exception, float | None]:
        """An error and the seconds until the next try, or that the total is over and there is none."""
        left = self.left
        if left is None:
            return error, delay
        if isinstance(error, TotalTimeout):
            return error, None
        if isinstance(error, CallTimeout) and left <= 0:
            return TotalTimeout(self._node), None
        if delay is not None and delay >= left:
            return TotalTimeout(self._node, error), None
        return error, delay

"""Per-item work: so many calls at a time, each tried again by itself, and every ending told as it comes."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import Any

from msgspec import Struct, field

from codemation.core.context import Context
from codemation.core.definition import NodePlan
from codemation.core.errors import ContractError
from codemation.core.items import Attachment, Item
from codemation.core.outputs import emitted_by_item, failed_item, failure_of
from codemation.core.payload import without_collecting
from codemation.core.progress import Finished
from codemation.core.retry import delay_before
from codemation.core.signature import NodeCode
from codemation.core.tables import is_table
from codemation.host.runtime.allowance import Allowance
from codemation.host.runtime.calling import WHOLE, Loop, awaited, called
from codemation.host.runtime.clock import REAL, Clock
from codemation.host.runtime.pacing import Pace
from codemation.host.runtime.trouble import Interrupted, ItemFailed, retry_delay, trace_of

SHORT = 5.0
"""Seconds: a retry policy whose delays never exceed this waits inside the activation; any other waits as a ticket."""
_NO_FILES: Mapping[str, Attachment] = {}
_LOOK = 0.05
_LEAVE = 5.0
"""Seconds that calls in threads get to notice that nobody waits for them any more."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """An item that failed and is tried again later, with the whole activation."""

    position: int
    delay: float
    error: Exception


Ending = Finished | Postponed
Ask = Callable[[int, Item[Any]], tuple[tuple[Any, ...], dict[str, Any], Context | None]]
"""What to call the function with for one item: positional and keyword arguments, and the context if it is given one."""


class Flag:
    """What may be raised, and is looked at; nobody waits for it."""

    __slots__ = ("raised",)

    def __init__(self) -> None:
        self.raised = False


class ItemWork(Struct, frozen=True, kw_only=True):
    """A per-item activation."""

    node: NodePlan
    code: NodeCode
    items: Sequence[Item[Any]]
    own: int
    """How many of them are worked on here, those that are finished among them."""
    todo: Sequence[int]
    """Positions that are not finished yet."""
    ask: Ask
    attempt: int
    seed: str
    """Fixes the jitter of the delays."""
    stop: Callable[[], bool]
    allowance: Allowance
    loop: Loop
    rows: Callable[[object], list[dict[str, Any]]]
    """The rows of a table that a call gives: each becomes an item."""
    pace: Pace | None = None
    """Where calls may not begin at once."""
    clock: Clock = REAL
    """What the pauses between two tries go by."""
    abandoned: Flag = field(default_factory=Flag)
    """Raised when nobody waits for the calls any more; `stop` then says so as well."""

    def endings(self) -> Generator[Ending, None, None]:
        """Work on every item that is left, in any order; closed early, it begins no further call.

        Raises:
            ItemFailed: an item failed for good and the node fails with it.
            Interrupted: the run stops, or goes on elsewhere.
        """
        if self.code.signature.asynchronous:
            return self._on_loop()
        return self._in_order() if self.node.policy.concurrency == 1 else self._in_threads()

    def _in_order(self) -> Generator[Ending, None, None]:
        for position in self.todo:
            if self.stop():
                raise Interrupted
            yield self._one(position)

    def _in_threads(self) -> Generator[Ending, None, None]:
        width = min(self.node.policy.concurrency, len(self.todo))
        answers: queue.SimpleQueue[Ending | BaseException] = queue.SimpleQueue()
        positions = iter(self.todo)
        guard, over = threading.Lock(), threading.Event()

        def work() -> None:
            while not over.is_set() and not self.stop():
                with guard:
                    position = next(positions, None)
                if position is None:
                    return
                try:
                    answers.put(self._one(position))
                except BaseException as error:  # noqa: BLE001  # carried over to the thread that waits
                    answers.put(error)
                    return

        workers = [_hired(work, self.node.id) for _ in range(width)]
        try:
            yield from self._collected(answers, workers)
        except Exception:
            over.set()
            wait(workers)
            raise
        except BaseException:  # Ctrl-C among others, and the calls cannot be killed
            over.set()
            self.abandoned.raised = True
            wait(workers, _LEAVE)
            raise

    def _on_loop(self) -> Generator[Ending, None, None]:
        answers: queue.SimpleQueue[Ending | BaseException] = queue.SimpleQueue()
        positions = iter(self.todo)

        async def work() -> None:
            for position in positions:
                if self.stop():
                    return
                try:
                    answers.put(await self._one_awaited(position))
                except Exception as error:  # noqa: BLE001  # carried over to the thread that waits
                    answers.put(error)
                    return

        async def all_of_them() -> None:
            width = min(self.node.policy.concurrency, len(self.todo))
            await asyncio.gather(*(work() for _ in range(width)))

        future = self.loop.run(all_of_them())
        try:
            yield from self._collected(answers, [future])
        finally:
            future.cancel()

    def _collected(
        self, answers: queue.SimpleQueue[Ending | BaseException], workers: Sequence[Future[Any]]
    ) -> Iterator[Ending]:
        """What the workers answer, until all have answered for all."""
        left = len(self.todo)
        while left:
            try:
                answer = answers.get(timeout=_LOOK)
            except queue.Empty:
                if self.stop():
                    raise Interrupted from None
                if all(worker.done() for worker in workers) and answers.empty():
                    for worker in workers:
                        worker.result()
                    raise Interrupted from None
                continue
            if isinstance(answer, BaseException):
                raise answer
            left -= 1
            yield answer

    def _one(self, position: int) -> Ending:
        tries = 0
        while True:
            tries += 1
            if self.pace is not None:
                self.pace.wait()
            try:
                args, kwargs, context = self._asked(position, tries)
                value = called(self.node.id, self.allowance.limit(), self.code.function, *args, **kwargs)
                return self._finished(position, value, context)
            except Exception as error:  # noqa: BLE001  # whatever a node raises is its result
                ending = self._after(position, error, tries)
            if not isinstance(ending, float):
                return ending
            self._pause(ending)

    async def _one_awaited(self, position: int) -> Ending:
        tries = 0
        while True:
            tries += 1
            if self.pace is not None:
                await self.pace.rest()
            try:
                args, kwargs, context = self._asked(position, tries)
                call: Coroutine[Any, Any, Any] = awaited(
                    self.node.id, self.allowance.limit(), self.code.function, *args, **kwargs
                )
                return self._finished(position, await call, context)
            except Exception as error:  # noqa: BLE001  # whatever a node raises is its result
                ending = self._after(position, error, tries)
            if not isinstance(ending, float):
                return ending
            await self.clock.rest(ending)

    def _asked(self, position: int, tries: int) -> tuple[tuple[Any, ...], dict[str, Any], Context | None]:
        args, kwargs, context = self.ask(position, self.items[position])
        if context is not None:
            context.attempt = self._tried(tries)
        return args, kwargs, context

    def _tried(self, tries: int) -> int:
        """How often an item was tried, this time included."""
        return tries if self._waits_inside else self.attempt

    def _finished(self, position: int, value: Any, context: Context | None) -> Finished:
        files = context.attachments if context else _NO_FILES
        if type(value) not in WHOLE and is_table(value):
            value = self.rows(value)
        return Finished(
            position=position,
            emitted=tuple(emitted_by_item(self.node, self.code, self.items[position], value, files)),
        )

    def _after(self, position: int, error: Exception, tries: int) -> Ending | float:
        """What follows from a failed call: a pause in seconds, a later try, an item that is done with, or a failure."""
        item, policy = self.items[position], self.node.policy
        tried = self._tried(tries)
        delay = retry_delay(self.node, self.code, error, tried, f"{self.seed}/{position}")
        error, delay = self.allowance.judged(error, delay)
        if delay is not None:
            return delay if self._waits_inside else Postponed(position, delay, error)
        if policy.on_error == "fail":
            raise ItemFailed(position, error, tried) from error
        if policy.on_error == "drop":
            return Finished(position=position, emitted=(), failed=True)
        failure = failure_of(self.node, item.value, error, tried, trace_of(error))
        return Finished(position=position, emitted=(failed_item(failure, item),), failed=True)

    @property
    def _waits_inside(self) -> bool:
        retry = self.node.policy.retry
        if retry.attempts <= 1:
            return True
        return delay_before(replace(retry, jitter=False), retry.attempts, "") <= SHORT

    def _pause(self, delay: float) -> None:
        while delay > 0:
            if self.stop():
                raise Interrupted
            self.clock.pause(min(delay, _LOOK))
            delay -= _LOOK


def checked(work: ItemWork, check: Callable[[Any, int], Any]) -> None:
    """Check every item before the first call, where one that does not fit fails the node anyway."""
    with without_collecting():
        for position in work.todo:
            try:
                check(work.items[position].value, position)
            except ContractError as error:
                raise ItemFailed(position, error, work.attempt) from error


def _hired(work: Callable[[], None], node: str) -> Future[None]:
    """Work in a thread that neither its node nor the end of the process has to wait for."""
    future: Future[None] = Future()

    def labour() -> None:
        try:
            work()
            future.set_result(None)
        except BaseException as error:  # noqa: BLE001  # carried over to whoever asks
            future.set_exception(error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(labour,), name=f"codemation-{node}", daemon=True).start()
    return future

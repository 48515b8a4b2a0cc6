"""Threads that do something at the same moment, and end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds after which a crowd that does not come to its end has failed."""


class _Member(threading.Thread, Generic[T]):
    def __init__(self, job: Callable[[], T], gate: threading.Barrier) -> None:
        super().__init__(daemon=True)
        self._job = job
        self._gate = gate
        self.given: list[T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        """Do the job when everybody has come."""
        try:
            self._gate.wait(PATIENCE)
            self.given.append(self._job())
        except BaseException as error:  # noqa: BLE001 - raised again where the crowd was called together
            self.error = error


def together(*jobs: Callable[[], T]) -> list[T]:
    """What the jobs give, each done in a thread of its own, all begun at the same moment."""
    gate = threading.Barrier(len(jobs))
    members = [_Member(job, gate) for job in jobs]
    for member in members:
        member.start()
    until = monotonic() + PATIENCE
    for member in members:
        member.join(max(0.0, until - monotonic()))
    for member in members:
        if member.error is not None:
            raise member.error
    late = sum(member.is_alive() for member in members)
    if late:
        raise AssertionError(f"{late} of {len(members)} threads have not come to their end in {PATIENCE:.0f} seconds")
    return [member.given[0] for member in members]


def patiently() -> Iterator[int]:
    """Count the tries of something that must succeed in the end, and fail when it takes too long."""
    until, tries = monotonic() + PATIENCE, 0
    while monotonic() < until:
        yield tries
        tries += 1
    raise AssertionError(f"{tries} tries in {PATIENCE:.0f} seconds were not enough")

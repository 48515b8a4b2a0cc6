"""Code by the digest of its definition: what was found in the app, and what others can give for older definitions.

What can be had again is let go of when it was not used for longest: a worker that goes on while many builds are
deployed would hold all of them else. What counts now, what work is under way with, and what was used a moment ago
stays, whatever there is.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any, Protocol

from codemation.core.workflow import Workflow

MOST = 32
"""Definitions of builds whose code is at hand beside what counts."""
RECENT = 60.0
"""Seconds since its last use for which code is certainly kept: whoever has just looked it up is about to use it."""


class Provider(Protocol):
    """Gives code that is not in the app."""

    def find(self, digest: str) -> Workflow[Any, ...] | None:
        """The workflow with a digest, if it has it; asked again for what it did not have, or has let go of."""
        ...

    def digests(self) -> Collection[str]:
        """What it can give."""
        ...

    def beside(self, digest: str) -> Collection[str]:
        """The definitions whose code goes when that of this one goes, itself among them, if it has given it."""
        ...

    def forget(self, digest: str) -> None:
        """Let go of what it has given for a definition, and of all that is beside it."""
        ...


class CodeByDigest:
    """The code that a process has at hand."""

    def __init__(self, most: int = MOST, recent: float = RECENT) -> None:
        self.in_use: Callable[[], Collection[str]] = frozenset
        """The definitions that work is under way with."""
        self.counting: Collection[str] = frozenset()
        """The definitions of what counts now."""
        self._most, self._recent = most, recent
        self._workflows: OrderedDict[str, Workflow[Any, ...]] = OrderedDict()
        """The one that was used last stands last."""
        self._used: dict[str, float] = {}
        self._providers: list[Provider] = []
        self._guard = threading.RLock()

    def know(self, workflow: Workflow[Any, ...]) -> None:
        """Have a workflow at hand."""
        self._keep(workflow.digest, workflow)

    def has(self, workflow: Workflow[Any, ...]) -> bool:
        """Whether it is this that is at hand for its digest."""
        return self._workflows.get(workflow.digest) is workflow

    def provide(self, provider: Provider) -> None:
        """Ask `provider` as well for what is not at hand."""
        self._providers.append(provider)

    def of(self, digest: str) -> Workflow[Any, ...] | None:
        """The workflow with a digest, if its code can be had."""
        with self._guard:
            known = self._workflows.get(digest)
            if known is not None:
                self._keep(digest, known)
                return known
        for provider in self._providers:
            if (known := provider.find(digest)) is not None:
                self._keep(digest, known)
                self._shrink()
                return known
        return None

    def digests(self) -> frozenset[str]:
        """The definitions whose code can be had."""
        with self._guard:
            known = frozenset(self._workflows)
        return known.union(*(provider.digests() for provider in self._providers))

    def _keep(self, digest: str, workflow: Workflow[Any, ...]) -> None:
        with self._guard:
            self._workflows[digest] = workflow
            self._workflows.move_to_end(digest)
            self._used[digest] = time.monotonic()

    def _shrink(self) -> None:
        """Let go of what can be had again and was not used for longest, if there is more than may be."""
        kept = {*self.in_use(), *self.counting}
        with self._guard:
            spare = [
                (provider, digest)
                for digest in self._workflows
                for provider in self._providers
                if digest not in self.counting and digest in provider.beside(digest)
            ]
            since = time.monotonic() - self._recent
            left = len(spare)
            for provider, digest in spare:
                if left <= self._most:
                    return
                together = set(provider.beside(digest)) & self._workflows.keys()
                if together & kept or any(self._used[one] > since for one in together):
                    continue
                provider.forget(digest)
                left -= len(together)
                for one in together:
                    del self._workflows[one], self._used[one]

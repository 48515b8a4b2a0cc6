"""Code by the digest of its definition: what was found in the app, and what others can give for older definitions."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from codemation.core.workflow import Workflow

Provider = Callable[[str], Workflow[Any, ...] | None]
"""Gives the workflow with a digest, if it has it; a second time it is asked for what it did not have."""


class CodeByDigest:
    """The code that a process has at hand."""

    def __init__(self) -> None:
        self._workflows: dict[str, Workflow[Any, ...]] = {}
        self._providers: list[tuple[Provider, Callable[[], Collection[str]]]] = []

    def know(self, workflow: Workflow[Any, ...]) -> None:
        """Have a workflow at hand."""
        self._workflows[workflow.digest] = workflow

    def has(self, workflow: Workflow[Any, ...]) -> bool:
        """Whether it is this that is at hand for its digest."""
        return self._workflows.get(workflow.digest) is workflow

    def provide(self, provider: Provider, digests: Callable[[], Collection[str]]) -> None:
        """Ask `provider` as well for what is not at hand; `digests` says what it can give."""
        self._providers.append((provider, digests))

    def of(self, digest: str) -> Workflow[Any, ...] | None:
        """The workflow with a digest, if its code can be had."""
        known = self._workflows.get(digest)
        for provider, _ in self._providers:
            if known is None and (known := provider(digest)) is not None:
                self._workflows[digest] = known
        return known

    def digests(self) -> frozenset[str]:
        """The definitions whose code can be had."""
        return frozenset(self._workflows).union(*(digests() for _, digests in self._providers))

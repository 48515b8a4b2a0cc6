"""Code that was deployed, and notebooks that are executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class NotebookRunner(Protocol):
    """Executes notebooks; found by the entry point group `codemation.notebooks`, or named in the settings."""

    def run(self, path: str, parameters: Mapping[str, object]) -> object:
        """Execute the notebook at `path`, seen from the app's folder, and give what it gives: fields by name.

        Whatever it raises is the failure of its node. Where the call has a time limit, it is given up at its end.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeployment:
    """A build that is to count from now on, with all that is needed to work with it."""

    id: str
    """A UUID."""
    build: str
    """The digest of the build, as hex."""
    manifest: str
    """What is in it, as JSON."""
    code: Mapping[str, tuple[str, str]]
    """By digest of a definition: the digest of the bundle that holds its code, and the file in it."""
    who: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """That a build has counted since a time, until the next one."""

    id: str
    build: str
    at: datetime
    who: str
    message: str


class Deployments(Protocol):
    """Which builds of the app have been deployed, and the code of everything that may still run."""

    def keep(self, bundle: str, archive: bytes) -> None:
        """Keep a bundle of files under its digest; again is harmless."""
        ...

    def deploy(self, deployment: NewDeployment) -> Deployment:
        """Let a build count from now on; when it does already, nothing is written.

        Raises:
            HostError: a bundle of it is not kept.
        """
        ...

    def list(self, limit: int = 50) -> tuple[Deployment, ...]:
        """The deployments, the latest first: that one counts."""
        ...

    def manifest(self, build: str) -> str:
        """What is in a build that was deployed.

        Raises:
            HostError: it is not there.
        """
        ...

    def code(self, definition: str) -> tuple[str, str] | None:
        """The bundle that holds the code of a definition, and the file in it."""
        ...

    def definitions(self) -> frozenset[str]:
        """The digests of all definitions whose code is kept."""
        ...

    def bundle(self, digest: str) -> bytes:
        """The files.

        Raises:
            HostError: they are not kept.
        """
        ...

    def forget(self, keep: int) -> int:
        """Forget all but so many deployments, and code that neither these have nor an unfinished run; says how many."""
        ...

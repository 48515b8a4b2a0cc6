"""Deployments in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codemation.core.errors import HostError
from codemation.core.ports import Deployment, NewDeployment
from codemation.core.states import FINISHED

if TYPE_CHECKING:
    from codemation.host.memory.tables import Tables


class MemoryDeployments:
    """Which builds have been deployed."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def keep(self, bundle: str, archive: bytes) -> None:
        """Keep a bundle."""
        with self._tables.lock:
            self._tables.deployed.bundles.setdefault(bundle, archive)

    def deploy(self, deployment: NewDeployment) -> Deployment:
        """Let a build count from now on."""
        tables = self._tables
        with tables.lock:
            missing = {bundle for bundle, _ in deployment.code.values()} - tables.deployed.bundles.keys()
            if missing:
                raise HostError(f"bundle {min(missing)[:12]} is not kept", way_out="deploy the build as a whole")
            tables.deployed.builds.setdefault(deployment.build, deployment.manifest)
            for definition, (bundle, file) in deployment.code.items():
                tables.deployed.code[definition] = (bundle, file, deployment.build)
            if tables.deployed.deployments and tables.deployed.deployments[-1].build == deployment.build:
                return tables.deployed.deployments[-1]
            new = Deployment(
                id=deployment.id,
                build=deployment.build,
                at=tables.clock(),
                who=deployment.who,
                message=deployment.message,
            )
            tables.deployed.deployments.append(new)
            return new

    def list(self, limit: int = 50) -> tuple[Deployment, ...]:
        """The deployments, the latest first."""
        with self._tables.lock:
            return tuple(reversed(self._tables.deployed.deployments[-limit:]))

    def manifest(self, build: str) -> str:
        """What is in a build."""
        with self._tables.lock:
            found = self._tables.deployed.builds.get(build)
        if found is None:
            raise HostError(f"no build {build[:12]} has been deployed")
        return found

    def code(self, definition: str) -> tuple[str, str] | None:
        """The bundle that holds the code of a definition, and the file in it."""
        with self._tables.lock:
            found = self._tables.deployed.code.get(definition)
        return None if found is None else found[:2]

    def definitions(self) -> frozenset[str]:
        """The digests of all definitions whose code is kept."""
        with self._tables.lock:
            return frozenset(self._tables.deployed.code)

    def bundle(self, digest: str) -> bytes:
        """The files."""
        with self._tables.lock:
            found = self._tables.deployed.bundles.get(digest)
        if found is None:
            raise HostError(f"bundle {digest[:12]} is not kept")
        return found

    def forget(self, keep: int) -> int:
        """Forget all but so many deployments."""
        tables = self._tables
        with tables.lock:
            old = tables.deployed.deployments[:-keep]
            del tables.deployed.deployments[:-keep]
            builds = {one.build for one in tables.deployed.deployments}
            used = {run.digest for run in tables.runs.values() if run.status not in FINISHED}
            for definition, (_, _, build) in list(tables.deployed.code.items()):
                if build not in builds and definition not in used:
                    del tables.deployed.code[definition]
            kept = {build for _, _, build in tables.deployed.code.values()} | builds
            tables.deployed.builds = {name: one for name, one in tables.deployed.builds.items() if name in kept}
            bundles = {bundle for bundle, _, _ in tables.deployed.code.values()}
            tables.deployed.bundles = {name: one for name, one in tables.deployed.bundles.items() if name in bundles}
            return len(old)

"""Deployments in memory."""

from __future__ import annotations

from codemation.core.errors import HostError
from codemation.core.ports import Deployment, NewDeployment
from codemation.core.states import FINISHED
from codemation.host.memory.tables import Tables


class MemoryDeployments:
    """Which builds have been deployed."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def keep(self, bundle: str, archive: bytes) -> None:
        """Keep a bundle."""
        with self._tables.lock:
            self._tables.bundles.setdefault(bundle, archive)

    def deploy(self, deployment: NewDeployment) -> Deployment:
        """Let a build count from now on."""
        tables = self._tables
        with tables.lock:
            missing = {bundle for bundle, _ in deployment.code.values()} - tables.bundles.keys()
            if missing:
                raise HostError(f"bundle {min(missing)[:12]} is not kept", way_out="deploy the build as a whole")
            tables.builds.setdefault(deployment.build, deployment.manifest)
            for definition, (bundle, file) in deployment.code.items():
                tables.deployed_code[definition] = (bundle, file, deployment.build)
            if tables.deployments and tables.deployments[-1].build == deployment.build:
                return tables.deployments[-1]
            new = Deployment(
                id=deployment.id,
                build=deployment.build,
                at=tables.clock(),
                who=deployment.who,
                message=deployment.message,
            )
            tables.deployments.append(new)
            return new

    def list(self, limit: int = 50) -> tuple[Deployment, ...]:
        """The deployments, the latest first."""
        with self._tables.lock:
            return tuple(reversed(self._tables.deployments[-limit:]))

    def manifest(self, build: str) -> str:
        """What is in a build."""
        with self._tables.lock:
            found = self._tables.builds.get(build)
        if found is None:
            raise HostError(f"no build {build[:12]} has been deployed")
        return found

    def code(self, definition: str) -> tuple[str, str] | None:
        """The bundle that holds the code of a definition, and the file in it."""
        with self._tables.lock:
            found = self._tables.deployed_code.get(definition)
        return None if found is None else found[:2]

    def definitions(self) -> frozenset[str]:
        """The digests of all definitions whose code is kept."""
        with self._tables.lock:
            return frozenset(self._tables.deployed_code)

    def bundle(self, digest: str) -> bytes:
        """The files."""
        with self._tables.lock:
            found = self._tables.bundles.get(digest)
        if found is None:
            raise HostError(f"bundle {digest[:12]} is not kept")
        return found

    def forget(self, keep: int) -> int:
        """Forget all but so many deployments."""
        tables = self._tables
        with tables.lock:
            old = tables.deployments[:-keep]
            del tables.deployments[:-keep]
            builds = {one.build for one in tables.deployments}
            used = {run.digest for run in tables.runs.values() if run.status not in FINISHED}
            for definition, (_, _, build) in list(tables.deployed_code.items()):
                if build not in builds and definition not in used:
                    del tables.deployed_code[definition]
            kept = {build for _, _, build in tables.deployed_code.values()} | builds
            tables.builds = {name: one for name, one in tables.builds.items() if name in kept}
            bundles = {bundle for bundle, _, _ in tables.deployed_code.values()}
            tables.bundles = {name: one for name, one in tables.bundles.items() if name in bundles}
            return len(old)

"""Deploying: what was built counts from now on, for whoever starts runs; runs under way keep what they began with."""

from __future__ import annotations

from codemation.core.definition import Definition
from codemation.core.errors import HostError
from codemation.core.ports import Deployment, NewDeployment, Stores
from codemation.host.builds.building import Build, missing
from codemation.host.builds.manifest import Manifest
from codemation.host.identity import new_run_id

KEPT = 50
"""Deployments that are remembered; code that an unfinished run needs is kept in any case."""


class Unfit(HostError):
    """A build cannot be used where it is to be deployed."""


def deploy(stores: Stores, made: Build, *, who: str = "", message: str = "", force: bool = False) -> Deployment:
    """Let a build count from now on. What is there already is not written again.

    Raises:
        Unfit: it was built with another Python, or with libraries that differ too much; `force` lets it pass.
        HostError: something is wrong with the app that was built.
    """
    if made.problems:
        raise HostError(f"{len(made.problems)} problems keep the app from being deployed", way_out="codemation build")
    if not force and (reasons := list(missing(made.manifest))):
        raise Unfit(
            f"the build does not fit here: {'; '.join(reasons)}",
            way_out="build it with what the workers have, or say --force if this machine is not one of them",
        )
    for entry in made.manifest.workflows.values():
        stores.definitions.put(Definition.from_json(entry.definition))
    for digest, archive in made.bundles.items():
        stores.deployments.keep(digest, archive)
    return _recorded(stores, made.manifest, who, message)


def roll_back(stores: Stores, build: str, *, who: str = "", message: str = "") -> Deployment:
    """Let an earlier build count again; `build` is its digest, or how it begins.

    Raises:
        HostError: it is not known, or not any more.
    """
    known = {one.build for one in stores.deployments.list(KEPT) if one.build.startswith(build)}
    if len(known) != 1:
        said = f"no build {build!r} has been deployed" if not known else f"{len(known)} builds begin with {build!r}"
        raise HostError(said, way_out="see: codemation deployments list")
    manifest = Manifest.read(stores.deployments.manifest(known.pop()))
    return _recorded(stores, manifest, who, message)


def current_manifest(stores: Stores) -> Manifest | None:
    """What is in the build that counts now."""
    latest = stores.deployments.list(1)
    return Manifest.read(stores.deployments.manifest(latest[0].build)) if latest else None


def _recorded(stores: Stores, manifest: Manifest, who: str, message: str) -> Deployment:
    deployed = stores.deployments.deploy(
        NewDeployment(
            id=new_run_id(),
            build=manifest.digest,
            manifest=manifest.text(),
            code=manifest.code(),
            who=who,
            message=message,
        )
    )
    stores.deployments.forget(KEPT)
    return deployed

"""Deployments, doing one thing wrong."""

from __future__ import annotations

from dataclasses import replace

from codemation.core.ports import Deployment, NewDeployment
from codemation.host.memory.deployments import MemoryDeployments
from codemation.testing.conformance import DeploymentsContract
from tests.testing.defect import defects


class _DeploysAgain(MemoryDeployments):
    def deploy(self, deployment: NewDeployment) -> Deployment:
        deployed = super().deploy(deployment)
        if deployed.id != deployment.id:
            self._tables.deployed.deployments.append(replace(deployed, id=deployment.id))
        return deployed


class _NeverRollsBack(MemoryDeployments):
    """What was deployed once is taken for deployed."""

    def deploy(self, deployment: NewDeployment) -> Deployment:
        known = [one for one in self._tables.deployed.deployments if one.build == deployment.build]
        return known[0] if known else super().deploy(deployment)


class _KeepsTheFirstBundle(MemoryDeployments):
    def deploy(self, deployment: NewDeployment) -> Deployment:
        before = dict(self._tables.deployed.code)
        deployed = super().deploy(deployment)
        self._tables.deployed.code |= before
        return deployed


class _DeploysWithoutFiles(MemoryDeployments):
    def deploy(self, deployment: NewDeployment) -> Deployment:
        for bundle, _ in deployment.code.values():
            self._tables.deployed.bundles.setdefault(bundle, b"")
        return super().deploy(deployment)


class _ForgetsWhatRuns(MemoryDeployments):
    def forget(self, keep: int) -> int:
        forgotten = super().forget(keep)
        builds = {one.build for one in self._tables.deployed.deployments}
        for definition, place in list(self._tables.deployed.code.items()):
            if place[2] not in builds:
                del self._tables.deployed.code[definition]
        return forgotten


class _ForgetsNothing(MemoryDeployments):
    def forget(self, keep: int) -> int:
        return 0


BUILD_DEFECTS = defects(
    DeploymentsContract,
    "deployments",
    a_deployment_that_is_there_is_made_again=_DeploysAgain,
    an_earlier_build_never_counts_again=_NeverRollsBack,
    the_first_bundle_of_a_definition_stays=_KeepsTheFirstBundle,
    a_build_without_its_files_counts=_DeploysWithoutFiles,
    code_that_runs_need_is_forgotten=_ForgetsWhatRuns,
    nothing_is_ever_forgotten=_ForgetsNothing,
)

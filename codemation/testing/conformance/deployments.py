"""The contract of deployments."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from codemation.core.errors import HostError
from codemation.core.ports import Deployment, NewDeployment, Stores
from codemation.core.states import RunStatus
from codemation.host.identity import new_run_id
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World

_BUNDLES = {"b1" * 32: b"first \0 files", "b2" * 32: b"second files"}


def _new(build: str, code: str, bundle: str = "b1") -> NewDeployment:
    return NewDeployment(
        id=new_run_id(),
        build=build * 32,
        manifest=f'{{"build": "{build} é"}}',
        code={code * 32: (bundle * 32, "workflows/shop.py")},
        who="ada",
        message="the first one",
    )


def _deployed(stores: Stores, *new: NewDeployment) -> list[Deployment]:
    for digest, archive in _BUNDLES.items():
        stores.deployments.keep(digest, archive)
    return [stores.deployments.deploy(one) for one in new]


class DeploymentsContract(Contract):
    """The last build that was deployed counts, and the code of what may still run is there."""

    def test_what_is_deployed_is_found_as_it_was(self, stores: Stores) -> None:
        """By the list, by its manifest, and by the definitions that it holds."""
        new = _new("a1", "d1")
        (deployed,) = _deployed(stores, new)
        assert (deployed.id, deployed.build, deployed.who, deployed.message) == (
            new.id,
            new.build,
            "ada",
            "the first one",
        )
        assert stores.deployments.list() == (deployed,)
        assert stores.deployments.manifest(new.build) == new.manifest
        assert stores.deployments.code("d1" * 32) == ("b1" * 32, "workflows/shop.py")
        assert stores.deployments.definitions() == frozenset({"d1" * 32})
        assert stores.deployments.bundle("b1" * 32) == _BUNDLES["b1" * 32]

    def test_deploying_what_counts_already_changes_nothing(self, stores: Stores) -> None:
        """Whoever deploys twice, or in two places at once, has deployed once."""
        (first,) = _deployed(stores, _new("a1", "d1"))
        together(*(partial(stores.deployments.deploy, _new("a1", "d1")) for _ in range(4)))
        assert stores.deployments.list() == (first,)

    def test_an_earlier_build_counts_again_when_it_is_deployed_again(self, stores: Stores) -> None:
        """Rolling back is deploying."""
        _deployed(stores, _new("a1", "d1"), _new("a2", "d2", "b2"), _new("a1", "d1"))
        assert [one.build[:2] for one in stores.deployments.list()] == ["a1", "a2", "a1"]
        assert [one.build[:2] for one in stores.deployments.list(limit=1)] == ["a1"]
        assert stores.deployments.definitions() == {"d1" * 32, "d2" * 32}

    def test_the_same_definition_is_taken_from_the_build_that_had_it_last(self, stores: Stores) -> None:
        """Comments may have changed."""
        _deployed(stores, _new("a1", "d1"), _new("a2", "d1", "b2"))
        assert stores.deployments.code("d1" * 32) == ("b2" * 32, "workflows/shop.py")

    def test_a_build_whose_files_are_not_kept_is_refused(self, stores: Stores) -> None:
        """Nothing of it is there then."""
        with pytest.raises(HostError, match="bundle"):
            stores.deployments.deploy(_new("a1", "d1"))
        assert stores.deployments.list() == ()
        assert stores.deployments.code("d1" * 32) is None

    def test_what_is_not_there_is_an_error_that_names_it(self, stores: Stores) -> None:
        """And no definition has code that nobody deployed."""
        with pytest.raises(HostError, match="c0c0c0"):
            stores.deployments.manifest("c0" * 32)
        with pytest.raises(HostError, match="c0c0c0"):
            stores.deployments.bundle("c0" * 32)
        assert stores.deployments.code("c0" * 32) is None

    def test_what_nobody_needs_is_forgotten(self, stores: Stores, world: World) -> None:
        """Code stays for as long as a run of it is not over."""
        claim, digest = world.held(), world.flow.digest
        used = replace(_new("a1", "d1"), code={digest: ("b1" * 32, "workflows/shop.py")})
        _deployed(stores, used, _new("a2", "d2", "b2"), _new("a3", "d3", "b2"))
        assert stores.deployments.forget(1) == 2
        assert [one.build[:2] for one in stores.deployments.list()] == ["a3"]
        assert stores.deployments.definitions() == {digest, "d3" * 32}
        assert stores.deployments.manifest("a1" * 32)
        with pytest.raises(HostError):
            stores.deployments.manifest("a2" * 32)
        world.step(claim, status=RunStatus.SUCCEEDED)
        assert stores.deployments.forget(1) == 0
        assert stores.deployments.definitions() == {"d3" * 32}

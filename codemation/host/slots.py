"""How many slots pools have, as the settings say it, and whether they say it of every pool that a workflow names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from codemation.core.errors import HostError
from codemation.core.mistakes import listed, meant
from codemation.core.workflow import Workflow


def _written(value: object) -> object:
    """What a variable holds, `gpu=2, shop=1`, as a table would have it."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    return {name.strip(): slots.strip() for name, _, slots in pairs}


Pools = Annotated[dict[str, Annotated[int, Field(ge=1)]], BeforeValidator(_written)]


def named_pools(workflow: Workflow[Any, ...]) -> dict[str, str]:
    """The pools that the nodes of a workflow name, each with a node that does."""
    return {node.policy.pool: node.id for node in workflow.definition.nodes if node.policy.pool}


def check_pools(workflow: Workflow[Any, ...], pools: Mapping[str, int]) -> None:
    """See that every pool that a workflow names is among those of the settings, if these have any.

    Raises:
        HostError: one is not, so that its name is probably written wrong.
    """
    for pool, node in named_pools(workflow).items() if pools else ():
        if pool not in pools:
            raise HostError(
                f'"{node}" of "{workflow.id}" needs a slot of the pool "{pool}", which the settings do not have',
                way_out=meant(pool, pools, f"they have {listed(list(pools))}; pools = {{{pool} = 1}} adds it"),
            )

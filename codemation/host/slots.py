"""How many slots pools have, as the settings say it, and whether they say it of every pool that a workflow names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from codemation.core.errors import HostError
from codemation.core.workflow import Workflow


def _written(value: object) -> object:
    """What a variable holds, `gpu=2, shop=1`, as a table would have it."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    return {name.strip(): slots.strip() for name, _, slots in pairs}


Pools = Annotated[dict[str, Annotated[int, Field(ge=1)]], BeforeValidator(_written)]


def check_pools(workflow: Workflow[Any, ...], pools: Mapping[str, int]) -> None:
    """See that every pool that a workflow names has slots.

    Raises:
        HostError: one has none; nobody could ever work on its node.
    """
    for node in workflow.definition.nodes:
        pool = node.policy.pool
        if pool and pool not in pools:
            raise HostError(
                f'"{node.id}" of "{workflow.id}" needs a slot of the pool "{pool}", which no setting has',
                way_out=f"[tool.codemation.pools] {pool} = 1, or CODEMATION_POOLS={pool}=1",
            )

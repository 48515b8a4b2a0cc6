"""The contract of definitions."""

from __future__ import annotations

from functools import partial

import pytest

from codemation.core.definition import Definition, Input, NodeKind, NodePlan, Policy, RetryPlan, Source
from codemation.core.errors import HostError
from codemation.core.ids import START, NodeId, WorkflowId
from codemation.core.ports import Stores
from codemation.testing.conformance.crowd import together


def _definition(code: str = "1") -> Definition:
    """A definition that uses every field, with values that careless storage would change."""
    start = NodePlan(id=START, kind=NodeKind.START, inputs=())
    node = NodePlan(
        id=NodeId("späť"),
        kind=NodeKind.THEN,
        inputs=(Input(name="in", sources=(Source(node=START),)), Input(name="o", sources=(), ordering=True)),
        ports=("main", "error"),
        policy=Policy(retry=RetryPlan(attempts=3, backoff="fixed", delay=0.1), timeout=1e16, on_error="port"),
        config={"z": 1e16, "a": 0.1, "deep": [{"$param": "month"}, None, True, 10**17, "né\u0000\\ud800"]},
        code=code,
        types={"in:in": "list[int]"},
        groups=("outer", "inner"),
        place="flow.py:7",
    )
    return Definition(
        workflow=WorkflowId("shop.orders"),
        nodes=(start, node),
        outputs={"main": (Source(node=NodeId("späť"), port="error"),)},
        params_schema={"type": "object", "properties": {"z": {}, "a": {"default": 1.0}}},
        max_parallel=3,
        source="shop:orders",
    )


class DefinitionsContract:
    """A definition is found under its digest, exactly as it was."""

    def test_a_definition_comes_back_as_it_was(self, stores: Stores) -> None:
        """What is read is equal to what was stored, and has its digest."""
        definition = _definition()
        stores.definitions.put(definition)
        found = stores.definitions.get(definition.digest)
        assert found == definition
        assert Definition.from_json(found.to_json()).digest == definition.digest
        assert found.plan == definition.plan

    def test_storing_again_is_harmless(self, stores: Stores) -> None:
        """Every start stores its definition."""
        stores.definitions.put(_definition())
        stores.definitions.put(_definition())
        assert stores.definitions.get(_definition().digest) == _definition()

    def test_definitions_of_one_workflow_stand_side_by_side(self, stores: Stores) -> None:
        """New code does not replace the definition that older runs stand on."""
        old, new = _definition("1"), _definition("2")
        stores.definitions.put(old)
        stores.definitions.put(new)
        assert (stores.definitions.get(old.digest), stores.definitions.get(new.digest)) == (old, new)

    def test_what_is_not_stored_is_an_error(self, stores: Stores) -> None:
        """A digest that nothing has been stored under is an error that names it."""
        with pytest.raises(HostError, match="ababab"):
            stores.definitions.get("ab" * 32)

    def test_many_may_store_the_same_definition_at_once(self, stores: Stores) -> None:
        """Processes that start together store the same definition together."""
        together(*(partial(stores.definitions.put, _definition()) for _ in range(4)))
        assert stores.definitions.get(_definition().digest) == _definition()

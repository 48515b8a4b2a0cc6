"""The OpenAPI document: true, whole, and kept to by whatever is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import one_of
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from codemation.core.access import Role
from tests.web.serving import Site, Web

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = ("follow_run", "follow_runs")
RUN = "0198a1f0-5a3c-7d21-9f00-3b1f6e2a4c55"


@pytest.fixture(scope="module")
def tokens(site: Site) -> dict[Role, str]:
    """A token of each role."""
    made = {role: site.codemation("tokens", "create", role.value, "--role", role.value) for role in Role}
    assert [one.exit_code for one in made.values()] == [0] * len(Role), made
    return {role: one.stdout.strip() for role, one in made.items()}


@pytest.fixture(scope="module")
def guarded(site: Site, tokens: dict[Role, str]) -> Iterator[Web]:
    """A server that asks for tokens, as an admin asks it."""
    with site.web(token=tokens[Role.ADMIN], CODEMATION_REQUESTS_PER_SECOND="0") as web:
        yield web


@pytest.fixture(scope="module")
def document(guarded: Web) -> dict[str, Any]:
    answer = httpx.get(f"{guarded.url}/api/v1/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_the_document_is_valid_and_whole(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    ids = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(ids) == len(set(ids)) >= 30
    for path, method, operation in _operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert operation["tags"], where
        assert operation["security"] == [{"token": []}], where
        assert {"401", "403", "422", "429", "503"} <= set(operation["responses"]), where
        for status, answer in operation["responses"].items():
            assert status < "400" or list(answer["content"]) == ["application/problem+json"], (where, status)
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (where, parameter["name"])
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
        assert schema.get("description"), name
        assert schema.get("type") != "object" or schema.get("properties"), name
    references = set(_references(document))
    assert references <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "$ref":
                yield one
            else:
                yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def _filled(path: str) -> str:
    """A path with something in it that fits, and that is not there."""
    values = {"run": RUN, "token": RUN, "workflow": "nothing", "node": "n", "port": "main", "item": "0", "name": "f"}
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path
    return path


def test_each_route_is_for_those_of_its_role_and_above(
    document: dict[str, Any], guarded: Web, tokens: dict[Role, str]
) -> None:
    """A route without a role fails here, and so does one that lets in who has none."""
    bad = {"": None, "Bearer nonsense": 401, "Basic YTpi": 401, "Bearer": 401}
    with httpx.Client(base_url=guarded.url) as client:
        for path, method, operation in _operations(document):
            role, where = Role(operation["x-role"]), f"{method} {path}"
            assert role is not Role.VIEWER or method == "get", where
            for shown in bad:
                headers = {"authorization": shown} if shown else {}
                answer = client.request(method, _filled(path), headers=headers)
                assert answer.status_code == 401, (where, shown)
                assert answer.headers["www-authenticate"] == "Bearer"
            for one, token in tokens.items():
                headers = {"authorization": f"Bearer {token}"}
                given = {"json": {}} if method == "post" else {}
                answer = client.request(method, _filled(path), headers=headers, params={"unknown": "1"}, **given)
                assert answer.status_code == 422, (where, one)  # a query parameter that nobody has heard of
                if not one.allows(role):
                    answer = client.request(method, _filled(path), headers=headers, **given)
                    assert answer.status_code == 403, (where, one)


def test_nothing_of_the_api_is_served_beside_the_document(document: dict[str, Any], guarded: Web) -> None:
    with httpx.Client(base_url=guarded.url) as client:
        for path in ("/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/runs", "/api/v1/runs/"):
            assert client.get(path).status_code == 401, path
            assert guarded.client.get(path).status_code == 404, path
        for path in ("/docs", "/redoc", "/openapi.json", "/", "/static/x"):
            assert client.get(path).status_code == 404, path


def test_whatever_is_asked_is_answered_as_documented(document: dict[str, Any], guarded: Web) -> None:
    """Fuzzed with schemathesis: no fault of the server's, and no answer that the document does not know."""
    run = guarded.start("shop.orders")
    guarded.ended(run)
    there = {"run": run, "workflow": "shop.orders", "node": "price", "port": "main", "item": 0}
    statuses: Counter[int] = Counter()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=guarded.url)
    headers = dict(guarded.client.headers)
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.definition.raw["operationId"] in ENDLESS:
            continue
        known = {one: value for one, value in there.items() if f"{{{one}}}" in operation.path}
        _fuzz(operation, headers, known, statuses)
    assert guarded.get("/me").json()["role"] == "admin"
    assert {200, 201, 404, 422} <= set(statuses), statuses


def _fuzz(operation: Any, headers: dict[str, str], known: dict[str, Any], statuses: Counter[int]) -> None:
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    paths = ({}, known) if known and "{name}" not in operation.path and "{token}" not in operation.path else ({},)
    strategies = [
        operation.as_strategy(generation_mode=mode, **({"path_parameters": path} if path else {}))
        for mode in modes
        for path in paths
    ]
    strategy = one_of(strategies)

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def asked(case: Any) -> None:
        statuses[case.call_and_validate(headers=headers, checks=CHECKS).status_code] += 1

    asked()

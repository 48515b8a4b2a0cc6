"""Routes that say who may use them, what can go wrong, and that take no query parameter which nobody has heard of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel

from codemation.core.access import Role
from codemation.core.mistakes import listed, meant
from codemation.web.actors import By
from codemation.web.problems import Refused, declared, problem

F = TypeVar("F", bound=Callable[..., Any])
ALWAYS = (400, 401, 403, 413, 414, 422, 429, 431, 500, 503)
"""What any route of the API may answer."""


class Api(APIRouter):
    """Routes below `/api/v1`."""

    def offer(self, method: str, path: str, role: Role, *, fails: Iterable[int] = (), **said: Any) -> Callable[[F], F]:
        """Answer requests of those who have this role at least; `fails` are statuses beside those of all routes."""
        extra = {"x-role": role.value, "security": [{"token": []}], **said.pop("extra", {})}
        others = said.pop("responses", {})
        add: Callable[[F], F] = self.api_route(
            path,
            methods=[method],
            dependencies=[Depends(known_parameters), Depends(_allowing(role))],
            responses={**declared(*sorted({*ALWAYS, *fails})), **others},
            openapi_extra=extra,
            **said,
        )
        return add


def _allowing(role: Role) -> Callable[[By], None]:
    def allow(actor: By) -> None:
        if not actor.role.allows(role):
            detail = f"{actor.name} is {actor.role}, and this is for {role} and above"
            raise Refused(problem(403, detail, way_out="use a token with that role: codemation tokens create"))

    return allow


def known_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not have."""
    route = request.scope["route"]
    known = set(_parameters(route.dependant))
    for name in request.query_params:
        if name not in known:
            way_out = meant(name, known, f"it has {listed(sorted(known))}")
            refusal = problem(422, f"there is no query parameter {name!r}", kind="invalid request", way_out=way_out)
            raise Refused(refusal)


def _parameters(dependant: Dependant) -> Iterable[str]:
    """The names of the query parameters that a route takes, one by one or as the fields of a model."""
    for one in dependant.query_params:
        model = one.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (field.alias or name for name, field in model.model_fields.items())
        else:
            yield one.alias
    for below in dependant.dependencies:
        yield from _parameters(below)

"""Tokens, who did what, and who asks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import Field, StringConstraints

from codemation.core.access import Role
from codemation.core.ports import Deed, Token
from codemation.host.access import NAME, make_token
from codemation.web.actors import Asked, By
from codemation.web.models import Given, Model, Moment, Page
from codemation.web.problems import Refused, problem
from codemation.web.routes import Api
from codemation.web.texts import Name, Uuid

router = Api(tags=["access"])
YEARS = 10 * 365 * 86_400


class Asker(Model):
    """Who asks."""

    name: str
    role: Role


@router.offer("GET", "/me", Role.VIEWER, operation_id="who_am_i", summary="Say who asks")
def who_am_i(by: By) -> Asker:
    """Say as whom this request was taken."""
    return Asker(name=by.name, role=by.role)


class TokenSummary(Model):
    """A token, without its text, which nobody keeps."""

    id: str
    name: str
    role: Role
    created_by: str
    created_at: Moment | None
    expires_at: Moment | None
    used_at: Moment | None
    """When it was used last, give or take a minute."""
    revoked_at: Moment | None

    @classmethod
    def of(cls, token: Token) -> TokenSummary:
        """A token as it is listed."""
        return cls(**{name: getattr(token, name) for name in cls.model_fields})


class TokenList(Model):
    """Every token that ever was."""

    items: list[TokenSummary]


class TokenWanted(Given):
    """A token to be made."""

    name: Annotated[str, StringConstraints(pattern=NAME)] = Field(examples=["deploy"])
    """Who or what holds it; what it does is recorded under this name."""
    role: Role
    lasts: float | None = Field(default=None, gt=0, le=YEARS)
    """Seconds after which it counts no more."""


class NewToken(Model):
    """A token that was made."""

    id: str
    name: str
    role: Role
    token: str
    """Its text: shown now and never again."""


@router.offer("GET", "/tokens", Role.ADMIN, operation_id="list_tokens", summary="List the tokens")
def list_tokens(service: Asked) -> TokenList:
    """List every token that ever was, the latest first."""
    return TokenList(items=[TokenSummary.of(one) for one in service.app.stores.tokens.all()])


@router.offer("POST", "/tokens", Role.ADMIN, operation_id="create_token", summary="Make a token", status_code=201)
def create_token(service: Asked, by: By, given: TokenWanted) -> NewToken:
    """Make a token; its text is shown this once."""
    with service.noted(by, "tokens.create", given.name, role=given.role.value):
        token, text = make_token(service.app, given.name, given.role, by=by.name, lasts=given.lasts)
    return NewToken(id=token.id, name=token.name, role=token.role, token=text)


@router.offer(
    "DELETE",
    "/tokens/{token}",
    Role.ADMIN,
    fails=[404],
    operation_id="revoke_token",
    summary="Revoke a token",
    status_code=204,
)
def revoke_token(service: Asked, by: By, token: Annotated[Uuid, Path(description="The id of a token.")]) -> None:
    """Let a token count no more, from the next request on."""
    with service.noted(by, "tokens.revoke", token):
        if not service.app.stores.tokens.revoke(token):
            raise Refused(problem(404, f"no token {token} counts", kind="unknown token"))


class DeedSummary(Model):
    """Something that somebody has done, or tried to."""

    id: str
    at: Moment | None
    who: str
    action: str
    target: str
    outcome: str
    """`done`, or the type of the problem; empty while it is being done, or where that was broken off."""
    detail: dict[str, Any]

    @classmethod
    def of(cls, deed: Deed) -> DeedSummary:
        """A deed as it is listed."""
        return cls(**{name: getattr(deed, name) for name in cls.model_fields})


class DeedPage(Page[DeedSummary]):
    """Some of what was done, the latest first."""


class DeedQuery(Given):
    """Which deeds are listed."""

    who: Name | None = None
    """Only what this one did: `token:deploy`."""
    action: Name | None = None
    """How the action begins: `runs.`."""
    before: Uuid | None = None
    """Only deeds that are older than this one."""
    limit: int = Field(default=50, ge=1, le=500)
    """At most so many."""


@router.offer("GET", "/audit", Role.ADMIN, operation_id="list_deeds", summary="List who did what")
def list_deeds(service: Asked, query: Annotated[DeedQuery, Query()]) -> DeedPage:
    """List who did what, the latest first."""
    given = query.model_dump()
    found = service.app.stores.audit.page(**given)
    return DeedPage(
        items=[DeedSummary.of(one) for one in found], next=found[-1].id if len(found) == query.limit else None
    )

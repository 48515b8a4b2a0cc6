"""What a request brings to whatever answers it: the service, and who asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from codemation.web.identity import Actor
from codemation.web.service import Service


def service_of(request: Request) -> Service:
    """What all requests share."""
    service: Service = request.app.state.service
    return service


def actor_of(request: Request) -> Actor:
    """Who was recognised before the request came here."""
    actor: Actor = request.scope["codemation.actor"]
    return actor


Asked = Annotated[Service, Depends(service_of)]
By = Annotated[Actor, Depends(actor_of)]

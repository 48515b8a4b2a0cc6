"""Whether a webhook's request may start a run: a token, or a signature of its body."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from typing import BinaryIO

from starlette.datastructures import Headers

from codemation.core.credentials import Credential, MissingCredential, Secret
from codemation.core.ids import NodeId
from codemation.core.ports import Slot
from codemation.web.bodies import PIECE
from codemation.web.listeners import Listener
from codemation.web.problems import Refused, problem
from codemation.web.service import Service

_log = logging.getLogger("codemation.web")
SIGNATURES = ("x-codemation-signature", "x-hub-signature-256", "x-signature-256")
"""Headers in which a signature may stand, as `sha256=…` in hexadecimal."""
TIMESTAMP = "x-codemation-timestamp"
"""Seconds since 1970; where it is there, it is signed together with the body: `<timestamp>.<body>`."""
TOKEN = "x-webhook-token"  # noqa: S105 - the name of a header
WINDOW = 300.0
"""Seconds by which a timestamp may differ from the time here."""


class WebhookSecret(Credential):
    """What both sides of a webhook know: `CODEMATION_CREDENTIAL_<NAME>_SECRET`."""

    secret: Secret


def admit(service: Service, listener: Listener, headers: Headers, body: BinaryIO | None) -> None:
    """Let a request pass that shows what it has to: a token before its body is taken, a signature after.

    Raises:
        Refused: it does not, or nobody has said what that is.
    """
    if listener.auth is None or (listener.auth["kind"] == "hmac") is (body is None):
        return
    secret = _secret(service, listener)
    if not (_shown(secret, headers) if body is None else _signed(secret, headers, body)):
        wants = "a token" if body is None else "a signature of its body"
        raise Refused(problem(401, f"this webhook wants {wants}, and a good one", WWW_Authenticate="Webhook"))


def _secret(service: Service, listener: Listener) -> bytes:
    name = str(listener.auth["secret"]) if listener.auth is not None else ""
    slot = Slot(node=NodeId(listener.path), name=name, type=WebhookSecret)
    try:
        found = service.app.credentials.find(slot)
    except MissingCredential as error:
        _log.error("the webhook %s has no secret: %s", listener.path, error)
        found = None
    if not isinstance(found, WebhookSecret):
        raise Refused(problem(503, "this webhook is not set up", way_out="whoever runs it finds in the log what lacks"))
    return found.secret.get_secret_value().encode()


def _shown(secret: bytes, headers: Headers) -> bool:
    scheme, _, text = headers.get("authorization", "").partition(" ")
    shown = text.strip() if scheme.lower() == "bearer" else headers.get(TOKEN, "")
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), secret)


def _signed(secret: bytes, headers: Headers, body: BinaryIO) -> bool:
    shown = next((headers[name] for name in SIGNATURES if name in headers), "").removeprefix("sha256=")
    mac = hmac.new(secret, digestmod=hashlib.sha256)
    moment = headers.get(TIMESTAMP)
    if moment is not None:
        if not moment.isdigit() or abs(time.time() - int(moment[:12])) > WINDOW:
            return False
        mac.update(f"{moment}.".encode())
    while piece := body.read(PIECE):
        mac.update(piece)
    return hmac.compare_digest(shown.lower().encode("utf-8", "surrogateescape"), mac.hexdigest().encode())

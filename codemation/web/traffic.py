"""What was asked and answered: a line in the access log, and figures for the metrics."""

from __future__ import annotations

import logging
import re
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from starlette.types import Scope

disable_created_metrics()  # type: ignore[no-untyped-call]
ACCESS = logging.getLogger("codemation.access")
_SECRET = re.compile(r"(?<=/decide/)[^/?]+")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Traffic:
    """The requests of this process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter(
            "codemation_http_requests", "Requests that were answered.", labels, registry=self.registry
        )
        self._seconds = Histogram(
            "codemation_http_request_seconds",
            "Seconds until a request was answered; of a stream, until it ended.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )

    def note(self, scope: Scope, status: int, size: int, seconds: float) -> None:
        """Note one request; the paths that figures are kept by are those of the routes, so there are only so many."""
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = getattr(scope.get("route"), "path", "other")
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)
        if scope["path"] not in _QUIET:
            extra = {"fields": _fields(scope, size, seconds)}
            ACCESS.info("%s %s %s %.0f ms", method, shown_path(scope), status, seconds * 1000, extra=extra)


def shown_path(scope: Scope) -> str:
    """The path as it may be logged: without the query, and without the token of a decision."""
    return _SECRET.sub("***", scope["path"]).encode("unicode_escape").decode()


def _fields(scope: Scope, size: int, seconds: float) -> dict[str, Any]:
    actor = scope.get("codemation.actor")
    return {
        "client": scope.get("codemation.client", ""),
        "who": actor.name if actor is not None else "",
        "bytes": size,
        "ms": round(seconds * 1000, 1),
    }

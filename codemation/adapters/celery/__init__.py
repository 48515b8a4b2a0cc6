"""The Celery app of the current folder's codemation app: `celery -A codemation.adapters.celery worker`."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """`app`, made when it is asked for: whoever imports a part of this package needs neither settings nor Celery."""
    if name != "app":
        raise AttributeError(name)
    from codemation.adapters.celery.application import default_application  # noqa: PLC0415 - as said above

    globals()[name] = made = default_application()
    return made

"""An app on memory stores, and runs on it."""

from __future__ import annotations

from tests.host.conftest import path
from tests.host.runtime.conftest import app, launch, run, stores

__all__ = ["app", "launch", "path", "run", "stores"]

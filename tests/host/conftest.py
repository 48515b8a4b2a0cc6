"""An app on memory stores, and runs on it, for every test of the host."""

from __future__ import annotations

from tests.host.runtime.conftest import app, launch, run, stores

__all__ = ["app", "launch", "run", "stores"]

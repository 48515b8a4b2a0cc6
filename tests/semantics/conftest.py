"""Runs on memory stores, as the tests of the runtime have them."""

from __future__ import annotations

from tests.host.runtime.conftest import app, launch, run, stores

__all__ = ["app", "launch", "run", "stores"]

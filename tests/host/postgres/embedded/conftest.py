"""Projects whose servers end with their test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.host.postgres.embedded.world import Project, temporary_project


@pytest.fixture
def project() -> Iterator[Project]:
    with temporary_project() as made:
        yield made

"""One app, and one server in front of it, for each module of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.goods import GOODS
from tests.web.serving import Site, Web, open_site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with open_site(goods=GOODS) as site:
        yield site


@pytest.fixture(scope="module")
def web(site: Site) -> Iterator[Web]:
    """A server that anybody of this machine may ask, for nobody has made a token."""
    with site.web() as web:
        yield web

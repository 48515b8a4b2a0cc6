"""The app template is a folder that an app starts from, so its packages are found from there."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

APP = Path(__file__).parents[2] / "app_template"
sys.path.insert(0, str(APP))

from tests.app_template import pipeline, plain  # noqa: E402 — found only now


@pytest.fixture(scope="session")
def work() -> pipeline.Work:
    """What the functions of the app make of the whole year."""
    return pipeline.prepare(range(1, 13))


@pytest.fixture(scope="session")
def year() -> pd.DataFrame:
    """The whole year, joined and cleaned with plain pandas."""
    return plain.joined()

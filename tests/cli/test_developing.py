"""What of an app is watched while it is developed."""

from __future__ import annotations

from pathlib import Path

import pytest
from watchfiles import Change

from codemation.cli.developing import alone, counts, watched
from codemation.host.settings import Settings


def test_code_is_watched_and_what_others_have_put_beside_it_is_not(tmp_path: Path) -> None:
    settings = Settings(tmp_path, {}, {})
    assert watched(settings) == [tmp_path]
    for name in ("workflows", "goods", ".venv", "env", ".codemation", "build", "node_modules"):
        (tmp_path / name).mkdir()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    for name in ("helpers.py", "pyproject.toml", "data.csv"):
        (tmp_path / name).touch()
    assert [path.name for path in watched(settings)] == ["goods", "helpers.py", "pyproject.toml", "workflows"]


@pytest.mark.parametrize(
    ("path", "counted"),
    [
        ("workflows/orders.py", True),
        ("goods", True),
        ("workflows/__pycache__/orders.pyc", False),
        (".codemation/postgres/data/pg_wal/0001", False),
        ("workflows/.orders.py.swp", False),
        ("workflows/orders.py~", False),
    ],
)
def test_what_an_editor_or_the_database_leaves_is_of_no_account(tmp_path: Path, path: str, counted: bool) -> None:
    """Wherever the app itself lies."""
    root = tmp_path / ".hidden" / "build"
    assert counts(root, Change.modified, str(root / path)) is counted


def test_an_app_that_is_developed_works_by_itself_whatever_production_has(tmp_path: Path) -> None:
    settings = Settings(tmp_path, {"redis_url": "redis://far:6379/0", "scheduler": "celery", "threads": 3}, {})
    config = alone(settings).config
    assert (config.redis_url, config.scheduler, config.threads) == (None, "inline", 3)

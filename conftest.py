"""What holds for every test: the examples in the documentation run as tests, and no test is judged by the clock."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from sybil import Sybil
from sybil.parsers import markdown, rest

settings.register_profile("gate", deadline=None)
settings.load_profile("gate")


def _enter(namespace: dict[str, Any]) -> None:
    """Give the examples of a page a folder of their own, so that what they write does not stay in the tree."""
    namespace["_home"] = Path.cwd()
    namespace["_folder"] = tempfile.TemporaryDirectory(prefix="codemation-docs-")
    os.chdir(namespace["_folder"].name)


def _leave(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_home"])
    namespace["_folder"].cleanup()


_pages = Sybil(
    name="pages",
    parsers=[markdown.PythonCodeBlockParser(), markdown.SkipParser()],
    patterns=["README.md", "CONTRIBUTING.md", "docs/*.md", "docs/*/*.md", "docs/*/*/*.md"],
    setup=_enter,
    teardown=_leave,
)
_docstrings = Sybil(
    name="docstrings",
    parsers=[rest.DocTestParser(), rest.PythonCodeBlockParser()],
    patterns=["codemation/**/*.py"],
    setup=_enter,
    teardown=_leave,
)

pytest_collect_file = (_pages + _docstrings).pytest()

"""The repository works on any machine: it names none, and what it installs is pinned and checked."""

from __future__ import annotations

import os
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.lock import PIN, pins
from tests.architecture.tree import ROOT, texts

ELSEWHERE = {
    "a path of one machine": re.compile(r"(?<![\w.:/])/(?:root|work|home/\w+|Users/\w+)/\w"),
    "a registry's host": re.compile(r"(?:pypi|pythonhosted|npmjs)\.(?:org|com)\b|anaconda\.org\b", re.IGNORECASE),
    "an index of packages": re.compile(r"^\s*--(?:extra-)?(?:index-url|find-links|trusted-host)\b", re.MULTILINE),
}
EXCEPTIONS: dict[str, str] = {
    # "tests/example.py": "why it has to name a path or a host",
}
INSTALLED_EXTRAS = ("embedded",)
INSTALLED_GROUPS = ("demo", "test")


def _elsewhere(text: str) -> list[str]:
    return [f"{what}: {found.group().strip()}" for what, shape in ELSEWHERE.items() if (found := shape.search(text))]


def _wanted() -> list[Requirement]:
    """What `pyproject.toml` asks for directly and the lock has to hold."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [*project["project"]["dependencies"]]
    lines += [line for extra in INSTALLED_EXTRAS for line in project["project"]["optional-dependencies"][extra]]
    lines += [line for group in INSTALLED_GROUPS for line in project["dependency-groups"][group]]
    return [Requirement(line) for line in lines]


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = {path: names for path, text in texts() if path not in EXCEPTIONS and (names := _elsewhere(text))}
    assert found == {}


def test_every_exception_is_still_needed() -> None:
    assert {path for path, text in texts() if path in EXCEPTIONS and _elsewhere(text)} == set(EXCEPTIONS)


@pytest.mark.parametrize(
    "text",
    [
        "".join(parts)
        for parts in (("see /ro", "ot/x"), ("/ho", "me/ada/x"), ("https://py", "pi.org/"), ("--index", "-url x"))
    ],
)
def test_the_check_sees_what_belongs_elsewhere(text: str) -> None:
    assert _elsewhere(text)


def test_the_lock_pins_everything_with_hashes_and_nothing_else() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert PIN.sub("", lock) == "", "these lines are not a pinned requirement with its hashes; run `make lock`"


def test_the_lock_satisfies_what_the_project_asks_for() -> None:
    pinned = pins()
    unmet = [
        str(asked)
        for asked in _wanted()
        if not any(asked.specifier.contains(version) for version in pinned.get(canonicalize_name(asked.name), ()))
    ]
    assert unmet == [], "requirements.lock is older than pyproject.toml: run `make lock`"


def test_the_gate_can_be_started_as_a_program() -> None:
    gate = ROOT / ".ci" / "run"
    assert gate.read_text().startswith("#!/usr/bin/env bash\n")
    assert os.access(gate, os.X_OK)

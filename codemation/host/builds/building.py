"""Making a build: find the workflows, check all of them, and gather what each is made of."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from codemation import __version__
from codemation.core.errors import CodemationError, HostError
from codemation.core.nesting import below
from codemation.core.workflow import Workflow
from codemation.host.builds.bundle import MOST, Bundle, unpacked
from codemation.host.builds.closure import Closure
from codemation.host.builds.loading import loaded
from codemation.host.builds.manifest import Entry, Manifest
from codemation.host.catalog import Catalog, Found, Problem, discover
from codemation.host.settings import Settings
from codemation.host.slots import check_pools

MANIFEST = "manifest.json"
BUNDLES = "bundles"


@dataclass(frozen=True, kw_only=True)
class Build:
    """Workflows, with all that is needed to work with them somewhere else."""

    manifest: Manifest
    bundles: Mapping[str, bytes]
    """Archives, by digest."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the app; a build with any of them is not to be used."""


@dataclass(slots=True)
class _Gathered:
    """What has been found so far."""

    entries: dict[str, Entry] = field(default_factory=dict)
    bundles: dict[str, Bundle] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def build(settings: Settings, catalog: Catalog | None = None) -> Build:
    """The build of an app as its files are now; nothing is written."""
    catalog = catalog or discover(settings.root, settings.config.workflows)
    gathered = _Gathered(problems=list(catalog.problems))
    for name, found in sorted(catalog.workflows.items()):
        try:
            check_pools(found.workflow, settings.config.pools)
            _gather(gathered, settings, name, found)
        except CodemationError as error:
            gathered.problems.append(Problem(file=found.file, message=error.message, detail=error.way_out))
        except SyntaxError as error:
            said = f"{error.filename}:{error.lineno}: {error.msg}"
            gathered.problems.append(Problem(file=found.file, message="it imports what is no Python", detail=said))
    if not catalog.workflows and not gathered.problems:
        folder = Path(settings.config.workflows)
        gathered.problems.append(Problem(file=folder, message="there is no workflow in it"))
    manifest = Manifest(
        codemation=__version__,
        python=".".join(platform.python_version_tuple()[:2]),
        libraries=_libraries(gathered.foreign),
        workflows=gathered.entries,
        bundles={digest: _listed(bundle) for digest, bundle in gathered.bundles.items()},
    )
    archives = {digest: bundle.packed() for digest, bundle in gathered.bundles.items()}
    return Build(manifest=manifest, bundles=archives, problems=tuple(gathered.problems))


def write(made: Build, folder: Path) -> None:
    """Write a build into a folder: its archives first, its manifest last; what an earlier build has left goes."""
    bundles = folder / BUNDLES
    bundles.mkdir(parents=True, exist_ok=True)
    for digest, archive in made.bundles.items():
        (bundles / f"{digest}.tar").write_bytes(archive)
    arriving = folder / f".{MANIFEST}"
    arriving.write_text(made.manifest.text(), encoding="utf-8")
    arriving.replace(folder / MANIFEST)
    for left in bundles.glob("*.tar"):
        if left.stem not in made.bundles:
            left.unlink()


def last_manifest(folder: Path) -> Manifest | None:
    """The manifest of the build that a folder holds."""
    path = folder / MANIFEST
    return Manifest.read(path.read_text(encoding="utf-8")) if path.is_file() else None


def read(folder: Path) -> Build:
    """The build that a folder holds.

    Raises:
        HostError: there is none, or it is not whole.
    """
    manifest = last_manifest(folder)
    if manifest is None:
        raise HostError(f"there is no build in {folder}", way_out="make one: codemation build")
    archives = {}
    for digest in manifest.bundles:
        path = folder / BUNDLES / f"{digest}.tar"
        if not path.is_file():
            raise HostError(f"the build in {folder} is not whole: {path.name} is missing", way_out="codemation build")
        archives[digest] = path.read_bytes()
        unpacked(archives[digest], digest)
    return Build(manifest=manifest, bundles=archives)


def _gather(gathered: _Gathered, settings: Settings, name: str, found: Found) -> None:
    """Take up a workflow, with the files that it needs; it has to be the same when it is loaded from them."""
    closure = Closure(settings.root.resolve())
    closure.add((settings.root / found.file).resolve())
    paths = sorted({*closure.files, *closure.data()})
    bundle = Bundle(files={path.relative_to(closure.root).as_posix(): path.read_bytes() for path in paths})
    if bundle.size > MOST:
        largest = max(bundle.files, key=lambda path: len(bundle.files[path]))
        raise HostError(
            f'"{name}" is made of {bundle.size // 1024 // 1024} MB, and may be of {MOST // 1024 // 1024}',
            way_out=f"keep data out of the code; the largest file is {largest}",
        )
    if found.workflow.digest not in loaded(bundle, settings.state / "code", Path(found.file).as_posix()):
        raise HostError(
            f'"{name}" is another workflow when it is loaded from its build',
            way_out="what it is made of may depend on the machine, the environment, or on files that no import names",
        )
    gathered.foreign |= closure.foreign
    gathered.bundles[bundle.digest] = bundle
    gathered.entries[name] = Entry(
        digest=found.workflow.digest,
        file=Path(found.file).as_posix(),
        name=found.name,
        bundle=bundle.digest,
        below=tuple(sorted({one.digest for one in below(found.workflow)} - {found.workflow.digest})),
        definition=_definition(found.workflow, closure.root),
    )


def _definition(workflow: Workflow[Any, ...], root: Path) -> dict[str, Any]:
    """A definition as data, with places as they are seen from the app."""
    body = workflow.definition.to_json()
    body["source"] = _seen_from(root, body["source"])
    for part in (*body["nodes"], *body["triggers"]):
        part["place"] = _seen_from(root, part["place"])
    found: dict[str, Any] = json.loads(json.dumps(body))  # as it will be read
    return found


def _seen_from(root: Path, place: str) -> str:
    file, _, line = place.rpartition(":")
    path = Path(file).resolve() if file else root
    return f"{path.relative_to(root).as_posix()}:{line}" if file and path.is_relative_to(root) else place


def _listed(bundle: Bundle) -> dict[str, str]:
    return {path: Bundle(files={path: content}).digest for path, content in sorted(bundle.files.items())}


def _libraries(names: set[str]) -> dict[str, str]:
    """What is installed of the modules that are not the app's, with versions."""
    theirs = names - sys.stdlib_module_names - {"codemation"}
    owners = metadata.packages_distributions()
    found = sorted({owner for name in theirs for owner in owners.get(name, ())}, key=str.lower)
    return {name: metadata.version(name) for name in found}


def missing(manifest: Manifest) -> Iterator[str]:
    """What this process lacks, or has in another version, to work with a build."""
    ours = ".".join(platform.python_version_tuple()[:2])
    if manifest.python != ours:
        yield f"it was built with Python {manifest.python}, and this is {ours}"
    if _series(manifest.codemation) != _series(__version__):
        yield f"it was built with codemation {manifest.codemation}, and this is {__version__}"
    for name, wanted in manifest.libraries.items():
        try:
            there = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield f"it was built with {name} {wanted}, which is not installed here"
            continue
        if there.partition(".")[0] != wanted.partition(".")[0]:
            yield f"it was built with {name} {wanted}, and {there} is installed here"


def _series(version: str) -> list[str]:
    return version.split(".")[:2]

"""Builds: the same bytes wherever they are made, with what a workflow needs and nothing else; and back to workflows."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from codemation.core.errors import HostError
from codemation.core.ids import NodeId
from codemation.host.builds import building
from codemation.host.builds.bundle import BrokenBundle, Bundle, laid_out, unpacked
from codemation.host.builds.loading import loaded, sweep
from codemation.host.builds.manifest import Manifest, differences
from codemation.host.settings import Settings
from tests.host.builds.shop import SHOP, write_app
from tests.host.postgres.embedded.world import REPOSITORY


def built(root: Path) -> building.Build:
    """The build of an app."""
    return building.build(Settings(root, {}, {}))


def test_the_same_app_gives_the_same_bytes_in_another_folder(tmp_path: Path) -> None:
    first = write_app(tmp_path / "here")
    made = built(first)
    again = built(shutil.copytree(first, tmp_path / "there" / "deep"))
    assert made.problems == ()
    assert made.manifest.text() == again.manifest.text()
    assert made.bundles == again.bundles
    assert str(tmp_path) not in made.manifest.text()


def test_a_bundle_holds_what_a_workflow_needs_and_nothing_secret(tmp_path: Path) -> None:
    root = write_app(tmp_path)
    made = built(root)
    entry = made.manifest.workflows["shop.orders"]
    assert sorted(made.manifest.bundles[entry.bundle]) == [
        "goods/__init__.py",
        "goods/late.py",
        "goods/prices.py",
        "goods/rules.txt",
        "workflows/orders.py",
    ]
    assert (entry.file, entry.name) == ("workflows/orders.py", "orders")
    assert "pydantic" in made.manifest.libraries


def test_a_comment_changes_the_files_and_not_what_it_does(tmp_path: Path) -> None:
    root = write_app(tmp_path)
    before = built(root).manifest
    (root / "goods" / "prices.py").write_text("# a comment\n" + SHOP["goods/prices.py"])
    after = built(root).manifest
    assert list(differences(before, after)) == ["  shop.orders: files have changed, and not what it does"]
    other = SHOP["workflows/orders.py"].replace("* 2", "* 3")
    write_app(tmp_path / "b", {"workflows/orders.py": other})
    assert list(differences(before, built(tmp_path / "b").manifest)) == ["~ shop.orders: rewritten: total"]
    assert Manifest.read(after.text()) == after


def test_every_problem_is_said_at_once(tmp_path: Path) -> None:
    root = write_app(tmp_path, {"workflows/broken.py": "1 / 0\n", "workflows/worse.py": "def (\n"})
    assert sorted(problem.file.name for problem in built(root).problems) == ["broken.py", "worse.py"]


def test_a_build_is_read_as_it_was_written_and_only_whole(tmp_path: Path) -> None:
    made = built(write_app(tmp_path / "app"))
    folder = tmp_path / "build"
    building.write(made, folder)
    building.write(made, folder)
    assert building.read(folder) == made
    archive = next((folder / "bundles").iterdir())
    archive.write_bytes(archive.read_bytes().replace(b"def total", b"def t0tal"))
    with pytest.raises(HostError, match="other files"):
        building.read(folder)
    archive.unlink()
    with pytest.raises(HostError, match="is missing"):
        building.read(folder)


def test_versions_live_side_by_side_in_one_process(tmp_path: Path) -> None:
    """Each sees its own modules, also those that are imported when a node is called, and nothing else is touched."""
    old = built(write_app(tmp_path / "old"))
    new = built(write_app(tmp_path / "new", {"goods/late.py": "RATE = 7\n", "goods/prices.py": NEW_PRICES}))
    before = {name: module for name, module in sys.modules.items() if name.startswith(("goods", "workflows"))}
    found = []
    for made in (old, new):
        entry = made.manifest.workflows["shop.orders"]
        bundle = unpacked(made.bundles[entry.bundle], entry.bundle)
        found.append(loaded(bundle, tmp_path / "code", entry.file)[entry.digest])
    first, second = (workflow.code[NodeId("total")].function for workflow in found)
    price = {"amount": 3}
    assert (first(first.__globals__["Price"](**price)), second(second.__globals__["Price"](**price))) == (11, 13)
    assert found[0].digest != found[1].digest or first.__globals__["Price"] is not second.__globals__["Price"]
    after = {name: module for name, module in sys.modules.items() if name.startswith(("goods", "workflows"))}
    assert after == before


NEW_PRICES = SHOP["goods/prices.py"].replace("amount: int", "amount: int\n    currency: str = 'EUR'")


def test_the_template_is_loaded_from_its_build_with_the_same_digests(tmp_path: Path) -> None:
    made = built(REPOSITORY / "app_template")
    assert made.problems == ()
    for entry in made.manifest.workflows.values():
        bundle = unpacked(made.bundles[entry.bundle], entry.bundle)
        assert entry.digest in loaded(bundle, tmp_path, entry.file)


def test_what_has_been_changed_in_the_folder_is_laid_out_anew(tmp_path: Path) -> None:
    bundle = Bundle(files={"a/b.py": b"one", "c.txt": b"two"})
    folder = laid_out(bundle, tmp_path)
    (folder / "c.txt").write_text("changed")
    (folder / "more.py").write_text("added")
    assert laid_out(bundle, tmp_path) == folder
    assert (folder / "c.txt").read_text() == "two"
    assert not (folder / "more.py").exists()
    assert [path.name for path in tmp_path.iterdir()] == [bundle.digest]


@pytest.mark.parametrize("name", ["../out.py", "/abs.py", "a/../../b.py"])
def test_an_archive_that_would_write_elsewhere_is_refused(name: str) -> None:
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(BrokenBundle, match="no file within an app"):
        unpacked(room.getvalue(), "d" * 64)


def test_a_manifest_of_a_newer_release_is_refused() -> None:
    with pytest.raises(HostError, match="another release"):
        Manifest.read(json.dumps({"format": 99}))


def test_files_that_nobody_uses_any_more_are_removed(tmp_path: Path) -> None:
    used, left = (laid_out(Bundle(files={"a.py": text}), tmp_path) for text in (b"1", b"2"))
    (tmp_path / ".arriving-0").mkdir()
    for folder in (left, tmp_path / ".arriving-0"):
        os.utime(folder, (0, 0))
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [used]

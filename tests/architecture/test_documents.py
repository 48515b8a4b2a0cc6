"""The pages hold together: links lead somewhere, words are explained, changes are written down in one form."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, files

PAGES = sorted(files(suffix=".md"))
WORDS = {
    *("Workflow", "Definition", "Plan", "Node", "Port", "Pin", "Trigger"),
    *("Item", "Batch", "Attachment"),
    *("Run", "Activation", "Signal", "Journal", "Revision", "Snapshot", "Event", "View"),
    *("Worker", "Ticket", "Fence", "Beat", "Caretaker"),
}
TARGETS = ("demo", "test", "setup", "help", "lint", "types", "bench", "lock", "clean")

_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
_RELEASE = re.compile(r"^## \[(Unreleased|\d+\.\d+\.\d+)\](?: - (\d{4}-\d{2}-\d{2}))?$")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _prose(page: Path) -> str:
    return _CODE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """The anchors that a rendered page has: its headings in lower case, spaces as hyphens, without punctuation."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in _HEADING.findall(_prose(page))}


def _broken(page: Path, root: Path = ROOT) -> list[str]:
    """The links of a page that lead nowhere, or out of the repository at `root`."""
    broken = []
    for link in _LINK.findall(_prose(page)):
        if re.match(r"https://|mailto:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.is_relative_to(root) or not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    assert _broken(page) == []


def test_the_check_sees_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Here\n[a](#here) [b](#there) [c](gone.md) [d](https://example.org)\n```\n[e](code.md)\n```\n")
    assert _broken(page, tmp_path) == ["#there", "gone.md"]


def test_the_glossary_explains_each_word_once() -> None:
    explained = Counter(re.findall(r"^\*\*(.+?)\*\*: \w", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE))
    assert WORDS - set(explained) == set()
    assert [word for word, times in explained.items() if times > 1] == []


def test_every_decision_says_context_decision_and_consequences_on_one_page_and_stands_in_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text()
    for page in sorted((ROOT / "docs/adr").glob("*.md")):
        text = page.read_text()
        assert re.match(rf"# {page.name[:4]} \S", text), f"{page.name} does not begin with its number and title"
        assert re.search(r"^Status: \w", text, re.MULTILINE), f"{page.name} has no status"
        assert _HEADING.findall(text)[1:] == ["Context", "Decision", "Consequences"], page.name
        assert len(text.splitlines()) <= 60, f"{page.name} is longer than a page"
        assert f"adr/{page.name}" in index, f"docs/index.md does not lead to {page.name}"


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text().splitlines()
    assert lines[0] == "# Changelog"
    releases = [_RELEASE.match(line) for line in lines if line.startswith("## ")]
    assert all(releases), "a release is headed `## [1.2.3] - 2026-01-31`, and the first one `## [Unreleased]`"
    versions = [release.groups() for release in releases if release]
    assert versions[0] == ("Unreleased", None)
    assert all(date for _, date in versions[1:]), "every release has its date"
    numbers = [tuple(map(int, version.split("."))) for version, _ in versions[1:]]
    assert numbers == sorted(numbers, reverse=True), "the newest release stands first"
    assert {line[4:] for line in lines if line.startswith("### ")} <= _KINDS


def test_the_readme_names_the_two_commands_and_make_has_every_target() -> None:
    commands = re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {"demo", "test"} <= set(commands)
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {*TARGETS, *commands} - set(re.findall(r"^  (\w+)", shown, re.MULTILINE)) == set()

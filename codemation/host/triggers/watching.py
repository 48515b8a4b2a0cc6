"""Files as a source: each version of a file that matches is given once, when nobody writes to it any more."""

from __future__ import annotations

import glob
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

State = dict[str, Any]
"""`taken` and `seen`: the version of each file that was given, or was there when it was last looked."""


def changed(root: Path, pattern: str, state: State) -> Iterator[dict[str, Any]]:
    """The files below `root` that match and are new or have changed, in the order of their paths.

    A file is given when it has the size and the time that it had at the look before: one that is still being written
    has others. What is gone is forgotten here; that it was given once is known by its key.
    """
    before, taken = state.get("seen", {}), state.get("taken", {})
    there = dict(_versions(root, pattern))
    state["seen"] = {path: version for path, version in there.items() if taken.get(path) != version}
    state["taken"] = {path: version for path, version in taken.items() if path in there}
    for path, version in there.items():
        if state["taken"].get(path) == version or before.get(path) != version:
            continue
        state["taken"][path] = version
        state["seen"].pop(path, None)
        size, modified = version
        yield {
            "path": root / path,
            "size": size,
            "modified": datetime.fromtimestamp(modified / 1_000_000_000, UTC),
        }


def version_of(item: dict[str, Any]) -> str:
    """What names a version of a file."""
    return f"{item['path']}|{item['size']}|{item['modified'].isoformat()}"


def _versions(root: Path, pattern: str) -> Iterator[tuple[str, list[int]]]:
    """The files that match, each with its size and when it was last written, in nanoseconds."""
    for name in sorted(glob.glob(pattern, root_dir=root, recursive=True)):  # noqa: PTH207 - it leaves hidden files out
        try:
            found = (root / name).stat()
        except OSError:  # gone again, or not for us to see
            continue
        if stat.S_ISREG(found.st_mode):
            yield name, [found.st_size, found.st_mtime_ns]

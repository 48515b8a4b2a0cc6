"""What `requirements.lock` says."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

from tests.architecture.tree import ROOT

PIN = re.compile(
    r"^([A-Za-z0-9._-]+)==(\S+)(?: ;.*?)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)
"""A pinned requirement with its hashes, as `make lock` writes it."""


def pins() -> dict[str, set[str]]:
    """Versions by name as pinned in the lock; a name has several when platforms differ."""
    found: dict[str, set[str]] = {}
    for name, version, _ in PIN.findall((ROOT / "requirements.lock").read_text()):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found

"""What the figures were measured on, because they mean little without it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import psycopg

from benchmarks.peer import DBOS
from benchmarks.stand import Stand


def described(stand: Stand) -> dict[str, str]:
    """Machine, system, versions and settings, by name."""
    (server,) = stand.ask("SHOW server_version")
    settings = {name: stand.ask(f"SHOW {name}")[0] for name in ("fsync", "synchronous_commit", "full_page_writes")}
    versions = {name: importlib.metadata.version(name) for name in ("codemation", "pydantic", "psycopg")}
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "postgresql": f"{server}, embedded; " + ", ".join(f"{name} {value}" for name, value in settings.items()),
        "packages": ", ".join(f"{name} {version}" for name, version in versions.items()) + f" ({psycopg.pq.__impl__})",
        "peer": f"{DBOS.name} {stand.peer.version}" if stand.peer else f"none: {stand.missing(DBOS)[0]}",
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

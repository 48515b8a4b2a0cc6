"""What was deployed, as rows in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from codemation.core.ports import Deployment


@dataclass(slots=True)
class Deployed:
    """The rows."""

    deployments: list[Deployment] = field(default_factory=list)
    """The latest last."""
    builds: dict[str, str] = field(default_factory=dict)
    """Manifests."""
    code: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """By definition: bundle, file, and the build that had it last."""
    bundles: dict[str, bytes] = field(default_factory=dict)

"""Which of the ten workflows can be written with what there is: the others wait for what they need."""

from __future__ import annotations

from collections.abc import Mapping

import codemation as cm

NEEDS: Mapping[str, tuple[str, ...]] = {
    "flights": ("option cache",),
    "intake": ("Concurrency", "Decided", "Flow.approve", "Flow.subworkflow", "option rate"),
    "sync": ("Concurrency", "option cache"),
    "ingest": (),
    "sweep": ("option pool", "option shard_size"),
    "scrape": ("Flow.loop", "option rate", "option pool"),
    "weekly": (),
    "documents": ("Decided", "Flow.approve", "option shards"),
    "supply": (),
    "booking": ("event", "Received", "Flow.wait", "Flow.wait_for_event"),
}
"""What each of them needs of the public names, of the verbs of a flow, and of the options of a node."""


def missing(name: str) -> list[str]:
    """What a workflow needs that is not there."""
    return [need for need in NEEDS[name] if not _is_there(need)]


def _is_there(need: str) -> bool:
    if need.startswith("option "):
        return need.removeprefix("option ") in cm.NodeOptions.__annotations__
    if need.startswith("Flow."):
        return hasattr(cm.Flow, need.removeprefix("Flow."))
    return need in cm.__all__

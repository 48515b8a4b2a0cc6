"""The duty of compacting: what is not needed any more goes, though nothing was pruned. In small statements, hourly.

Checkpoints that a later one of the same run has replaced; ticks whose run is gone, when their keys are; keys of items
behind the watermark of their source.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from codemation.core.retention import age_of

if TYPE_CHECKING:
    from codemation.host.app import App

_log = logging.getLogger("codemation.duties")
AT_ONCE = 500


def compact(app: App, over: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Delete what is not needed any more; says how much of what. It ends early when `over` says so."""
    age = age_of(app.settings.config.keep_keys)
    stores, gone = app.stores, dict[str, int]()
    pieces: dict[str, Callable[[], int]] = {"checkpoints": stores.checkpoints.compact}
    if age is not None:
        pieces["ticks"] = lambda: stores.schedules.forget(age, AT_ONCE)
        pieces["keys of items"] = lambda: stores.polls.forget(age, AT_ONCE)
    for what, piece in pieces.items():
        gone[what] = 0
        while not over() and (count := piece()):
            gone[what] += count
    if any(gone.values()):
        _log.info("compacted: %s", ", ".join(f"{count} {what}" for what, count in gone.items() if count))
    return gone

"""What the engine has from its host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from codemation.core.errors import StoreUnavailable
from codemation.core.opening import Lock
from codemation.core.ports import News
from codemation.core.signals import Event


def _unheard(news: News, events: tuple[Event, ...]) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the engine has from its host, because the core knows neither chance nor time nor threads."""

    entropy: Callable[[], int]
    """63 random bits."""
    lock: Callable[[], Lock]
    """A lock that its holder may take again."""
    patience: Callable[[int, StoreUnavailable], None]
    """Given the number of the failed try, waits before another one to reach the database, or raises."""
    publish: Callable[[News, tuple[Event, ...]], None] = _unheard
    """Told what became true, after it was recorded."""
    tell: Callable[[str], object] = str
    """Told what is odd and harms nobody."""
    retention: Mapping[str, float | None] = field(default_factory=dict)
    """Seconds for which a run is kept after its end, by outcome, whose workflow does not say it."""
    key_age: float | None = None
    """Seconds for which the key of a start counts at least; `None` for ever."""

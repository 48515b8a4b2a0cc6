"""Times as they are typed: ISO 8601; without a zone they are meant in the zone of the schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from codemation.cli.troubles import Refused
from codemation.host.triggers.arms import KnownTrigger


def time_from(text: str, known: KnownTrigger) -> datetime:
    """A time that was typed.

    Raises:
        Refused: it is none.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        what = f"{text!r} is no time"
        raise Refused(what, way_out="write it as 2026-03-01, 2026-03-01T06:00 or 2026-03-01T06:00:00+01:00") from None
    zone = known.plan.config.get("timezone")
    return time if time.tzinfo is not None else time.replace(tzinfo=ZoneInfo(zone) if zone else UTC)

"""The records that are worth a type: what a row must be to be believed, and what is said of one that is not.

Tables hold the many; these models judge the few: every aircraft, and the readings and departures that look odd.
Each refusal has a slug (counted in the report) and a sentence with the numbers (written to the rejects file).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

OLDEST_BUILD = 1970
FEWEST_SEATS = 20
STRONGEST_WIND = 253.0
"""Miles per hour: the strongest wind ever measured at the ground, a gust on Barrow Island in 1996."""
FASTEST_GROUND_SPEED = 600.0
"""Miles per hour: an airliner's cruise of about 560 and a generous tail wind over a whole flight."""
SHORTEST_ROUTE = 50
"""Miles."""
EXTREME_DELAY = 900
"""Minutes."""

Table = Literal["planes", "weather", "flights"]

REASONS: dict[str, str] = {
    "no_year": "The year of manufacture is missing",
    "too_old": f"Built before {OLDEST_BUILD}, so the register means another aircraft",
    "too_small": f"Fewer than {FEWEST_SEATS} seats, so the register means another aircraft",
    "no_reading": "A reading without wind or temperature",
    "impossible_wind": "A wind stronger than any ever measured",
    "too_short": f"A route of less than {SHORTEST_ROUTE} miles",
    "too_fast": f"More than {FASTEST_GROUND_SPEED:.0f} mph over the ground",
    "clock_disagrees": "Departure time and delay contradict each other",
    "malformed": "A field of the wrong kind",
}
NOTES: dict[str, str] = {
    "no_aircraft": "Cancelled before an aircraft was assigned",
    "diverted": "Landed, but with no time in the air: diverted",
    "unfinished": "Took off, but no landing is recorded",
    "extreme_delay": f"More than {EXTREME_DELAY // 60} hours late, and its own clock times agree",
    "odd_tail_number": "A tail number that does not start as a US registration does (N, then 1 to 9)",
    "repeated_hour": "A local hour that came twice when the clocks went back",
}
TREATMENTS: dict[str, str] = {
    "no_aircraft": "counted as a cancellation",
    "diverted": "counted on departure, not on arrival",
    "unfinished": "counted on departure, not on arrival",
    "extreme_delay": "kept as it is",
    "odd_tail_number": "kept, its aircraft unknown",
    "repeated_hour": "kept, told apart by UTC",
}
_US_REGISTRATION = re.compile(r"N[1-9][0-9A-Z]{0,4}")


class Record(BaseModel):
    """A row of one of the tables, with a name that a person can look up."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    table: Table
    key: str


class Plane(Record):
    """An aircraft of the register that may have flown as an airliner in 2013."""

    table: Literal["planes"] = "planes"
    tailnum: str
    year: int
    manufacturer: str
    model: str
    seats: int

    @field_validator("year", mode="before")
    @classmethod
    def _plausible_year(cls, year: object) -> object:
        if year is None:
            raise PydanticCustomError("no_year", "the year of manufacture is missing")
        if isinstance(year, int) and year < OLDEST_BUILD:
            raise PydanticCustomError("too_old", "built in {year}, not an airliner still in service", {"year": year})
        return year

    @field_validator("seats")
    @classmethod
    def _airliner(cls, seats: int) -> int:
        if seats < FEWEST_SEATS:
            raise PydanticCustomError("too_small", "{seats} seats, not an airliner", {"seats": seats})
        return seats


class Reading(Record):
    """An hour of weather at one airport, complete enough to be compared."""

    table: Literal["weather"] = "weather"
    origin: str
    time_hour: datetime
    temp: float
    wind_speed: float
    precip: float
    visib: float

    @field_validator("temp", "wind_speed", mode="before")
    @classmethod
    def _present(cls, value: object) -> object:
        if value is None:
            raise PydanticCustomError("no_reading", "the instrument gave no value")
        return value

    @field_validator("wind_speed")
    @classmethod
    def _possible(cls, wind: float) -> float:
        if wind > STRONGEST_WIND:
            raise PydanticCustomError(
                "impossible_wind",
                "{wind} mph; the strongest wind ever measured is {limit} mph",
                {"wind": round(wind), "limit": round(STRONGEST_WIND)},
            )
        return wind


class Departure(Record):
    """A scheduled departure that could have happened as it is written."""

    table: Literal["flights"] = "flights"
    departed_on: date
    carrier: str
    flight: int
    origin: str
    dest: str
    distance: int
    sched_dep_time: int
    tailnum: str | None = None
    dep_time: int | None = None
    dep_delay: int | None = None
    arr_time: int | None = None
    air_time: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _possible(self) -> Departure:
        if self.distance < SHORTEST_ROUTE:
            raise PydanticCustomError(
                "too_short",
                "{origin} to {dest} is {miles} miles, which no airline sells",
                {"origin": self.origin, "dest": self.dest, "miles": self.distance},
            )
        if self.air_time is not None and self.distance > FASTEST_GROUND_SPEED / 60 * self.air_time:
            raise PydanticCustomError(
                "too_fast",
                "{miles} miles in {minutes} minutes is {speed} mph",
                {"miles": self.distance, "minutes": self.air_time, "speed": round(self.distance / self.air_time * 60)},
            )
        if self.dep_time is not None and self.dep_delay is not None:
            self._compare_clock(self.dep_time, self.dep_delay)
        return self

    def _compare_clock(self, left: int, delay: int) -> None:
        late = clock_minutes(left) - clock_minutes(self.sched_dep_time)
        if (late - delay) % 1440:
            raise PydanticCustomError(
                "clock_disagrees",
                "scheduled {planned}, left {left}, yet {delay} minutes late",
                {"planned": self.sched_dep_time, "left": left, "delay": delay},
            )


class Reject(BaseModel):
    """A record that was left out, and why."""

    model_config = ConfigDict(frozen=True)

    table: Table
    key: str
    reason: str
    """A key of REASONS."""
    detail: str


class Note(BaseModel):
    """A record that looks odd and was kept, and how it was treated."""

    model_config = ConfigDict(frozen=True)

    table: Table
    key: str
    kind: str
    """A key of NOTES."""


_MODELS: dict[str, type[Record]] = {"planes": Plane, "weather": Reading, "flights": Departure}


def clock_minutes(hhmm: int) -> int:
    """Minutes after midnight of a clock time written as in the data: 1745 is a quarter to six, 2400 midnight."""
    return hhmm // 100 * 60 + hhmm % 100


def reject_of(record: Mapping[str, Any]) -> Reject:
    """Say why a record is not believed.

    Raises ValueError for a record that is fine: it was rejected for a reason that is not known here.
    """
    model = _MODELS[record["table"]]
    try:
        model.model_validate(dict(record))
    except ValidationError as mistakes:
        errors = mistakes.errors(include_url=False, include_context=False, include_input=False)
        slugs = [str(error["type"]) for error in errors]
        places = [".".join(map(str, error["loc"])) for error in errors]
        return Reject(
            table=record["table"],
            key=str(record["key"]),
            reason=slugs[0] if slugs[0] in REASONS else "malformed",
            detail="; ".join(
                f"{place}: {error['msg']}" if place else error["msg"]
                for place, error in zip(places, errors, strict=True)
            ),
        )
    raise ValueError(f"{record['table']} {record['key']} is a valid {model.__name__}, so it is no reject")


def note_of(departure: Departure) -> Note:
    """Say what is odd about a departure that is believed all the same.

    Raises ValueError for a departure with nothing odd about it.
    """
    if departure.tailnum is not None and not _US_REGISTRATION.fullmatch(departure.tailnum):
        kind = "odd_tail_number"
    elif departure.dep_time is None and departure.tailnum is None:
        kind = "no_aircraft"
    elif departure.dep_time is not None and departure.arr_time is None:
        kind = "unfinished"
    elif departure.dep_time is not None and departure.air_time is None:
        kind = "diverted"
    elif departure.dep_delay is not None and departure.dep_delay >= EXTREME_DELAY:
        kind = "extreme_delay"
    else:
        raise ValueError(f"nothing is odd about departure {departure.key}, so it should not be asked about")
    return Note(table="flights", key=departure.key, kind=kind)


def repeated_hour(reading: Reading) -> Note:
    """Note a good reading of a local hour that came twice."""
    return Note(table="weather", key=reading.key, kind="repeated_hour")
